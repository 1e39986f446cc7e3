package partition_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/storetest"
)

// A server that writes late events straight into a partition of roll-ups keeps them
// from being dropped with it, also where it began before the partition was looked at
// and commits afterwards.
func TestRollupsWrittenWhilePartitionIsDropped(t *testing.T) {
	url := storetest.NewDatabase(t)
	now := time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)
	s := storetest.OpenAt(t, url, partition.Retention{}, now)
	const name = "rollup_20260401"
	if err := s.Partitions.Ensure(t.Context(), partition.Rollups(), now.AddDate(0, -1, 0)); err != nil {
		t.Fatal(err)
	}
	writer, watcher := storetest.Connect(t, url), storetest.Connect(t, url)
	const insert = `INSERT INTO ` + name + ` (bucket, machine, events, key_count, mouse_clicks, mouse_distance_px, scroll_count, synthetic_count,
		active_ms, idle_ms, apps, app_ms) VALUES ('2026-04-20 00:00Z', 1, 1, 0, 0, 0, 0, 0, 0, 0, '{}', '{}')`
	// PostgreSQL locks the table as well the first time that a connection writes to
	// its partition, and not later.
	for _, sql := range []string{"BEGIN", insert, "DELETE FROM " + name, "COMMIT", "BEGIN"} {
		if _, err := writer.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := writer.Exec(t.Context(), insert); err != nil {
		t.Fatal(err)
	}
	dropped := make(chan error, 1)
	go func() {
		_, err := s.Partitions.Drop(t.Context(), partition.Rollups(), name, func(tx pgx.Tx) (bool, error) { return partition.Empty(t.Context(), tx, name) })
		dropped <- err
	}()
	waitsForLock(t, watcher, name)
	if _, err := writer.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := <-dropped; err != nil {
		t.Error(err)
	}
	if n := storetest.Ask[int](t, url, "SELECT count(*) FROM rollup"); n != 1 {
		t.Errorf("%d roll-ups are left of one that was committed", n)
	}
}

// waitsForLock returns once somebody waits for a lock of a table.
func waitsForLock(t *testing.T, conn *pgx.Conn, table string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for waits := false; !waits; {
		err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = to_regclass($1))", table).Scan(&waits)
		if err != nil {
			t.Fatal(err)
		}
	}
}
