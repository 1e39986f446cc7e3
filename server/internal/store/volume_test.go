package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"activity-tracker.example/server/api"
)

// openAt opens a store whose clock stands still.
func openAt(t *testing.T, url string, keep Retention, now time.Time) *Store {
	t.Helper()
	s, err := Open(t.Context(), url, Options{Keep: keep, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func ask[T any](t *testing.T, url, sql string) T {
	t.Helper()
	var v T
	if err := connect(t, url).QueryRow(t.Context(), sql).Scan(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// someEvent is an event with any fields; small times and names, so that much
// meets in one roll-up.
func someEvent(r *rand.Rand, now time.Time) api.Event {
	e := api.Event{
		MachineID: fmt.Sprintf("m%d", r.IntN(6)), Timestamp: now.Add(-time.Duration(r.IntN(200)) * time.Minute),
		KeyCount: int64(r.IntN(3)), MouseClicks: int64(r.IntN(2)), ScrollCount: int64(r.IntN(2)), IsIdle: r.IntN(3) == 0,
		ActiveApp: fmt.Sprintf("app%d", r.IntN(4)), ActiveWindow: fmt.Sprintf("title %d", r.IntN(9)),
	}
	if r.IntN(2) == 0 {
		seconds := float64(r.IntN(70_000)) / 1000
		e.ActiveSeconds = &seconds
	}
	for range r.IntN(3) {
		e.Focus = append(e.Focus, api.Focus{App: fmt.Sprintf("app%d", r.IntN(5)), Title: "t", Seconds: r.Float64() * 60})
	}
	return e
}

// Duplicates, late events, two servers and many calls at once leave roll-ups as
// their events say, and every event is answered for.
func TestRollupsAreExact(t *testing.T) {
	url := newDatabase(t)
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	stores := []*Store{openAt(t, url, Retention{}, now), openAt(t, url, Retention{}, now)}
	host := addHost(t, stores[0])
	var mu sync.Mutex
	accepted, duplicates, sent := 0, 0, 0
	var wait sync.WaitGroup
	for worker := range 8 {
		wait.Go(func() {
			r := rand.New(rand.NewPCG(uint64(worker), 1))
			for range 20 {
				var events []api.Event
				for range 1 + r.IntN(30) {
					events = append(events, someEvent(r, now))
				}
				w, err := stores[worker%2].WriteEvents(t.Context(), Batch{Host: host, Events: events})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				accepted, duplicates, sent = accepted+w.Accepted, duplicates+w.Duplicates, sent+len(events)
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	if n := ask[int](t, url, "SELECT count(*) FROM event"); n != accepted || accepted+duplicates != sent {
		t.Errorf("%d events, %d accepted and %d duplicates of %d", n, accepted, duplicates, sent)
	}
	check := func(repair bool, wrong int) {
		t.Helper()
		c, err := stores[0].CheckRollups(t.Context(), repair)
		if err != nil || c.Wrong != wrong || c.Events != accepted || c.Machines != 6 || c.Rollups == 0 {
			t.Errorf("%+v %v, want %d wrong", c, err, wrong)
		}
	}
	check(false, 0)
	conn := connect(t, url)
	for _, sql := range []string{
		"UPDATE rollup SET app_ms[1] = app_ms[1] + 1 WHERE (machine, bucket) = (SELECT machine, bucket FROM rollup WHERE cardinality(apps) > 0 ORDER BY 1, 2 LIMIT 1)",
		"DELETE FROM rollup WHERE (machine, bucket) = (SELECT machine, bucket FROM rollup ORDER BY 1 DESC, 2 LIMIT 1)",
		"INSERT INTO rollup SELECT bucket - interval '7 days', machine, 1, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, '{}', '{}' FROM rollup LIMIT 1",
	} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		repair bool
		wrong  int
	}{{false, 3}, {true, 3}, {false, 0}} {
		c, err := stores[1].CheckRollups(t.Context(), step.repair)
		if err != nil || c.Wrong != step.wrong || c.Repaired != step.repair {
			t.Errorf("%+v: %+v %v", step, c, err)
		}
	}
}

// Several servers make the partitions that events need; a host with wrong
// timestamps can't make many.
func TestPartitionsOnDemand(t *testing.T) {
	url := newDatabase(t)
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	keep := Retention{Events: 400 * 24 * time.Hour, Titles: 400 * 24 * time.Hour, Rollups: 400 * 24 * time.Hour}
	stores := []*Store{openAt(t, url, keep, now), openAt(t, url, keep, now)}
	host := addHost(t, stores[0])
	var wait sync.WaitGroup
	for i := range 4 {
		wait.Go(func() {
			var events []api.Event
			for day := 0; now.AddDate(0, 0, -day).Year() >= 2000; day += 5 {
				events = append(events, api.Event{MachineID: fmt.Sprintf("m%d", i), Timestamp: now.AddDate(0, 0, 1-day), ActiveWindow: "w"})
			}
			w, err := stores[i%2].WriteEvents(t.Context(), Batch{Host: host, Events: events})
			// On a busy machine so many take longer than a group may; what was
			// made stays.
			for tries := 0; errors.Is(err, ErrUnavailable) && tries < 5; tries++ {
				w, err = stores[i%2].WriteEvents(t.Context(), Batch{Host: host, Events: events})
			}
			if err != nil || w.Accepted != len(events) {
				t.Errorf("%+v, %v", w, err)
			}
		})
	}
	wait.Wait()
	const partitions = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'event'::regclass"
	if n := ask[int](t, url, partitions); n < 60 || n > 71 {
		t.Errorf("%d partitions of events", n)
	}
	if n := ask[int](t, url, "SELECT count(*) FROM event_default WHERE ts >= '2025-04-05'"); n != 0 {
		t.Errorf("%d newer events are in the default partition", n)
	}
	// More is kept now: times whose rows are in the default partition stay there.
	keep.Events, keep.Titles, keep.Rollups = 0, 0, 0
	later := openAt(t, url, keep, now)
	w, err := later.WriteEvents(t.Context(), Batch{Host: host, Events: []api.Event{{MachineID: "m0", Timestamp: now.AddDate(-2, 0, 0).Add(time.Second), ActiveWindow: "other"}}})
	if err != nil || w.Accepted != 1 {
		t.Errorf("%+v, %v", w, err)
	}
	if _, err := later.Maintain(t.Context()); err != nil {
		t.Error(err)
	}
	if c, err := later.CheckRollups(t.Context(), false); err != nil || c.Wrong != 0 {
		t.Errorf("%+v, %v", c, err)
	}
}

// Each kind of data goes at its own time, whichever server sees to it.
func TestRetention(t *testing.T) {
	url := newDatabase(t)
	const day = 24 * time.Hour
	written := time.Date(2026, 1, 14, 12, 0, 0, 0, time.UTC)
	keep := Retention{Events: 100 * day, Titles: 40 * day, Rollups: 300 * day}
	s := openAt(t, url, keep, written)
	host := addHost(t, s)
	e := api.Event{MachineID: "m", Timestamp: written, KeyCount: 7, ActiveApp: "a", ActiveWindow: "secret title"}
	ancient := e
	ancient.Timestamp = written.AddDate(-10, 0, 0)
	if w, err := s.WriteEvents(t.Context(), Batch{Host: host, Events: []api.Event{e, ancient}}); err != nil || w.Accepted != 2 {
		t.Fatalf("%+v, %v", w, err)
	}
	look := func(s *Store) (events int, title string, keys int64) {
		t.Helper()
		page, err := s.Events(t.Context(), Scope{}, "m", ancient.Timestamp, written.Add(time.Hour), 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			title += e.ActiveWindow
		}
		spans, err := s.Activity(t.Context(), Scope{}, "m", []time.Time{written.Truncate(day), written.Truncate(day).Add(day)}, 1)
		if err != nil {
			t.Fatal(err)
		}
		return len(page.Events), title, spans[0].KeyCount
	}
	for _, step := range []struct {
		after  time.Duration
		events int
		title  string
		keys   int64
	}{
		// The ancient one's title was not kept at all, and it goes at once.
		{0, 1, "secret title", 7},
		{90 * day, 1, "", 7},
		{110 * day, 0, "", 7},
		{350 * day, 0, "", 0},
	} {
		later := openAt(t, url, keep, written.Add(step.after))
		if _, err := later.Maintain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if events, title, keys := look(later); events != step.events || title != step.title || keys != step.keys {
			t.Errorf("after %v: %d events, title %q, %d keys; want %+v", step.after, events, title, keys, step)
		}
		if c, err := later.CheckRollups(t.Context(), false); err != nil || c.Wrong != 0 {
			t.Errorf("after %v: %+v, %v", step.after, c, err)
		}
	}
}

// Neither asking nor writing reads a whole partition, where planning knows how
// large they are.
func TestNoPartitionIsReadWhole(t *testing.T) {
	url := newDatabase(t)
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	s := openAt(t, url, Retention{}, now)
	host := addHost(t, s)
	for m := range 20 {
		var events []api.Event
		for i := range 1000 {
			events = append(events, api.Event{
				MachineID: fmt.Sprintf("m%d", m), Timestamp: now.Add(-time.Duration(i*20) * time.Minute), ActiveApp: "a", ActiveWindow: fmt.Sprint(i),
			})
		}
		if w, err := s.WriteEvents(t.Context(), Batch{Host: host, Events: events}); err != nil || w.Accepted != len(events) {
			t.Fatalf("%+v, %v", w, err)
		}
	}
	s.Close()
	if _, err := connect(t, url).Exec(t.Context(), "VACUUM ANALYZE"); err != nil {
		t.Fatal(err)
	}
	const scans = `SELECT coalesce(sum(seq_scan), 0)::int FROM pg_stat_user_tables
		WHERE (relname LIKE 'event%' OR relname LIKE 'rollup%') AND relname NOT LIKE '%default'`
	const found = `SELECT coalesce(sum(idx_scan), 0)::int FROM pg_stat_user_tables WHERE relname LIKE 'event_2%'`
	before, foundBefore := ask[int](t, url, scans), ask[int](t, url, found)
	again := openAt(t, url, Retention{}, now)
	for i := range 10 {
		machine, from := fmt.Sprintf("m%d", i), now.AddDate(0, 0, -i).Truncate(time.Hour)
		if page, err := again.Events(t.Context(), Scope{}, machine, from.Add(-24*time.Hour), from, 1000); err != nil || len(page.Events) == 0 {
			t.Fatalf("%d events, %v", len(page.Events), err)
		}
		if _, err := again.Activity(t.Context(), Scope{}, machine, []time.Time{from.Add(-24 * time.Hour), from}, 5); err != nil {
			t.Fatal(err)
		}
		e := api.Event{MachineID: machine, Timestamp: from.Add(time.Second), ActiveApp: "a", ActiveWindow: "5"}
		if w, err := again.WriteEvents(t.Context(), Batch{Host: host, Events: []api.Event{e}}); err != nil || w.Accepted != 1 {
			t.Fatalf("%+v, %v", w, err)
		}
	}
	// A connection tells what it did when it ends.
	again.Close()
	for deadline := time.Now().Add(20 * time.Second); ask[int](t, url, found) == foundBefore; {
		if time.Now().After(deadline) {
			t.Fatal("PostgreSQL's statistics show no use of the events' key")
		}
	}
	if after := ask[int](t, url, scans); after != before {
		t.Errorf("%d partitions were read whole: %s", after-before, ask[string](t, url, `SELECT string_agg(format('%s %s of %s rows', relname, seq_scan, n_live_tup), ', ')
			FROM pg_stat_user_tables WHERE seq_scan > 0`))
	}
}

// Calls that come together share a write; a batch that the database refuses
// fails alone.
func TestGroupCommit(t *testing.T) {
	entered, proceed := make(chan int, 100), make(chan struct{})
	refused := errors.New("refused")
	g := newGroup(func(_ context.Context, batches []Batch) ([]Written, error) {
		entered <- len(batches)
		<-proceed
		done := make([]Written, len(batches))
		for i, b := range batches {
			if b.Host < 0 {
				return nil, refused
			}
			done[i].Accepted = int(b.Host)
		}
		return done, nil
	})
	var wait sync.WaitGroup
	send := func(ctx context.Context, host int64, events int, want error) {
		wait.Go(func() {
			w, err := g.do(ctx, Batch{Host: host, Events: make([]api.Event, events)})
			if !errors.Is(err, want) || err == nil && w.Accepted != int(host) {
				t.Errorf("batch of host %d: %+v, %v", host, w, err)
			}
		})
	}
	queued := func(n int) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); ; {
			g.mu.Lock()
			have := len(g.queue)
			g.mu.Unlock()
			if have == n {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d wait, want %d", have, n)
			}
		}
	}
	for i := range leadersMax {
		send(t.Context(), int64(i+1), 1+i*leaderEvents, nil)
		if n := <-entered; n != 1 {
			t.Fatalf("%d in the first group", n)
		}
	}
	gone, leave := context.WithCancel(t.Context())
	send(t.Context(), 10, 1, nil)
	queued(1)
	send(t.Context(), -1, 1, refused)
	queued(2)
	send(gone, 12, 1, context.Canceled)
	queued(3)
	leave()
	queued(2)
	if _, err := g.do(t.Context(), Batch{Host: 13, Events: make([]api.Event, queuedEvents)}); !errors.Is(err, errQueueFull) || !errors.Is(err, ErrUnavailable) {
		t.Errorf("too many events: %v", err)
	}
	send(t.Context(), 14, 1, nil)
	queued(3)
	close(proceed)
	wait.Wait()
	close(entered)
	var sizes []int
	for n := range entered {
		sizes = append(sizes, n)
	}
	// Three together, and then one by one.
	if got := fmt.Sprint(sizes); got != "[3 1 1 1]" {
		t.Errorf("groups of %s", got)
	}
	if g.leaders != 0 || g.queued != 0 || len(g.queue) != 0 {
		t.Errorf("left: %d leaders, %d events", g.leaders, g.queued)
	}
}

// A revoked credential writes nothing, and its neighbours' batches are stored.
// Rows that are no longer what was remembered of them are made again.
func TestWriteLooksAgain(t *testing.T) {
	url := newDatabase(t)
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	s := openAt(t, url, Retention{}, now)
	host := addHost(t, s)
	batch := func(credential string, minute int) Batch {
		return Batch{Host: host, Credential: credential, Events: []api.Event{{
			MachineID: "m" + credential, Timestamp: now.Add(time.Duration(minute) * time.Minute), ActiveApp: "a", ActiveWindow: "w",
		}}}
	}
	if _, err := s.WriteEvents(t.Context(), batch("gone", 0)); !errors.Is(err, ErrRevoked) || errors.Is(err, ErrUnavailable) {
		t.Errorf("revoked: %v", err)
	}
	var members []*waiter
	for i, credential := range []string{"cred", "gone", "cred"} {
		members = append(members, &waiter{batch: batch(credential, i), result: make(chan outcome, 1)})
	}
	s.group.writeAll(t.Context(), members)
	for i, m := range members {
		out := <-m.result
		if refused := i == 1; errors.Is(out.err, ErrRevoked) != refused || !refused && out.written.Accepted != 1 {
			t.Errorf("batch %d: %+v", i, out)
		}
	}
	if _, err := connect(t, url).Exec(t.Context(), "DELETE FROM event; DELETE FROM rollup; DELETE FROM machine"); err != nil {
		t.Fatal(err)
	}
	if w, err := s.WriteEvents(t.Context(), batch("cred", 0)); err != nil || w.Accepted != 1 {
		t.Errorf("after the machines were gone: %+v, %v", w, err)
	}
	if c, err := s.CheckRollups(t.Context(), false); err != nil || c.Wrong != 0 || c.Machines != 1 {
		t.Errorf("%+v, %v", c, err)
	}
}

func printed(t *testing.T, e api.Event) string {
	t.Helper()
	return strings.Join([]string{
		fmt.Sprint(e.Timestamp, e.KeyCount, e.MouseClicks, e.MouseDistancePx, e.ScrollCount, e.IsIdle, e.SessionKind, e.DistanceUnit, e.Focus),
		said(e.CPUPercent), said(e.RAMUsedPercent), said(e.DiskUsedPercent), said(e.ActiveSeconds), said(e.UserCPUPercent),
		said(e.IntervalSec), said(e.SyntheticCount), said(e.UserRAMBytes), said(e.Connected),
	}, " ")
}

func said[T any](p *T) string {
	if p == nil {
		return "-"
	}
	return fmt.Sprint(*p)
}
