package db_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/pgtest"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/storetest"
)

// Two transactions wait for each other: the one that PostgreSQL ends begins anew, once the
// other is over.
func TestDeadlockBeginsAnew(t *testing.T) {
	url := storetest.NewDatabase(t)
	s := storetest.OpenAt(t, url, partition.Retention{}, time.Now())
	other, look := storetest.Connect(t, url), storetest.Connect(t, url)
	if _, err := other.Exec(t.Context(), "BEGIN; SELECT pg_advisory_xact_lock(2)"); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	runs := 0
	err := s.WriteAgain(t.Context(), "locking in another order", func(tx pgx.Tx) error {
		if runs++; runs > 1 {
			return <-ended
		}
		if _, err := tx.Exec(t.Context(), "SET LOCAL deadlock_timeout = '10ms'; SELECT pg_advisory_xact_lock(1)"); err != nil {
			return err
		}
		go func() {
			_, err := other.Exec(t.Context(), "SET LOCAL deadlock_timeout = '1min'; SELECT pg_advisory_xact_lock(1); COMMIT")
			ended <- err
		}()
		pgtest.Await(t, "the other to wait", func() bool {
			var waits bool
			err := look.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = 1)").Scan(&waits)
			return err == nil && waits
		})
		_, err := tx.Exec(t.Context(), "SELECT pg_advisory_xact_lock(2)")
		return err
	})
	if err != nil || runs != 2 {
		t.Errorf("%d runs, %v", runs, err)
	}
}
