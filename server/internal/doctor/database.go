package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/quantity"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/erasure"
	"activity-tracker.example/server/internal/store/inspect"
	"activity-tracker.example/server/internal/store/upkeep"
)

const (
	// pgMajor is PostgreSQL's factor between its version number and the major
	// version in it.
	pgMajor = 10_000
	// oldestPostgres is the first major version that is tested with.
	oldestPostgres = 15
	// skewWarn is noticed in last_seen, skewFail refuses events or shows
	// everybody offline.
	skewWarn = 2 * time.Second
	skewFail = time.Minute
	// compactionWarn is how old the last round of compaction may be: there is one
	// each quarter of an hour, and that of the largest fleet's day takes an hour.
	compactionWarn = 24 * time.Hour
)

// Database checks a database that was examined.
func Database(e inspect.Examination) []api.Check {
	checks := []api.Check{checkVersion(e), checkSchema(e.Schema), checkDurability(e.Durability), checkEncoding(e.Encoding), checkConnections(e), checkClock(e.Skew)}
	if e.Pooled {
		checks = append(checks, ok("pooler", "one is in between; backup and restore need PostgreSQL itself, or a pooler in session mode"))
	}
	if e.Schema.Version == e.Schema.Known {
		checks = append(checks, checkPartitions(e.Partitions), checkCompaction(e.Compaction), checkTokens(e))
		if e.Unreadable.Times > 0 {
			checks = append(checks, unreadable(e.Unreadable))
		}
	}
	return checks
}

func checkVersion(e inspect.Examination) api.Check {
	c := ok("database", "PostgreSQL %s", e.VersionText)
	if e.Version/pgMajor < oldestPostgres {
		c.Result, c.Advice = api.CheckFailed, fmt.Sprintf("upgrade it to %d or newer", oldestPostgres)
	}
	return c
}

func checkSchema(s db.Schema) api.Check {
	c := ok("schema", "version %d", s.Version)
	switch {
	case s.Version > s.Known:
		c.Detail = fmt.Sprintf("version %d; this program knows only %d", s.Version, s.Known)
		c.Result, c.Advice = api.CheckFailed, "install the newer trackerd-server"
	case s.Version < s.Known:
		c.Detail = fmt.Sprintf("version %d of %d; missing: %s", s.Version, s.Known, strings.Join(s.Pending, ", "))
		c.Result, c.Advice = api.CheckWarning, "start the server, or run: trackerd-server migrate"
	}
	return c
}

func checkDurability(settings map[string]string) api.Check {
	var bad []string
	for name, value := range settings {
		// remote_apply and remote_write wait for more, or for as much.
		if value == "off" || name == "synchronous_commit" && value == "local" {
			bad = append(bad, name+"="+value)
		}
	}
	slices.Sort(bad)
	switch {
	case len(bad) == 0:
		return ok("durability", "what is acknowledged is on disk")
	case len(bad) == 1 && bad[0] == "synchronous_commit=local":
		return warning("durability", bad[0], "a standby that takes over may lack what was acknowledged: synchronous_commit=on")
	}
	return failed("durability", strings.Join(bad, ", "), "events that were acknowledged can be lost in a crash: set to on in postgresql.conf")
}

func checkEncoding(encoding string) api.Check {
	if encoding == "UTF8" {
		return ok("encoding", "UTF8")
	}
	return failed("encoding", encoding, "titles can't be kept: make a database with ENCODING 'UTF8', and move there with backup and restore")
}

func checkConnections(e inspect.Examination) api.Check {
	room := e.MaxConnections - e.Reserved
	c := ok("connections", "%d of %d in use, a server takes up to %d", e.Used, room, e.Pool)
	if e.Pooled {
		return c
	}
	switch {
	case e.Pool > room:
		c.Result, c.Advice = api.CheckFailed, "raise max_connections, or lower pool_max_conns in the database URL"
	case e.Used+e.Pool > room:
		c.Result, c.Advice = api.CheckWarning, "another server may find none free: raise max_connections, or lower pool_max_conns in the database URL"
	}
	return c
}

