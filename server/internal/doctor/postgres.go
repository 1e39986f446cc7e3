package doctor

import (
	"fmt"
	"strings"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/quantity"
	"activity-tracker.example/server/internal/store/inspect"
)

const (
	// enoughLog is a max_wal_size, in bytes, with which a day's backlog of some
	// hundred hosts fits between two checkpoints.
	enoughLog = 4 * quantity.GiB
	// fewCheckpoints are too few to distinguish a habit from a restart or a backup.
	fewCheckpoints = 12
	// leastCheckpointTimeout is PostgreSQL's own default.
	leastCheckpointTimeout = 5 * time.Minute
	// rareCheckpoints is how rare they are where recovery after a crash is still
	// a matter of a minute or two.
	rareCheckpoints = 15 * time.Minute
	// smallBuffers is PostgreSQL's default of shared_buffers, in bytes: nobody
	// has thought of it yet.
	smallBuffers = 128 * quantity.MiB
	// pageBytes is PostgreSQL's page.
	pageBytes = 8 * quantity.KiB
	// muchLog, in bytes, is more than a server writes that is only tried out, and
	// muchWhole the part of it that is worth a setting.
	muchLog   = quantity.GiB
	muchWhole = 0.25
	// buffersPart is what part of memory shared_buffers get by PostgreSQL's own
	// documentation.
	buffersPart = 4
)

// Postgres checks settings that matter where events are
// written all the time; memory is this machine's in bytes, 0: not known. What they
// cost was measured (bench/RESULTS.md).
func Postgres(e inspect.Examination, memory int64) []api.Check {
	if !e.Settings.Here {
		memory = 0
	}
	return []api.Check{checkBuffers(e.Settings.SharedBuffers, e.SizeBytes, memory), checkCheckpoints(e.Settings), checkLog(e.Settings)}
}

// checkBuffers looks whether what is written to all the time fits. Nothing is gained
// by more than the database has.
func checkBuffers(buffers, database, memory int64) api.Check {
	c := ok("shared_buffers", "%s, the database has %s", quantity.SizeText(buffers), quantity.SizeText(database))
	quarter := memory / buffersPart
	// Not to the byte: a kernel keeps some of a machine's memory for itself.
	const nearly = 0.9
	switch {
	case database <= buffers:
	case memory > 0 && float64(buffers) < nearly*float64(quarter):
		c.Detail += fmt.Sprintf(", this machine %s of memory", quantity.SizeText(memory))
		c.Result = api.CheckWarning
		c.Advice = fmt.Sprintf("set shared_buffers = '%dMB' in postgresql.conf, a quarter of memory, and restart PostgreSQL", quarter/quantity.MiB)
	case memory == 0 && buffers <= smallBuffers:
		c.Result, c.Advice = api.CheckWarning, "set shared_buffers to a quarter of its machine's memory in postgresql.conf, and restart PostgreSQL"
	}
	return c
}

// checkCheckpoints looks whether checkpoints come more often than they should: after
// each one a page is logged whole when it is written to for the first time.
func checkCheckpoints(p inspect.PostgresSettings) api.Check {
	c := ok("checkpoints", "%d by time (%v), %d before it (max_wal_size %s)", p.Timed, p.CheckpointTimeout, p.Forced, quantity.SizeText(p.MaxWALSize))
	switch {
	case p.CheckpointTimeout < leastCheckpointTimeout:
		c.Result, c.Advice = api.CheckWarning, "pages are logged whole more often than need be: set checkpoint_timeout to 5min or more and reload PostgreSQL"
	case p.MaxWALSize < enoughLog && p.Forced > p.Timed && p.Forced+p.Timed >= fewCheckpoints:
		c.Result, c.Advice = api.CheckWarning, "the log fills before the time: set max_wal_size = '4GB' in postgresql.conf, if its disk has room, and reload PostgreSQL"
	}
	return c
}

// checkLog looks whether pages that are logged whole make up much of the log: there
// are fewer of them with rarer checkpoints, and they are shorter where they are
// compressed. pglz, the other way to do so, costs more than twice of PostgreSQL's
// processor time and gains hardly more.
func checkLog(p inspect.PostgresSettings) api.Check {
	c := ok("write-ahead log", "%s, pages compressed: %s", quantity.SizeText(p.LogBytes), p.WALCompression)
	whole := float64(p.LogPages*pageBytes) / float64(max(p.LogBytes, 1))
	var set []string
	if p.CheckpointTimeout < rareCheckpoints {
		set = append(set, fmt.Sprintf("ALTER SYSTEM SET checkpoint_timeout = '%dmin'", int(rareCheckpoints.Minutes())))
	}
	if p.WALCompression == "off" && p.LZ4 {
		set = append(set, "ALTER SYSTEM SET wal_compression = lz4")
	}
	if p.LogBytes < muchLog || whole < muchWhole || len(set) == 0 {
		return c
	}
	c.Result, c.Detail = api.CheckWarning, fmt.Sprintf("%s, much of it %d pages that are logged whole", quantity.SizeText(p.LogBytes), p.LogPages)
	c.Advice = "as PostgreSQL's administrator, to shorten it: " + strings.Join(append(set, "SELECT pg_reload_conf()"), "; ")
	return c
}
