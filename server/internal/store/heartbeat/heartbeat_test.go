package heartbeat_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"activity-tracker.example/server/internal/store/heartbeat"
	"activity-tracker.example/server/internal/store/storetest"
)

var began = time.Date(2026, time.November, 30, 10, 0, 0, 0, time.UTC)

// clock is a server with a clock of its own on a database.
type clock struct {
	*storetest.Store

	at time.Time
}

func openClock(t *testing.T, url string) *clock {
	t.Helper()
	c := &clock{at: began}
	c.Store = storetest.Prepared(t, url, storetest.Options{Now: func() time.Time { return c.at }})
	return c
}

func (c *clock) write(t *testing.T) {
	t.Helper()
	if err := c.Heartbeats.Write(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// kept is what the database has of all hosts.
func kept(t *testing.T, url string) string {
	t.Helper()
	return storetest.Ask[string](t, url, `SELECT coalesce(string_agg(format('%s %s %s %s %s', to_char(contact_at AT TIME ZONE 'UTC', 'HH24:MI'),
		coalesce(to_char(upload_at AT TIME ZONE 'UTC', 'HH24:MI'), 'never'), coalesce(quote_literal(agent_version), '?'), coalesce(clock_offset::text, '?'),
		coalesce('[' || unseen || ']', '?')), '; ' ORDER BY host), '') FROM host_heartbeat`)
}

// A host that reports the same is written each five minutes, and at once what is new.
func TestWrittenSeldomOrWhenNew(t *testing.T) {
	url := storetest.NewDatabase(t)
	s := openClock(t, url)
	host := storetest.AddHost(t, s.Store)
	report := heartbeat.Report{Version: "1.2", ClockOffset: new(int64(-3)), Unseen: []string{"focus_missing", "lock_unknown"}}
	for minute, step := range []struct {
		do   func()
		want string
	}{
		{func() { s.Heartbeats.Uploaded(host) }, "10:00 10:00 ? ? ?"},
		{func() { s.Heartbeats.Reported(host, report) }, "10:01 10:00 '1.2' -3 [focus_missing,lock_unknown]"},
		{func() { s.Heartbeats.Reported(host, report) }, "10:01 10:00 '1.2' -3 [focus_missing,lock_unknown]"},
		{func() { s.Heartbeats.Uploaded(host) }, "10:01 10:00 '1.2' -3 [focus_missing,lock_unknown]"},
		{func() { report.ClockOffset = new(int64(-2)); s.Heartbeats.Reported(host, report) }, "10:01 10:00 '1.2' -3 [focus_missing,lock_unknown]"},
		{func() { s.Heartbeats.Uploaded(host) }, "10:01 10:00 '1.2' -3 [focus_missing,lock_unknown]"},
		{func() { s.Heartbeats.Uploaded(host) }, "10:06 10:06 '1.2' -3 [focus_missing,lock_unknown]"},
		{func() { report.Unseen = nil; s.Heartbeats.Reported(host, report) }, "10:06 10:06 '1.2' -3 [focus_missing,lock_unknown]"},
		{func() { report.Unseen = []string{}; s.Heartbeats.Reported(host, report) }, "10:08 10:06 '1.2' -3 []"},
		{func() { report.ClockOffset = new(int64(90)); s.Heartbeats.Reported(host, report) }, "10:09 10:06 '1.2' 90 []"},
		{func() { report.Version = "1.3"; s.Heartbeats.Reported(host, report) }, "10:10 10:06 '1.3' 90 []"},
		{func() { s.Heartbeats.Reported(host, heartbeat.Report{}) }, "10:11 10:06 '' 90 []"},
	} {
		s.at = began.Add(time.Duration(minute) * time.Minute)
		step.do()
		s.write(t)
		if got := kept(t, url); got != step.want {
			t.Errorf("minute %d: kept is %s, want %s", minute, got, step.want)
		}
	}
	// Of an agent that reports nothing, what one before it reported does not hold.
	list, err := s.Hosts(t.Context())
	if err != nil || len(list) != 1 || list[0].AgentVersion != "" || list[0].ClockOffset != nil || list[0].Unseen != nil || list[0].LastUpload == nil {
		t.Errorf("%+v, %v", list, err)
	}
}

// What the database does not take is written later; a host that it has no more hinders none.
func TestTriedAgain(t *testing.T) {
	url := storetest.NewDatabase(t)
	s := openClock(t, url)
	host := storetest.AddHost(t, s.Store)
	s.Heartbeats.Uploaded(host)
	s.Heartbeats.Uploaded(host + 1)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Heartbeats.Write(ended); err == nil || kept(t, url) != "" {
		t.Fatalf("%v, kept is %s", err, kept(t, url))
	}
	// A server ends with what it has.
	if err := s.Heartbeats.Run(ended, slog.New(slog.DiscardHandler)); err != nil || kept(t, url) != "10:00 10:00 ? ? ?" {
		t.Errorf("%v, kept is %s", err, kept(t, url))
	}
}

// Of two servers the later word counts, whichever writes last.
func TestTwoServers(t *testing.T) {
	url := storetest.NewDatabase(t)
	one, two := openClock(t, url), openClock(t, url)
	host := storetest.AddHost(t, one.Store)
	one.Heartbeats.Uploaded(host)
	two.at = began.Add(time.Minute)
	two.Heartbeats.Reported(host, heartbeat.Report{Version: "1.2", Unseen: []string{}})
	two.write(t)
	one.write(t)
	if got, want := kept(t, url), "10:01 10:00 '1.2' ? []"; got != want {
		t.Errorf("kept is %s, want %s", got, want)
	}
}

// A host has an older agent than the newest one of those that are in use.
func TestOutdated(t *testing.T) {
	url := storetest.NewDatabase(t)
	s := storetest.Prepared(t, url, storetest.Options{})
	conn := storetest.Connect(t, url)
	for i, version := range []string{"1.9", "1.10", "2.0", "development"} {
		var host int64
		err := conn.QueryRow(t.Context(), "INSERT INTO host (host_id, hostname, enrolled_at, enrollment) VALUES ($1, $1, now(), '') RETURNING id", fmt.Sprint("h", i)).Scan(&host)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), "INSERT INTO host_credential (id, host, secret_hash, created_at) VALUES ($1, $2, '', now())", fmt.Sprint("c", i), host); err != nil {
			t.Fatal(err)
		}
		s.Heartbeats.Reported(host, heartbeat.Report{Version: version})
	}
	if err := s.Heartbeats.Write(t.Context()); err != nil {
		t.Fatal(err)
	}
	outdated := func() (got string) {
		t.Helper()
		list, err := s.Hosts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i := range list {
			if list[i].AgentOutdated {
				got += " " + list[i].AgentVersion
			}
		}
		return got
	}
	if got := outdated(); got != " 1.9 1.10" {
		t.Errorf("older than 2.0 are%s", got)
	}
	for i, gone := range []string{
		"UPDATE host_heartbeat SET contact_at = now() - interval '31 days' WHERE agent_version = '2.0'",
		"UPDATE host_heartbeat SET contact_at = now() WHERE agent_version = '2.0'",
		"DELETE FROM host_credential WHERE id = 'c2'", // it was revoked
	} {
		if _, err := conn.Exec(t.Context(), gone); err != nil {
			t.Fatal(err)
		}
		if got, want := outdated(), []string{" 1.9", " 1.9 1.10", " 1.9"}[i]; got != want {
			t.Errorf("after %s: outdated are%s, want%s", gone, got, want)
		}
	}
}