func checkClock(skew time.Duration) api.Check {
	c := ok("clock", "the database's and ours differ by less than %v", skewWarn)
	abs := max(skew, -skew)
	if abs < skewWarn {
		return c
	}
	ahead := "ahead of"
	if skew < 0 {
		ahead = "behind"
	}
	c = warning("clock", fmt.Sprintf("the database's is %v %s ours", abs.Round(time.Second), ahead), "set both by NTP (timedatectl set-ntp true)")
	if abs >= skewFail {
		c.Result = api.CheckFailed
	}
	return c
}

func checkPartitions(states []inspect.PartitionState) api.Check {
	var missing, elsewhere []string
	for _, p := range states {
		if p.Missing > 0 {
			missing = append(missing, fmt.Sprintf("%s lacks %d", p.Table, p.Missing))
		}
		if p.DefaultRows > 0 {
			elsewhere = append(elsewhere, fmt.Sprintf("%s %d", p.Table, p.DefaultRows))
		}
	}
	switch {
	case len(missing) > 0:
		return warning("partitions", strings.Join(missing, ", "), "a running server makes them each hour: see its log")
	case len(elsewhere) > 0:
		return warning("partitions", "rows outside of them: "+strings.Join(elsewhere, ", "),
			"hosts report times long ago: see to their clocks; retention removes what is too old")
	}
	return ok("partitions", "made ahead")
}

func checkCompaction(c upkeep.CompactionState) api.Check {
	if c.Off {
		return ok("compaction", "off: --compact-after-days 0")
	}
	waiting, last := "nothing waits", "no round has ended yet"
	if !c.From.IsZero() {
		waiting = fmt.Sprintf("about %d events wait, from %s on", c.Events, c.From.UTC().Format(time.DateOnly))
	}
	if c.Ended {
		last = fmt.Sprintf("the last round ended %s ago", quantity.DurationText(c.Ago))
	}
	made := ok("compaction", "%s; %s", waiting, last)
	if late := !c.Ended || c.Ago > compactionWarn; late && !c.From.IsZero() {
		made.Result, made.Advice = api.CheckWarning, "a running server compacts every quarter of an hour: see its log, or run: trackerd-server compact"
	}
	return made
}

// unreadable reports rows that were passed over when titles of erased people were deleted.
func unreadable(u erasure.Unreadable) api.Check {
	return warning("records", fmt.Sprintf("rows that can't be read were passed over when titles of erased people were deleted: %d times, last on %s",
		u.Times, u.Last.UTC().Format(time.DateOnly)),
		"trackerd-server rollups check names them; the disk, or a program that writes there, has damaged them")
}

func checkTokens(e inspect.Examination) api.Check {
	c := ok("tokens", "%d admin, %d viewer; hosts: %d, good enrolment tokens: %d", e.Admins, e.Viewers, e.Hosts, e.GoodEnrollments)
	switch {
	case e.Admins+e.Viewers == 0:
		c.Result, c.Advice = api.CheckWarning, "nobody can read anything yet: trackerd-server token create --name NAME --role admin"
	case e.Hosts == 0 && e.GoodEnrollments == 0:
		c.Result, c.Advice = api.CheckWarning, "no host can report yet: trackerd-server enrollment create"
	}
	return c
}

// NoDatabase is the check of a state folder without a private PostgreSQL.
func NoDatabase(stateDir string) api.Check {
	return failed("database", "there is no private PostgreSQL in "+stateDir,
		"start the server, which makes one; for a server elsewhere give --database-url or --state-dir")
}

// DatabaseAway is the check of a database that can't be reached; advice may be empty.
func DatabaseAway(err error, advice string) api.Check {
	return failed("database", err.Error(),
		cmp.Or(advice, "see that PostgreSQL runs, and that DATABASE_URL names it, its user and password"))
}

// PrivateDatabase is the check of a private PostgreSQL that could not be left.
func PrivateDatabase(err error) api.Check {
	return warning("private PostgreSQL", err.Error(),
		"see its log, postgres.log in the state folder")
}
