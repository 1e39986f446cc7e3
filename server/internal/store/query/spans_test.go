package query_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/pgtest"
	"activity-tracker.example/server/internal/store/codec"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/query"
	"activity-tracker.example/server/internal/store/rooms"
	"activity-tracker.example/server/internal/store/storetest"
)

// byTitle tells uses of applications called t… apart by whether the title is odd.
func byTitle() query.Classes {
	return query.Classes{
		Of: func(app, title string) int {
			switch {
			case !strings.HasPrefix(app, "t"):
				return 1
			case strings.HasSuffix(title, "odd"):
				return 2
			case title != "":
				return 3
			}
			return 4
		},
		NeedsTitle: func(app string) bool { return strings.HasPrefix(app, "t") },
	}
}

// use is what query.Use has a time of.
type use struct {
	app   string
	class int
}

// times are a use's, in milliseconds.
type times struct{ active, open int64 }

func (t times) plus(o times) times { return times{t.active + o.active, t.open + o.open} }

// usesOf adds up events in the plainest way.
func usesOf(events []api.Event, c query.Classes) map[use]times {
	sum := map[use]times{}
	for _, e := range events {
		list := e.Focus
		if len(list) == 0 {
			list = []api.Focus{{App: e.ActiveApp, Title: e.ActiveWindow, Seconds: 60, ActiveSeconds: new(60.0)}}
		}
		for _, f := range list {
			if f.App != "" {
				k := use{f.App, c.Of(f.App, f.Title)}
				sum[k] = sum[k].plus(times{codec.ToMillis(*f.ActiveSeconds), codec.ToMillis(f.Seconds) - codec.ToMillis(*f.ActiveSeconds)})
			}
		}
	}
	return sum
}

func eventsWithTitles(r *rand.Rand, machine string, from time.Time, n int) []api.Event {
	pick := func() (app, title string) {
		return []string{"tab", "term", "plain", ""}[r.IntN(4)], []string{"1 odd", "2 even", ""}[r.IntN(3)]
	}
	events := make([]api.Event, n)
	for i := range events {
		e := &events[i]
		*e = api.Event{MachineID: machine, Timestamp: from.Add(time.Duration(i) * 7 * time.Minute), KeyCount: r.Int64N(2)}
		e.ActiveApp, e.ActiveWindow = pick()
		for range r.IntN(3) {
			f := api.Focus{Seconds: float64(r.IntN(30_000)) / 1000}
			f.ActiveSeconds = new(float64(r.IntN(int(f.Seconds*1000)+1)) / 1000)
			if f.App, f.Title = pick(); f.App != "" {
				e.Focus = append(e.Focus, f)
			}
		}
	}
	return events
}

// Whatever is told apart, and whether titles are still there, an application's
// classes add up to what its roll-ups say.
func TestUsesAddUpToRollups(t *testing.T) {
	url := storetest.NewDatabase(t)
	now := time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)
	s := storetest.OpenAt(t, url, partition.Retention{}, now)
	host := storetest.AddHost(t, s)
	r := rand.New(rand.NewPCG(7, 8))
	from := now.AddDate(0, 0, -20).Truncate(24 * time.Hour)
	want := map[string]map[use]times{}
	for m := range 3 {
		events := eventsWithTitles(r, fmt.Sprintf("m%d", m), from.Add(-3*time.Hour), 2500)
		if w, err := s.WriteEvents(t.Context(), storetest.Batch{Host: host, Events: events}); err != nil || w.Accepted != len(events) {
			t.Fatalf("%+v, %v", w, err)
		}
		// What is asked for begins after some events and ends before others.
		for events[0].Timestamp.Before(from) {
			events = events[1:]
		}
		for !events[len(events)-1].Timestamp.Before(from.AddDate(0, 0, 10)) {
			events = events[:len(events)-1]
		}
		want[events[0].MachineID] = usesOf(events, byTitle())
	}
	look := func(c query.Classes) []query.MachineUse {
		t.Helper()
		list, more, err := s.AppUse(t.Context(), directory.MachineFilter{Limit: 10}, from, from.AddDate(0, 0, 10), c)
		if err != nil || more || len(list) != 3 {
			t.Fatalf("%d machines, %v, %v", len(list), more, err)
		}
		return list
	}
	check := func() {
		t.Helper()
		for _, m := range look(byTitle()) {
			got := map[use]times{}
			for i, u := range m.Uses {
				got[use{u.App, u.Class}] = times{u.Active, u.Open}
				if i > 0 && u.Active > m.Uses[i-1].Active {
					t.Errorf("%s: %+v comes after less", m.MachineID, u)
				}
			}
			if !reflect.DeepEqual(got, want[m.MachineID]) {
				t.Errorf("%s: %v, want %v", m.MachineID, got, want[m.MachineID])
			}
		}
	}
	check()
	if n, err := s.PackRollups(t.Context()); err != nil || n == 0 {
		t.Fatalf("%d packed, %v", n, err)
	}
	check()
	// Without titles the application alone decides.
	if _, err := storetest.Connect(t, url).Exec(t.Context(), "DELETE FROM title"); err != nil {
		t.Fatal(err)
	}
	for machine, uses := range want {
		anew := map[use]times{}
		for k, of := range uses {
			if k.class > 1 {
				k.class = 4
			}
			anew[k] = anew[k].plus(of)
		}
		want[machine] = anew
	}
	check()
}

