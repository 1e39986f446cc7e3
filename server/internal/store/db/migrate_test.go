package db_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/storetest"
	"activity-tracker.example/server/internal/store/testdb"
)

func TestServersThatStartTogetherMigrateOnce(t *testing.T) {
	url := testdb.Empty(t)
	var wait sync.WaitGroup
	for range 8 {
		s := storetest.Unprepared(t, url)
		wait.Go(func() {
			if err := s.Migrate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	var applied int
	if err := storetest.Connect(t, url).QueryRow(t.Context(), "SELECT count(*) FROM schema_migration").Scan(&applied); err != nil {
		t.Fatal(err)
	}
	if known, err := db.KnownMigrations(); err != nil || applied != known {
		t.Errorf("%d migrations applied of %d (%v)", applied, known, err)
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	url := testdb.Empty(t)
	if err := storetest.Unprepared(t, url).Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := storetest.Connect(t, url).Exec(t.Context(), "INSERT INTO schema_migration (version, name) VALUES (999, 'future')"); err != nil {
		t.Fatal(err)
	}
	s := storetest.Unprepared(t, url)
	err := s.Prepare(t.Context(), func(error) {})
	var newer db.NewerSchemaError
	if !errors.As(err, &newer) || newer.Have != 999 {
		t.Errorf("%v", err)
	}
	if err := s.Ready(t.Context()); !errors.Is(err, db.ErrUnavailable) {
		t.Errorf("ready: %v", err)
	}
}

func TestFailedMigrationLeavesNothing(t *testing.T) {
	url := testdb.Empty(t)
	// One of the first migration's tables is in the way.
	if _, err := storetest.Connect(t, url).Exec(t.Context(), "CREATE TABLE event (x int)"); err != nil {
		t.Fatal(err)
	}
	if err := storetest.Unprepared(t, url).Prepare(t.Context(), func(error) {}); err == nil || errors.Is(err, db.ErrUnavailable) {
		t.Fatalf("%v", err)
	}
	var tables int
	if err := storetest.Connect(t, url).QueryRow(t.Context(), "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").Scan(&tables); err != nil {
		t.Fatal(err)
	}
	if tables != 1 {
		t.Errorf("%d tables are left, want the one that was in the way", tables)
	}
}

func TestConnectionsAreDurable(t *testing.T) {
	s := storetest.Unprepared(t, testdb.Empty(t)+"&synchronous_commit=off")
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := s.Read(t.Context(), "asking", func(tx pgx.Tx) error {
		for setting, want := range map[string]string{"synchronous_commit": "on", "TimeZone": "UTC", "statement_timeout": "30s"} {
			var got string
			if err := tx.QueryRow(t.Context(), "SELECT current_setting($1)", setting).Scan(&got); err != nil {
				return err
			}
			if got != want {
				t.Errorf("%s is %s, want %s", setting, got, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestClassify(t *testing.T) {
	coded := func(code string) error { return fmt.Errorf("wrapped: %w", &pgconn.PgError{Code: code}) }
	for err, unavailable := range map[error]bool{
		coded("57P01"):            true, // stopping
		coded("57P03"):            true, // starting
		coded("53100"):            true, // disk full
		coded("53300"):            true, // too many connections
		coded("25006"):            true, // a standby
		coded("40P01"):            true, // deadlock
		coded("23505"):            false,
		coded("22021"):            false, // NUL in a text
		coded("28P01"):            false, // wrong password
		coded("42P01"):            false, // no such table
		context.DeadlineExceeded:  true,
		directory.ErrHostEnrolled: false,
		db.ErrNotFound:            false,
	} {
		got := db.Classify("testing", err)
		if errors.Is(got, db.ErrUnavailable) != unavailable || !errors.Is(got, err) {
			t.Errorf("%v became %v", err, got)
		}
	}
	if db.Classify("testing", nil) != nil {
		t.Error("no error became one")
	}
}
