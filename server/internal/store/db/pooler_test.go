package db_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/pgtest"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/rooms"
	"activity-tracker.example/server/internal/store/storetest"
)

// Two servers behind a pgbouncer in transaction mode, as its package configures
// it: everything works, and what we rely on holds in each transaction although
// PostgreSQL's own defaults are otherwise.
func TestBehindPgbouncer(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Start(t, "synchronous_commit=off", "timezone=Asia/Tokyo")
	pooler := pgtest.Pgbouncer(t, cluster, "3")
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	keep := partition.Retention{Events: 100 * day, Titles: 40 * day, Rollups: 300 * day}
	log := &storetest.Lines{}
	var stores []*storetest.Store
	for _, more := range []string{"", "&default_query_exec_mode=exec"} {
		s, err := rooms.Open(t.Context(), pooler.URL("postgres")+more, storetest.Options{
			Keep: keep, Now: func() time.Time { return now }, Log: slog.New(slog.NewTextHandler(log, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		stores = append(stores, s)
	}
	var wait sync.WaitGroup
	for _, s := range stores {
		wait.Go(func() {
			if err := s.Migrate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if t.Failed() {
		t.Fatal(pooler.Log())
	}
	if log.Count("a connection pooler") != 2 {
		t.Error("the log does not tell of the pooler")
	}
	refuseUnsafeWrites(t, cluster)
	writeFromBoth(t, stores, now)
	for i, s := range stores {
		activity, err := s.Activity(t.Context(), directory.Scope{}, "m1", []time.Time{now.Add(-day), now.Add(time.Hour)}, 5)
		if err != nil || activity[0].Counts[api.Keys] == 0 || len(activity[0].Apps) != 5 {
			t.Errorf("store %d: %+v, %v", i, activity, err)
		}
		page, err := s.Events(t.Context(), directory.Scope{}, "m1", now.Add(-day), now, 50)
		if err != nil || len(page.Events) != 50 || !page.More {
			t.Errorf("store %d: %d events, %v", i, len(page.Events), err)
		}
		if _, err := s.Maintain(t.Context()); err != nil {
			t.Errorf("store %d: %v", i, err)
		}
		for _, repair := range []bool{false, true} {
			if c, err := s.CheckRollups(t.Context(), repair); err != nil || c.Wrong != 0 || c.Machines != 6 {
				t.Errorf("store %d: %+v, %v", i, c, err)
			}
		}
		if err := s.Read(t.Context(), "asking", func(tx pgx.Tx) error { return settingsHold(t, tx) }); err != nil {
			t.Error(err)
		}
	}
	if got := cluster.SQL("postgres", "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'trackerd-server'"); got == "0" || len(got) > 1 || got > "3" {
		t.Errorf("%s sessions of PostgreSQL for two stores", got)
	}
	// Our settings are nobody else's.
	conn := storetest.Connect(t, pooler.URL("postgres")+"&default_query_exec_mode=exec")
	for range 10 {
		var value string
		if err := conn.QueryRow(t.Context(), "SELECT current_setting('synchronous_commit')").Scan(&value); err != nil || value != "off" {
			t.Fatalf("a setting of ours stayed behind: %s, %v", value, err)
		}
	}
}

// refuseUnsafeWrites has PostgreSQL itself refuse writes without our settings.
func refuseUnsafeWrites(t *testing.T, cluster *pgtest.Cluster) {
	t.Helper()
	cluster.SQL("postgres", `
		CREATE FUNCTION safe() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF current_setting('synchronous_commit') <> 'on' OR current_setting('statement_timeout') <> '30s'
				OR current_setting('timezone') <> 'UTC' THEN
				RAISE 'synchronous_commit is %, statement_timeout %, timezone %', current_setting('synchronous_commit'),
					current_setting('statement_timeout'), current_setting('timezone') USING ERRCODE = 'invalid_parameter_value';
			END IF;
			RETURN NULL;
		END $$;
		CREATE TRIGGER safe AFTER INSERT ON event EXECUTE FUNCTION safe();
		CREATE TRIGGER safe AFTER INSERT OR UPDATE OR DELETE ON rollup EXECUTE FUNCTION safe();
		CREATE TRIGGER safe AFTER UPDATE ON machine EXECUTE FUNCTION safe();
		CREATE TRIGGER safe AFTER INSERT ON enrollment EXECUTE FUNCTION safe()`)
}

// writeFromBoth has both stores take in much of the same.
func writeFromBoth(t *testing.T, stores []*storetest.Store, now time.Time) {
	t.Helper()
	host := storetest.AddHost(t, stores[0])
	var wait sync.WaitGroup
	for worker := range 8 {
		wait.Go(func() {
			r := rand.New(rand.NewPCG(uint64(worker/2), 1))
			for range 20 {
				var events []api.Event
				for range 1 + r.IntN(60) {
					events = append(events, storetest.SomeEvent(r, now))
				}
				if _, err := stores[worker%2].WriteEvents(t.Context(), storetest.Batch{Host: host, Credential: "cred", Events: events}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
}

func settingsHold(t *testing.T, tx pgx.Tx) error {
	t.Helper()
	for name, want := range map[string]string{
		"synchronous_commit": "on", "TimeZone": "UTC", "statement_timeout": "30s", "jit": "off", db.PlanMode: "auto",
		"idle_in_transaction_session_timeout": "10s", "transaction_read_only": "on", "transaction_isolation": "repeatable read",
	} {
		var got string
		if err := tx.QueryRow(context.WithoutCancel(t.Context()), "SELECT current_setting($1)", name).Scan(&got); err != nil {
			return err
		}
		if got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	return nil
}

// A token is looked up outside of a transaction: who first meets a pooler there
// tries again, and a lock that somebody holds ends it, although the pooler keeps our
// settings out.
func TestTokenBehindPgbouncer(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Start(t)
	pooler := pgtest.Pgbouncer(t, cluster, "3")
	direct, err := rooms.Open(t.Context(), cluster.URL("postgres"), storetest.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(direct.Close)
	if err := direct.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, err := rooms.Open(t.Context(), pooler.URL("postgres"), storetest.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	// As if the pooler had come between later.
	s.AssumeMigrated()
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			if _, _, err := s.TokenByID(t.Context(), "tok_none"); !errors.Is(err, db.ErrNotFound) {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	s.SetPatience(100 * time.Millisecond)
	conn := storetest.Connect(t, cluster.URL("postgres"))
	if _, err := conn.Exec(t.Context(), "BEGIN; LOCK api_token IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.TokenByID(t.Context(), "tok_none"); !errors.Is(err, db.ErrUnavailable) {
		t.Errorf("beside a lock: %v", err)
	}
}