// Machines come in pages with their sums, one by one and together the same.
func TestSumsOfManyMachines(t *testing.T) {
	url := storetest.NewDatabase(t)
	now := time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)
	s := storetest.OpenAt(t, url, partition.Retention{}, now)
	host := storetest.AddHost(t, s)
	r := rand.New(rand.NewPCG(9, 10))
	bounds := []time.Time{now.AddDate(0, 0, -9), now.AddDate(0, 0, -8), now.AddDate(0, 0, -8), now.AddDate(0, 0, -2), now}
	for m := range 5 {
		if _, err := s.WriteEvents(t.Context(), storetest.Batch{Host: host, Events: eventsWithTitles(r, fmt.Sprintf("m%d", m), now.AddDate(0, 0, -m*3), 500)}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		var ids []string
		for f := (directory.MachineFilter{Limit: 2}); ; {
			list, err := s.SumMachines(t.Context(), f, bounds)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range list {
				one, err := s.Activity(t.Context(), directory.Scope{}, m.MachineID, bounds, 0)
				if err != nil {
					t.Fatal(err)
				}
				for i := range one {
					if !reflect.DeepEqual(one[i].Sums, m.Sums[i]) {
						t.Errorf("%s: %+v, want %+v", m.MachineID, m.Sums[i], one[i].Sums)
					}
				}
				ids = append(ids, m.MachineID)
			}
			if len(list) < f.Limit {
				break
			}
			f.After = list[len(list)-1].MachineID
		}
		if len(ids) != 5 {
			t.Errorf("machines %v", ids)
		}
		if _, err := s.PackRollups(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.SumMachines(t.Context(), directory.MachineFilter{MachineID: "none", Limit: 2}, bounds); err == nil {
		t.Error("an unknown machine has sums")
	}
}

// No report reads a whole partition, where planning knows how large they are.
func TestReportsReadNoPartitionWhole(t *testing.T) {
	url := storetest.NewDatabase(t)
	now := time.Date(2026, 5, 14, 5, 0, 0, 0, time.UTC) // yesterday is not packed yet
	s := storetest.OpenAt(t, url, partition.Retention{}, now)
	storetest.OnOneNode(t, s)
	host := storetest.AddHost(t, s)
	r := rand.New(rand.NewPCG(11, 12))
	for m := range 40 {
		if _, err := s.WriteEvents(t.Context(), storetest.Batch{Host: host, Events: eventsWithTitles(r, fmt.Sprintf("m%02d", m), now.AddDate(0, 0, -20), 4000)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.PackRollups(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := storetest.Connect(t, url).Exec(t.Context(), "VACUUM ANALYZE"); err != nil {
		t.Fatal(err)
	}
	const scans = `SELECT coalesce(sum(seq_scan), 0)::int FROM pg_stat_user_tables
		WHERE (relname LIKE 'event%' OR relname LIKE 'rollup%') AND relname NOT LIKE '%default'`
	const found = `SELECT coalesce(sum(idx_scan), 0)::int FROM pg_stat_user_tables WHERE relname LIKE 'rollup_day_2%'`
	// A connection tells what it did before it is gone.
	look := storetest.Connect(t, url)
	ended := func() {
		t.Helper()
		pgtest.Await(t, "the store's connections to end", func() bool {
			var gone bool
			err := look.QueryRow(t.Context(), "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1", db.ServerName).Scan(&gone)
			return err == nil && gone
		})
	}
	ended()
	before, foundBefore := storetest.Ask[int](t, url, scans), storetest.Ask[int](t, url, found)
	again := storetest.OpenAt(t, url, partition.Retention{}, now)
	for i := range 5 {
		f := directory.MachineFilter{After: fmt.Sprintf("m%02d", i), Limit: 3}
		if list, err := again.SumMachines(t.Context(), f, []time.Time{now.AddDate(0, 0, -15), now.AddDate(0, 0, -1), now}); err != nil || list[0].Sums[1].Events == 0 {
			t.Fatalf("%+v, %v", list, err)
		}
		if list, err := again.Activity(t.Context(), directory.Scope{}, "m03", []time.Time{now.AddDate(0, 0, -15), now}, 3); err != nil || list[0].Events == 0 {
			t.Fatalf("%+v, %v", list, err)
		}
		if list, _, err := again.AppUse(t.Context(), f, now.AddDate(0, 0, -15), now, byTitle()); err != nil || len(list[0].Uses) == 0 {
			t.Fatalf("%+v, %v", list, err)
		}
	}
	again.Close()
	ended()
	if storetest.Ask[int](t, url, found) == foundBefore {
		t.Error("PostgreSQL's statistics show no use of the packed days' key")
	}
	if after := storetest.Ask[int](t, url, scans); after != before {
		t.Errorf("%d partitions were read whole", after-before)
	}
}

// BenchmarkYear asks for a year of one of 50 machines that ran day and night, by
// day: 35,040 roll-ups, with the last days not yet packed.
func BenchmarkYear(b *testing.B) {
	url := storetest.NewDatabase(b)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s, err := rooms.Open(b.Context(), url, storetest.Options{Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	fillYear(b, s, url, now)
	bounds := []time.Time{}
	for at := now.AddDate(-1, 0, 0); !at.After(now); at = at.AddDate(0, 0, 1) {
		bounds = append(bounds, at)
	}
	measure := func(name string) {
		b.Run("activity/"+name, func(b *testing.B) {
			for b.Loop() {
				if list, err := s.SumMachines(b.Context(), directory.MachineFilter{MachineID: "m7", Limit: 1}, bounds); err != nil || list[0].Sums[0].Events == 0 {
					b.Fatal(list, err)
				}
			}
		})
		b.Run("apps/"+name, func(b *testing.B) {
			for b.Loop() {
				list, _, err := s.AppUse(b.Context(), directory.MachineFilter{MachineID: "m7", Limit: 1}, bounds[0], now, query.Classes{
					Of: func(string, string) int { return 0 }, NeedsTitle: func(string) bool { return false },
				})
				if err != nil || len(list[0].Uses) == 0 {
					b.Fatal(list, err)
				}
			}
		})
	}
	measure("written")
	if _, err := s.PackRollups(b.Context()); err != nil {
		b.Fatal(err)
	}
	if _, err := storetest.Connect(b, url).Exec(b.Context(), "VACUUM ANALYZE"); err != nil {
		b.Fatal(err)
	}
	measure("packed")
	var bytes int64
	if err := storetest.Connect(b, url).QueryRow(b.Context(), `SELECT (sum(pg_total_relation_size(inhrelid)) / (SELECT count(*) FROM rollup_day))::bigint
		FROM pg_inherits WHERE inhparent = 'rollup_day'::regclass`).Scan(&bytes); err != nil {
		b.Fatal(err)
	}
	b.Logf("%d bytes a machine and packed day", bytes)
}

// fillYear writes roll-ups side by side, as machines do.
func fillYear(b *testing.B, s *storetest.Store, url string, now time.Time) {
	b.Helper()
	for at := now.AddDate(-1, 0, 0); at.Before(now); at = at.AddDate(0, 1, 0) {
		if err := s.Partitions.Ensure(b.Context(), partition.Rollups(), at); err != nil {
			b.Fatal(err)
		}
	}
	conn := storetest.Connect(b, url)
	for _, sql := range []string{
		`INSERT INTO app (name) SELECT 'app' || i FROM generate_series(1, 200) i`,
		`INSERT INTO host (host_id, hostname, enrollment) VALUES ('h', 'h', '')`,
		`INSERT INTO machine (machine_id, host, first_seen, last_seen, last_ts, last_interval, last_idle)
			SELECT 'm' || m, 1, now(), now(), now(), 60, false FROM generate_series(1, 50) m`,
		`INSERT INTO rollup SELECT b, m, 15, random()*500, random()*100, random()*20000, random()*100, 0, random()*900000, random()*90000,
				b + interval '10 s', b + interval '14 min', ARRAY[1 + (random()*50)::int, 60 + (random()*50)::int, 120 + (random()*50)::int],
				ARRAY[(random()*300000)::int, (random()*300000)::int, (random()*300000)::int]
			FROM generate_series('2025-01-01'::timestamptz, '2025-12-31 23:45', interval '15 min') b
			CROSS JOIN LATERAL (SELECT m FROM generate_series(1, 50) m WHERE b IS NOT NULL OFFSET 0) g`,
		"VACUUM ANALYZE",
	} {
		if _, err := conn.Exec(b.Context(), sql); err != nil {
			b.Fatal(err)
		}
	}
}
