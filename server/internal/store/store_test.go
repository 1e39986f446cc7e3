package store

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/localpg"
)

// clusterEnv tells the tests where the package's PostgreSQL is.
const clusterEnv = "TRACKERD_SERVER_TEST_CLUSTER"

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.fuzz"); f != nil && f.Value.String() != "" {
		// Fuzz targets need no database, and each of their workers runs this.
		os.Exit(m.Run())
	}
	code, err := runBesideCluster(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runBesideCluster(m *testing.M) (code int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "trk")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cluster, err := localpg.Start(ctx, localpg.Options{StateDir: dir, Volatile: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, cluster.Close(ctx)) }()
	if err := os.Setenv(clusterEnv, cluster.DatabaseURL("%s")); err != nil {
		return 1, err
	}
	if code = m.Run(); code != 0 {
		return code, nil
	}
	// The one goroutine left reaps the cluster.
	return code, goleak.Find(goleak.IgnoreAnyFunction("os/exec.(*Cmd).Wait"))
}

// newDatabase makes an empty database and gives its URL.
func newDatabase(tb testing.TB) string {
	tb.Helper()
	pattern := os.Getenv(clusterEnv)
	named := func(name string) string { return strings.Replace(pattern, "%25s", name, 1) }
	conn := connect(tb, named("postgres"))
	name := fmt.Sprintf("t%d", time.Now().UnixNano())
	if _, err := conn.Exec(tb.Context(), "CREATE DATABASE "+name); err != nil {
		tb.Fatal(err)
	}
	return named(name)
}

func connect(tb testing.TB, url string) *pgx.Conn {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close(context.WithoutCancel(tb.Context())) })
	return conn
}

