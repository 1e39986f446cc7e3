package db_test

import (
	"errors"
	"os"
	osexec "os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/pgtest"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/storetest"
)

// copyData copies a stopped cluster's data, with owners.
func copyData(t *testing.T, from, to string) {
	t.Helper()
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	if out, err := osexec.CommandContext(t.Context(), "cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// PostgreSQL's files go back to a copy of some time ago, as with a snapshot, a base
// backup or a standby that was promoted too early, and the numbers of rows that
// are gone are given to others. A server that lived on mixes nothing up.
func TestFilesGoBack(t *testing.T) {
	c := pgtest.Start(t)
	now := time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)
	s := storetest.OpenAt(t, c.URL("postgres"), partition.Retention{}, now)
	other := storetest.OpenAt(t, c.URL("postgres"), partition.Retention{}, now)
	host := storetest.AddHost(t, s)
	event := func(machine string, minute int) []api.Event {
		return []api.Event{{MachineID: machine, Timestamp: now.Add(time.Duration(minute) * time.Minute), ActiveApp: "app of " + machine, ActiveWindow: "title of " + machine}}
	}
	// Connections may have ended with PostgreSQL: a host tries again.
	write := func(s *storetest.Store, machine string, minute int) {
		t.Helper()
		w, err := s.WriteEvents(t.Context(), storetest.Batch{Host: host, Events: event(machine, minute)})
		if err != nil {
			w, err = s.WriteEvents(t.Context(), storetest.Batch{Host: host, Events: event(machine, minute)})
		}
		if err != nil || w.Accepted != 1 {
			t.Fatalf("%+v, %v", w, err)
		}
	}
	write(s, "first", 0)
	dir := filepath.Dir(c.Socket())
	data, backup := filepath.Join(dir, "data"), filepath.Join(dir, "copy")
	c.Stop(syscall.SIGINT)
	copyData(t, data, backup)
	c.Start()
	write(s, "lost", 0)
	c.Stop(syscall.SIGINT)
	copyData(t, backup, data)
	c.Start()
	write(other, "new", 0)
	write(s, "lost", 1)
	for _, machine := range []string{"new", "lost"} {
		page, err := other.Events(t.Context(), directory.Scope{}, machine, now.Add(-time.Hour), now.Add(time.Hour), 10)
		if err != nil || len(page.Events) != 1 || page.Events[0].ActiveApp != "app of "+machine || page.Events[0].ActiveWindow != "title of "+machine {
			t.Errorf("%s: %+v, %v", machine, page.Events, err)
		}
	}
	storetest.Exact(t, s, 3)
}

// A write that learnt its rows' numbers before the database was replaced does not
// use them after, also where another call noticed it.
func TestReplacedWhileWriting(t *testing.T) {
	s := storetest.OpenAt(t, storetest.NewDatabase(t), partition.Retention{}, time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC))
	since := s.Changes()
	s.SeemRestarted()
	if err := s.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Acquire(t.Context(), since); !errors.Is(err, db.ErrReplaced) {
		t.Fatal(err)
	}
	remembered := false
	s.RememberSince(since, func() { remembered = true })
	if remembered {
		t.Error("what was learnt before is remembered")
	}
	conn, err := s.Acquire(t.Context(), s.Changes())
	if err != nil {
		t.Fatal(err)
	}
	conn.Release()
}
