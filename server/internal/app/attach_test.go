package app_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/servertest"
)

// A backup reads from the default partition for hours, which no partition can be
// attached beside: a late event for a day without one is stored all the same, at
// once, and nobody waits.
func TestLateEventWhileBackupReads(t *testing.T) {
	databaseURL := servertest.NewDatabase(t)
	b := servertest.New(t, databaseURL)
	credential := b.Host("h")
	b.Send(credential, servertest.Minute("m", 0))
	conn, err := pgx.Connect(t.Context(), databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	// As pg_dump locks all tables.
	if _, err := conn.Exec(t.Context(), "BEGIN; LOCK TABLE event_default, rollup_default, title_default IN ACCESS SHARE MODE"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for i := range 5 {
		late := servertest.Minute("m", 60*24*40*(i+1))
		late.ActiveWindow = "a title of that month"
		if got := b.Send(credential, late); got.Accepted != 1 {
			t.Errorf("%+v", got)
		}
	}
	// Half a second is what each kind of partition is tried for.
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("it took %v", took)
	}
	if got, err := b.Store.CheckRollups(t.Context(), false); err != nil || got.Wrong != 0 || got.Events != 6 {
		t.Errorf("%+v, %v", got, err)
	}
}
