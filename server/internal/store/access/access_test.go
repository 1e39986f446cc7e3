package access_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/storetest"
)

// bench is the access log of a database, and a clock for it.
type bench struct {
	*access.Log
	t     *testing.T
	url   string
	conn  *pgx.Conn
	clock atomic.Int64
}

var begin = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, url: storetest.NewDatabase(t)}
	b.conn = storetest.Connect(t, b.url)
	b.Log = b.server()
	return b
}

// server returns the access log as another server has it.
func (b *bench) server() *access.Log {
	b.t.Helper()
	now := func() time.Time { return begin.Add(time.Duration(b.clock.Load())) }
	return storetest.Prepared(b.t, b.url, storetest.Options{Now: now, Log: slog.New(slog.DiscardHandler)}).Access
}

// at puts the clock forward.
func (b *bench) at(since time.Duration) { b.clock.Store(int64(since)) }

func (b *bench) write(look access.Look) {
	b.t.Helper()
	if err := b.Write(b.t.Context(), look); err != nil {
		b.t.Fatal(err)
	}
}

// of returns who looked at a machine, the oldest first.
func (b *bench) of(machines ...int32) []access.Entry {
	b.t.Helper()
	list, err := b.Of(b.t.Context(), machines, 1<<62, 1000)
	if err != nil {
		b.t.Fatal(err)
	}
	slices.Reverse(list)
	return list
}

func (b *bench) count(table string) (n int) {
	b.t.Helper()
	if err := b.conn.QueryRow(b.t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		b.t.Fatal(err)
	}
	return n
}

func anna() access.Reader { return access.Reader{Kind: access.User, ID: "usr_1", Name: "anna"} }

// look is anna's at these machines' day.
func look(machines ...int32) access.Look {
	return access.Look{Reader: anna(), What: "summary", From: begin, To: begin.AddDate(0, 0, 1), Machines: access.SetOf(machines...)}
}

// What makes a row of its own, and what only moves a row's end.
func TestRepeats(t *testing.T) {
	b := newBench(t)
	for i, test := range []struct {
		name   string
		after  time.Duration
		change func(*access.Look)
		rows   int
	}{
		{"the same at once", 0, func(*access.Look) {}, 1},
		{"the same after 15 minutes", 15 * time.Minute, func(*access.Look) {}, 1},
		{"the same after 16 minutes", 16 * time.Minute, func(*access.Look) {}, 2},
		{"a part of the span", time.Minute, func(l *access.Look) { l.From, l.To = begin.Add(90*time.Minute), begin.Add(100*time.Minute) }, 1},
		{"another span", time.Minute, func(l *access.Look) { l.From, l.To = l.From.AddDate(0, 0, 1), l.To.AddDate(0, 0, 1) }, 2},
		{"no span", time.Minute, func(l *access.Look) { l.From, l.To = time.Time{}, time.Time{} }, 2},
		{"another kind", time.Minute, func(l *access.Look) { l.What = "events" }, 2},
		{"another reader", time.Minute, func(l *access.Look) { l.Reader.Kind = access.Token }, 2},
		{"of another name", time.Minute, func(l *access.Look) { l.Reader.Name = "anne" }, 2},
		{"several machines", time.Minute, func(l *access.Look) { l.Machines = l.Machines.With(access.SetOf(1)) }, 2},
	} {
		b.at(0)
		machine := int32(i*5000 + 7)
		b.write(look(machine))
		again := look(machine)
		test.change(&again)
		b.at(test.after)
		b.write(again)
		got := b.of(machine)
		if len(got) != test.rows {
			t.Errorf("%s: %d rows: %+v", test.name, len(got), got)
			continue
		}
		last := got[len(got)-1]
		if !last.LastAt.Equal(begin.Add(test.after)) || last.Machines != again.Machines.Len() || last.Reader != again.Reader {
			t.Errorf("%s: %+v", test.name, last)
		}
		if len(b.of(machine+1)) != 0 {
			t.Errorf("%s: it is also said of another machine", test.name)
		}
	}
}

// An answer in parts is one row with all of its machines; who is among them, finds it.
func TestSets(t *testing.T) {
	b := newBench(t)
	want := map[int32]bool{}
	for _, machines := range [][]int32{{1}, {2, 3}, {1023, 1024, 1025, 5000, 2_000_000_000}, {3}} {
		l := look(machines...)
		l.Many = true
		b.write(l)
		for _, m := range machines {
			want[m] = true
		}
	}
	if n := b.count("access_log"); n != 1 {
		t.Fatalf("%d rows", n)
	}
	for _, m := range []int32{1, 2, 3, 4, 1022, 1023, 1024, 1025, 1026, 5000, 2_000_000_000} {
		got := b.of(m)
		if (len(got) == 1) != want[m] || len(got) == 1 && got[0].Machines != len(want) {
			t.Errorf("%d: %+v", m, got)
		}
	}
	if got := b.of(1, 2, 4); len(got) != 1 {
		t.Errorf("a row is told twice: %+v", got)
	}
	// Later it takes no more machines, and is repeated by what it has.
	for i := range 20 {
		b.at(time.Duration(i) * time.Minute)
		b.write(look(1, 2, 5000))
	}
	b.write(look(1, 2, 9))
	if got := b.of(9); len(got) != 1 || got[0].Machines != 3 || !got[0].FirstAt.Equal(begin.Add(19*time.Minute)) {
		t.Errorf("%+v", got)
	}
	if got := b.of(2); len(got) != 2 || !got[0].LastAt.Equal(begin.Add(19*time.Minute)) || got[0].Machines != len(want) {
		t.Errorf("%+v", got)
	}
}

