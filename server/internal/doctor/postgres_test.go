package doctor

import (
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/quantity"
	"activity-tracker.example/server/internal/store/inspect"
)

func TestPostgres(t *testing.T) {
	const memory = 16 * quantity.GiB
	// usual are PostgreSQL's own defaults, on its own machine, for a small database.
	usual := inspect.Examination{SizeBytes: 100 * quantity.MiB, Settings: inspect.PostgresSettings{
		SharedBuffers: 128 * quantity.MiB, MaxWALSize: quantity.GiB, CheckpointTimeout: 5 * time.Minute, WALCompression: "off", LZ4: true, Here: true, Timed: 100,
	}}
	for _, test := range []struct {
		name   string
		change func(*inspect.Examination)
		// check is the one that warns; empty: none.
		check, words string
	}{
		{"a small database", func(*inspect.Examination) {}, "", ""},
		{"a database larger than its buffers", func(e *inspect.Examination) { e.SizeBytes = quantity.GiB }, "shared_buffers", "shared_buffers = '4096MB'"},
		{"elsewhere", func(e *inspect.Examination) { e.SizeBytes, e.Settings.Here = quantity.GiB, false }, "shared_buffers", "a quarter of its machine's memory"},
		{"elsewhere, thought of", func(e *inspect.Examination) {
			e.SizeBytes, e.Settings.Here, e.Settings.SharedBuffers = quantity.GiB, false, 256*quantity.MiB
		}, "", ""},
		{"about a quarter", func(e *inspect.Examination) {
			e.SizeBytes, e.Settings.SharedBuffers = 100*quantity.GiB, 4000*quantity.MiB
		}, "", ""},
		{"the log fills before the time", func(e *inspect.Examination) { e.Settings.Forced = 101 }, "checkpoints", "max_wal_size = '4GB'"},
		{"after a restart or two", func(e *inspect.Examination) { e.Settings.Timed, e.Settings.Forced = 1, 3 }, "", ""},
		{"as much log as there should be", func(e *inspect.Examination) { e.Settings.Forced, e.Settings.MaxWALSize = 1000, 4*quantity.GiB }, "", ""},
		{"checkpoints too often", func(e *inspect.Examination) { e.Settings.CheckpointTimeout = time.Minute }, "checkpoints", "checkpoint_timeout"},
		{"whole pages", func(e *inspect.Examination) { e.Settings.LogBytes, e.Settings.LogPages = 8*quantity.GiB, 500_000 }, "write-ahead log", "wal_compression = lz4"},
		{"whole pages, compressed", func(e *inspect.Examination) {
			e.Settings.LogBytes, e.Settings.LogPages, e.Settings.WALCompression = 8*quantity.GiB, 500_000, "pglz"
		}, "write-ahead log", "to shorten it: ALTER SYSTEM SET checkpoint_timeout = '15min'; SELECT pg_reload_conf()"},
		{"whole pages, rare", func(e *inspect.Examination) {
			e.Settings.LogBytes, e.Settings.LogPages, e.Settings.CheckpointTimeout = 8*quantity.GiB, 500_000, 15*time.Minute
		}, "write-ahead log", "to shorten it: ALTER SYSTEM SET wal_compression = lz4; SELECT pg_reload_conf()"},
		{"whole pages, all done", func(e *inspect.Examination) {
			e.Settings.LogBytes, e.Settings.LogPages, e.Settings.CheckpointTimeout, e.Settings.LZ4 = 8*quantity.GiB, 500_000, 15*time.Minute, false
		}, "", ""},
		{"few whole pages", func(e *inspect.Examination) { e.Settings.LogBytes, e.Settings.LogPages = 8*quantity.GiB, 100_000 }, "", ""},
		{"not much of a log", func(e *inspect.Examination) { e.Settings.LogBytes, e.Settings.LogPages = quantity.GiB/2, 60_000 }, "", ""},
	} {
		e := usual
		test.change(&e)
		for _, c := range Postgres(e, memory) {
			if warns := c.Result != api.CheckOK; warns != (c.Name == test.check) || warns != (c.Advice != "") || warns && !strings.Contains(c.Advice, test.words) {
				t.Errorf("%s: %+v", test.name, c)
			}
		}
	}
}
