package db_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/storetest"
)

// While a transaction keeps partitions nobody gets the lock that dropping one takes.
func TestPartitionsAreKept(t *testing.T) { storetest.OnBoth(t, partitionsAreKept) }

func partitionsAreKept(t *testing.T, url string) {
	t.Helper()
	s := storetest.OpenAt(t, url, partition.Retention{}, time.Now())
	conn := storetest.Connect(t, url)
	free := func(table string) bool {
		_, err := conn.Exec(t.Context(), "BEGIN; LOCK TABLE ONLY "+table+" IN ACCESS EXCLUSIVE MODE NOWAIT; ROLLBACK")
		if err != nil {
			_, _ = conn.Exec(t.Context(), "ROLLBACK")
		}
		return err == nil
	}
	for _, test := range []struct {
		name                string
		with                []db.Begin
		event, rollup, anew bool
	}{
		{"nothing", nil, true, true, true},
		{"events", []db.Begin{db.KeepEvents}, false, true, true},
		{"roll-ups", []db.Begin{db.KeepRollups, db.PlanOnce}, true, false, false},
		{"both", []db.Begin{db.KeepEvents, db.KeepRollups}, false, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			for what, ask := range map[string]func(func(pgx.Tx) error) error{
				"read":    func(do func(pgx.Tx) error) error { return s.Read(t.Context(), "reading", do, test.with...) },
				"write":   func(do func(pgx.Tx) error) error { return s.Write(t.Context(), "writing", do, test.with...) },
				"report":  func(do func(pgx.Tx) error) error { return s.Report(t.Context(), "reporting", do, test.with...) },
				"summary": func(do func(pgx.Tx) error) error { return s.Summary(t.Context(), "summing up", do, test.with...) },
			} {
				err := ask(func(tx pgx.Tx) error {
					var mode, memory string
					if err := tx.QueryRow(t.Context(), "SELECT current_setting('plan_cache_mode'), current_setting('work_mem')").Scan(&mode, &memory); err != nil {
						return err
					}
					if (memory == "64MB") != (what == "summary" && s.Spread()) {
						t.Errorf("%s: it has %s of memory", what, memory)
					}
					if event, rollup := free("event"), free("rollup"); event != test.event || rollup != test.rollup || (mode == "auto") != (test.anew || s.Spread()) {
						t.Errorf("%s: event free %v, rollup free %v, plans %s", what, event, rollup, mode)
					}
					return nil
				})
				if err != nil {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
}