// A dashboard that asks all the time makes a row a day, one that asks for the last
// hour one an hour, on two servers together; one that goes through spans some dozens.
func TestGrowth(t *testing.T) {
	b := newBench(t)
	servers := []*access.Log{b.Log, b.server()}
	for i := range 26 * 12 {
		b.at(time.Duration(i) * 5 * time.Minute)
		now := begin.Add(time.Duration(b.clock.Load()))
		whole, sliding, list := look(1), look(2), look(3, 4, 5)
		sliding.From, sliding.To = now.Add(-time.Hour), now
		for _, l := range []access.Look{whole, sliding, list} {
			if err := servers[i%2].Write(t.Context(), l); err != nil {
				t.Fatal(err)
			}
		}
	}
	for machine, rows := range map[int32]int{1: 2, 2: 27, 3: 2} {
		if got := b.of(machine); len(got) != rows {
			t.Errorf("machine %d: %d rows", machine, len(got))
		}
	}
	if n := b.count("access_reader"); n != 1 {
		t.Errorf("%d readers", n)
	}
	for i := range 1000 {
		l := look(6)
		l.From = begin.AddDate(0, 0, i)
		l.To = l.From.Add(time.Hour)
		b.write(l)
	}
	got := b.of(6)
	if len(got) != 64 {
		t.Fatalf("%d rows", len(got))
	}
	newest := got[len(got)-1]
	if newest.From.After(begin.AddDate(0, 0, 63)) || newest.To.Before(begin.AddDate(0, 0, 999)) {
		t.Errorf("it says less than was looked at: %+v", newest)
	}
}

// Looks that come at once share commits, and each is there when its call returns.
func TestManyAtOnce(t *testing.T) {
	b := newBench(t)
	var all sync.WaitGroup
	for i := range 400 {
		all.Go(func() {
			l := look(int32(i%200 + 1))
			l.Reader.ID = fmt.Sprint("usr_", i/200)
			if err := b.Write(t.Context(), l); err != nil {
				t.Error(err)
			}
			list, err := b.Of(t.Context(), []int32{int32(i%200 + 1)}, 1<<62, 10)
			if err != nil || !slices.ContainsFunc(list, func(e access.Entry) bool { return e.Reader == l.Reader }) {
				t.Errorf("%d: %+v %v", i, list, err)
			}
		})
	}
	all.Wait()
	commits := b.commits()
	if commits > 200 {
		t.Errorf("%d commits", commits)
	}
	t.Log(commits, "commits for 400 looks")
	if n := b.count("access_log"); n != 400 {
		t.Errorf("%d rows", n)
	}
}

// commits is how many transactions have written rows of the log.
func (b *bench) commits() (n int) {
	b.t.Helper()
	if err := b.conn.QueryRow(b.t.Context(), "SELECT count(DISTINCT xmin::text) FROM access_log").Scan(&n); err != nil {
		b.t.Fatal(err)
	}
	return n
}

// Nobody looks while it can't be written, also where the same was written in that
// minute by then and the database is another one now.
func TestCannotBeWritten(t *testing.T) {
	b := newBench(t)
	b.write(look(7))
	if _, err := b.conn.Exec(t.Context(), "ALTER TABLE access_log RENAME TO gone"); err != nil {
		t.Fatal(err)
	}
	if err := b.Write(t.Context(), look(8)); err == nil {
		t.Error("it is said to be written")
	}
	if err := b.Write(t.Context(), access.Look{Reader: anna(), What: "summary"}); err != nil {
		t.Errorf("a look at nothing: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Write(ctx, look(9)); err == nil || errors.Is(err, db.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

// What is old is dropped, with its sets and the readers that nothing names any more.
func TestDropBefore(t *testing.T) {
	b := newBench(t)
	b.write(look(1))
	l := look(1, 2)
	l.Reader = access.Reader{Kind: access.Command, ID: "1000", Name: ""}
	b.write(l)
	b.at(48 * time.Hour)
	b.write(look(3))
	dropped, err := b.DropBefore(t.Context(), begin.Add(24*time.Hour))
	if err != nil || dropped != 2 {
		t.Fatal(dropped, err)
	}
	if b.count("access_log") != 1 || b.count("access_set") != 0 || b.count("access_reader") != 1 || len(b.of(3)) != 1 {
		t.Errorf("%d looks, %d sets, %d readers", b.count("access_log"), b.count("access_set"), b.count("access_reader"))
	}
	b.write(l)
	if len(b.of(2)) != 1 {
		t.Error("a reader who was dropped is not written again")
	}
}

// A list is read page by page, from the newest on.
func TestPages(t *testing.T) {
	b := newBench(t)
	for i := range 7 {
		l := look(1)
		if i%2 == 0 {
			l = look(1, 2)
		}
		l.What = fmt.Sprint("kind", i)
		b.write(l)
	}
	var all []string
	for before := int64(1 << 62); ; {
		page, err := b.Of(t.Context(), []int32{1, 2}, before, 3)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			all = append(all, e.What)
			before = e.ID
		}
	}
	if got := fmt.Sprint(all); got != "[kind6 kind5 kind4 kind3 kind2 kind1 kind0]" {
		t.Error(got)
	}
}
