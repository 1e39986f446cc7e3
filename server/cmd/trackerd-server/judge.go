package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"activity-tracker.example/server/internal/store"
)

const (
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

// judge says what is to be thought of a database that was examined.
func judge(e store.Examination) []check {
	checks := []check{judgeVersion(e), judgeSchema(e.Schema), judgeDurability(e.Durability), judgeEncoding(e.Encoding), judgeConnections(e), judgeClock(e.Skew)}
	if e.Pooled {
		checks = append(checks, ok("pooler", "one is in between; backup and restore need PostgreSQL itself, or a pooler in session mode"))
	}
	if e.Schema.Version == e.Schema.Known {
		checks = append(checks, judgePartitions(e.Partitions), judgeCompaction(e.Compaction), judgeTokens(e))
	}
	return checks
}

func judgeVersion(e store.Examination) check {
	c := ok("database", "PostgreSQL %s", e.VersionText)
	if e.Version/pgMajor < oldestPostgres {
		c.Verdict, c.Advice = verdictFail, fmt.Sprintf("upgrade it to %d or newer", oldestPostgres)
	}
	return c
}

func judgeSchema(s store.Schema) check {
	c := ok("schema", "version %d", s.Version)
	switch {
	case s.Version > s.Known:
		c.Detail = fmt.Sprintf("version %d; this program knows only %d", s.Version, s.Known)
		c.Verdict, c.Advice = verdictFail, "install the newer trackerd-server"
	case s.Version < s.Known:
		c.Detail = fmt.Sprintf("version %d of %d; missing: %s", s.Version, s.Known, strings.Join(s.Pending, ", "))
		c.Verdict, c.Advice = verdictWarn, "start the server, or run: trackerd-server migrate"
	}
	return c
}

func judgeDurability(settings map[string]string) check {
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
		return check{"durability", verdictWarn, bad[0], "a standby that takes over may lack what was acknowledged: synchronous_commit=on"}
	}
	return check{"durability", verdictFail, strings.Join(bad, ", "), "events that were acknowledged can be lost in a crash: set to on in postgresql.conf"}
}

func judgeEncoding(encoding string) check {
	if encoding == "UTF8" {
		return ok("encoding", "UTF8")
	}
	return check{"encoding", verdictFail, encoding, "titles can't be kept: make a database with ENCODING 'UTF8', and move there with backup and restore"}
}

func judgeConnections(e store.Examination) check {
	room := e.MaxConnections - e.Reserved
	c := ok("connections", "%d of %d in use, a server takes up to %d", e.Used, room, e.Pool)
	if e.Pooled {
		return c
	}
	switch {
	case e.Pool > room:
		c.Verdict, c.Advice = verdictFail, "raise max_connections, or lower pool_max_conns in the database URL"
	case e.Used+e.Pool > room:
		c.Verdict, c.Advice = verdictWarn, "another server may find none free: raise max_connections, or lower pool_max_conns in the database URL"
	}
	return c
}

func judgeClock(skew time.Duration) check {
	c := ok("clock", "the database's and ours differ by less than %v", skewWarn)
	abs := max(skew, -skew)
	if abs < skewWarn {
		return c
	}
	ahead := "ahead of"
	if skew < 0 {
		ahead = "behind"
	}
	c = check{"clock", verdictWarn, fmt.Sprintf("the database's is %v %s ours", abs.Round(time.Second), ahead), "set both by NTP (timedatectl set-ntp true)"}
	if abs >= skewFail {
		c.Verdict = verdictFail
	}
	return c
}

func judgePartitions(states []store.PartitionState) check {
	var missing, strays []string
	for _, p := range states {
		if p.Missing > 0 {
			missing = append(missing, fmt.Sprintf("%s lacks %d", p.Table, p.Missing))
		}
		if p.DefaultRows > 0 {
			strays = append(strays, fmt.Sprintf("%s %d", p.Table, p.DefaultRows))
		}
	}
	switch {
	case len(missing) > 0:
		return check{"partitions", verdictWarn, strings.Join(missing, ", "), "a running server makes them each hour: see its log"}
	case len(strays) > 0:
		return check{
			"partitions", verdictWarn, "rows outside of them: " + strings.Join(strays, ", "),
			"hosts report times long ago: see to their clocks; retention removes what is too old",
		}
	}
	return ok("partitions", "made ahead")
}

func judgeCompaction(c store.CompactionState) check {
	if c.Off {
		return ok("compaction", "off: --compact-after-days 0")
	}
	waiting, last := "no quiet day waits", "no round has ended yet"
	if !c.From.IsZero() {
		waiting = fmt.Sprintf("about %d events of quiet days wait, from %s on", c.Events, c.From.UTC().Format(time.DateOnly))
	}
	if c.Ended {
		last = fmt.Sprintf("the last round ended %s ago", spanText(c.Ago))
	}
	made := ok("compaction", "%s; %s", waiting, last)
	if late := !c.Ended || c.Ago > compactionWarn; late && !c.From.IsZero() {
		made.Verdict, made.Advice = verdictWarn, "a running server compacts every quarter of an hour: see its log, or run: trackerd-server compact"
	}
	return made
}

func judgeTokens(e store.Examination) check {
	c := ok("tokens", "%d admin, %d viewer; hosts: %d, good enrolment tokens: %d", e.Admins, e.Viewers, e.Hosts, e.GoodEnrollments)
	switch {
	case e.Admins+e.Viewers == 0:
		c.Verdict, c.Advice = verdictWarn, "nobody can read anything yet: trackerd-server token create --name NAME --role admin"
	case e.Hosts == 0 && e.GoodEnrollments == 0:
		c.Verdict, c.Advice = verdictWarn, "no host can report yet: trackerd-server enrollment create"
	}
	return c
}