func open(t *testing.T, url string) *Store {
	t.Helper()
	s, err := Open(t.Context(), url, Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestServersThatStartTogetherMigrateOnce(t *testing.T) {
	url := newDatabase(t)
	var wait sync.WaitGroup
	for range 8 {
		s := open(t, url)
		wait.Go(func() {
			if err := s.Migrate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	var applied int
	if err := connect(t, url).QueryRow(t.Context(), "SELECT count(*) FROM schema_migration").Scan(&applied); err != nil {
		t.Fatal(err)
	}
	if list, err := migrations(); err != nil || applied != len(list) {
		t.Errorf("%d migrations applied of %d (%v)", applied, len(list), err)
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	url := newDatabase(t)
	if err := open(t, url).Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := connect(t, url).Exec(t.Context(), "INSERT INTO schema_migration (version, name) VALUES (999, 'future')"); err != nil {
		t.Fatal(err)
	}
	s := open(t, url)
	err := s.Prepare(t.Context(), func(error) {})
	var newer NewerSchemaError
	if !errors.As(err, &newer) || newer.Have != 999 {
		t.Errorf("%v", err)
	}
	if err := s.Ready(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("ready: %v", err)
	}
}

func TestFailedMigrationLeavesNothing(t *testing.T) {
	url := newDatabase(t)
	// One of the first migration's tables is in the way.
	if _, err := connect(t, url).Exec(t.Context(), "CREATE TABLE event (x int)"); err != nil {
		t.Fatal(err)
	}
	if err := open(t, url).Prepare(t.Context(), func(error) {}); err == nil || errors.Is(err, ErrUnavailable) {
		t.Fatalf("%v", err)
	}
	var tables int
	if err := connect(t, url).QueryRow(t.Context(), "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").Scan(&tables); err != nil {
		t.Fatal(err)
	}
	if tables != 1 {
		t.Errorf("%d tables are left, want the one that was in the way", tables)
	}
}

func TestConnectionsAreDurable(t *testing.T) {
	s := open(t, newDatabase(t)+"&synchronous_commit=off")
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := s.read(t.Context(), "asking", func(tx pgx.Tx) error {
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
		coded("57P01"):           true, // stopping
		coded("57P03"):           true, // starting
		coded("53100"):           true, // disk full
		coded("53300"):           true, // too many connections
		coded("25006"):           true, // a standby
		coded("40P01"):           true, // deadlock
		coded("23505"):           false,
		coded("22021"):           false, // NUL in a text
		coded("28P01"):           false, // wrong password
		coded("42P01"):           false, // no such table
		context.DeadlineExceeded: true,
		ErrHostEnrolled:          false,
		ErrNotFound:              false,
	} {
		got := classify("testing", err)
		if errors.Is(got, ErrUnavailable) != unavailable || !errors.Is(got, err) {
			t.Errorf("%v became %v", err, got)
		}
	}
	if classify("testing", nil) != nil {
		t.Error("no error became one")
	}
}

// What the contract allows fits the columns: the largest values of every field.
func TestLargestEventComesBack(t *testing.T) {
	s := open(t, newDatabase(t))
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	host := addHost(t, s)
	most, share, seconds := int64(api.MaxCount), 100.0, float64(api.MaxIntervalSec)
	interval, memory := int64(api.MaxIntervalSec), int64(1)<<50
	e := api.Event{
		MachineID: strings.Repeat("ä", api.MaxMachineIDBytes/2), Timestamp: time.Date(2100, 1, 1, 0, 0, 0, 123456000, time.UTC),
		KeyCount: most, MouseClicks: most, MouseDistancePx: most, ScrollCount: most, SyntheticCount: &most,
		ActiveWindow: strings.Repeat("\x01", api.MaxTextBytes), ActiveApp: strings.Repeat("'", api.MaxAppBytes),
		CPUPercent: &share, RAMUsedPercent: &share, DiskUsedPercent: &share, UserCPUPercent: &share, UserRAMBytes: &memory,
		IntervalSec: &interval, ActiveSeconds: &seconds, SessionKind: api.SessionVirtual, DistanceUnit: api.UnitDevice, Username: strings.Repeat("u", api.MaxAppBytes),
	}
	for i := range api.MaxFocus {
		e.Focus = append(e.Focus, api.Focus{App: fmt.Sprintf("%d\\\"", i), Title: strings.Repeat("\x1f", api.MaxTextBytes), Seconds: seconds})
	}
	for _, want := range []Written{{Accepted: 1}, {Duplicates: 1}} {
		got, err := s.WriteEvents(t.Context(), Batch{Host: host, Events: []api.Event{e}})
		if err != nil || got.Accepted != want.Accepted || got.Duplicates != want.Duplicates || len(got.Foreign) != 0 {
			t.Fatalf("%+v %v, want %+v", got, err, want)
		}
	}
	page, err := s.Events(t.Context(), Scope{}, e.MachineID, e.Timestamp, e.Timestamp.Add(time.Microsecond), 10)
	if err != nil || len(page.Events) != 1 || page.More {
		t.Fatalf("%d events, %v", len(page.Events), err)
	}
	if got, want := fmt.Sprintf("%+v", deref(page.Events[0])), fmt.Sprintf("%+v", deref(e)); got != want {
		t.Errorf("got  %.300s\nwant %.300s", got, want)
	}
	spans, err := s.Activity(t.Context(), Scope{}, e.MachineID, []time.Time{e.Timestamp, e.Timestamp.Add(time.Hour)}, 5)
	if err != nil || spans[0].KeyCount != most || spans[0].ActiveSeconds != seconds || len(spans[0].Apps) != 5 {
		t.Errorf("%+v, %v", spans, err)
	}
}

// A page ends early rather than hold too much.
func TestPageIsBoundedInBytes(t *testing.T) {
	s := open(t, newDatabase(t))
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	host := addHost(t, s)
	start := time.Date(2024, 1, 15, 0, 0, 0, 0, time.UTC)
	var focus []api.Focus
	for range api.MaxFocus {
		// Six times as long in JSON.
		focus = append(focus, api.Focus{App: "a", Title: strings.Repeat("\x01", api.MaxTextBytes), Seconds: 1})
	}
	const n = 50
	var events []api.Event
	for i := range n {
		events = append(events, api.Event{MachineID: "m", Timestamp: start.Add(time.Duration(i) * time.Minute), Focus: focus})
	}
	if _, err := s.WriteEvents(t.Context(), Batch{Host: host, Events: events}); err != nil {
		t.Fatal(err)
	}
	page, err := s.Events(t.Context(), Scope{}, "m", start, start.Add(time.Hour), n)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(page.Events)
	if err != nil {
		t.Fatal(err)
	}
	if largest := 7 * api.MaxFocus * api.MaxTextBytes; !page.More || len(text) > maxPageBytes+largest || len(text) < maxPageBytes/2 {
		t.Errorf("%d events of %d bytes, more %v", len(page.Events), len(text), page.More)
	}
}

// deref makes two events comparable by their printed form.
func deref(e api.Event) map[string]any {
	return map[string]any{
		"id": e.MachineID, "ts": e.Timestamp, "counts": []int64{e.KeyCount, e.MouseClicks, e.MouseDistancePx, e.ScrollCount, *e.SyntheticCount},
		"texts": []string{e.ActiveApp, e.ActiveWindow, e.Username, string(e.SessionKind), string(e.DistanceUnit)}, "focus": e.Focus,
		"shares": []float64{*e.CPUPercent, *e.RAMUsedPercent, *e.DiskUsedPercent, *e.UserCPUPercent, *e.ActiveSeconds},
		"rest":   []int64{*e.UserRAMBytes, *e.IntervalSec},
	}
}

func addHost(tb testing.TB, s *Store) int64 {
	tb.Helper()
	e := Enrollment{ID: "enr", Kind: api.EnrollHost, UsesLeft: 1, ExpiresAt: time.Now().Add(time.Hour)}
	if err := s.AddEnrollment(tb.Context(), e, []byte{1}); err != nil {
		tb.Fatal(err)
	}
	err := s.Enroll(tb.Context(), EnrollRequest{
		Kind:    api.EnrollHost,
		TokenID: "enr", TokenMatches: func([]byte) bool { return true }, HostID: "h", CredentialID: "cred", CredentialHash: []byte{1},
	})
	if err != nil {
		tb.Fatal(err)
	}
	h, _, err := s.HostByCredential(tb.Context(), "cred")
	if err != nil {
		tb.Fatal(err)
	}
	return h.Key
}
