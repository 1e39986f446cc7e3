package upkeep_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/codec"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/storetest"
)

// Compaction changes nothing that anybody can ask for, neither does doing it
// again; what comes after it is stored once.
func TestCompaction(t *testing.T) {
	url := storetest.NewDatabase(t)
	now := time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)
	s := storetest.OpenCompacting(t, url, now)
	host := storetest.AddHost(t, s)
	// A week that an earlier version made, and days of this one.
	if _, err := storetest.Connect(t, url).Exec(t.Context(), "CREATE TABLE event_20260427 PARTITION OF event FOR VALUES FROM ('2026-04-27') TO ('2026-05-04')"); err != nil {
		t.Fatal(err)
	}
	events := storetest.Days(rand.New(rand.NewPCG(1, 1)), now, 2, 20)
	ancient := events[0]
	ancient.Timestamp = now.AddDate(-20, 0, 0)
	events = append(events, ancient)
	storetest.Accepted(t, s, host, events, len(events))
	boundary := partition.DayOf(now).AddDate(0, 0, -storetest.CompactDays)
	ranges := [][2]time.Time{{now.AddDate(-30, 0, 0), now}, {boundary.Add(-90 * time.Minute), boundary.Add(100 * time.Minute)}, {boundary, now}, {now.AddDate(0, 0, -9), boundary}}
	before := map[string][]string{}
	for m := range 2 {
		for i, span := range ranges {
			before[fmt.Sprint(m, i)] = storetest.Told(t, s, fmt.Sprintf("m%d", m), span[0], span[1], 5000)
		}
	}
	unchanged := func(what string) {
		t.Helper()
		for m := range 2 {
			for i, span := range ranges {
				for _, size := range []int{[]int{400, 1, 60, 7}[i], 5000} {
					if got := storetest.Told(t, s, fmt.Sprintf("m%d", m), span[0], span[1], size); !storetest.Same(got, before[fmt.Sprint(m, i)]) {
						t.Errorf("%s: machine %d from %v to %v in pages of %d: %d events, want %d", what, m, span[0], span[1], size, len(got), len(before[fmt.Sprint(m, i)]))
					}
				}
			}
		}
		storetest.Exact(t, s, len(events))
	}
	done := storetest.Compact(t, s)
	if done.Events == 0 || done.Rows == 0 || len(done.Dropped) < 8 {
		t.Errorf("%+v", done)
	}
	if n := storetest.Ask[int](t, url, "SELECT count(*) FROM event WHERE ts < '2026-05-11'"); n != 0 {
		t.Errorf("%d events of compacted days are in event", n)
	}
	unchanged("compacted")
	if again := storetest.Compact(t, s); again.Events != 0 || len(again.Dropped) != 0 {
		t.Errorf("again: %+v", again)
	}
	storetest.Accepted(t, s, host, events, 0)
	unchanged("sent again")
	// The partitions that it made are void, and go again.
	storetest.Compact(t, s)
	unchanged("compacted again")
	if n := storetest.Ask[int](t, url, "SELECT count(*) FROM event WHERE ts < '2026-05-11'"); n != 0 {
		t.Errorf("%d repeated events are in event", n)
	}
}

// Late events find their hour wherever it lies: within one, before its first,
// after its last, in hours and days without any, in hours with more than a row holds.
func TestLateEventsOfCompactedDays(t *testing.T) { storetest.OnBoth(t, lateEventsOfCompactedDays) }

func lateEventsOfCompactedDays(t *testing.T, url string) {
	t.Helper()
	now := time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)
	s := storetest.OpenCompacting(t, url, now)
	host := storetest.AddHost(t, s)
	base := time.Date(2026, 5, 5, 10, 0, 0, 0, time.UTC)
	at := func(offsets ...time.Duration) (list []api.Event) {
		for _, d := range offsets {
			list = append(list, api.Event{MachineID: "m", Timestamp: base.Add(d), KeyCount: 1, ActiveApp: "a", ActiveWindow: fmt.Sprint(d)})
		}
		return list
	}
	total := 0
	store := func(fresh int, list []api.Event) {
		t.Helper()
		total += fresh
		storetest.Accepted(t, s, host, list, fresh)
		storetest.Exact(t, s, total)
	}
	store(4, at(10*time.Minute, 20*time.Minute, 2*time.Hour, 9*24*time.Hour))
	var full []api.Event
	for i := range codec.HourEvents + 500 {
		full = append(full, at(5*time.Hour+time.Duration(2*i+2)*time.Second)...)
	}
	store(len(full), full)
	if done := storetest.Compact(t, s); done.Events != int64(total-1) || done.Rows != 4 {
		t.Errorf("%+v", done)
	}
	store(0, at(10*time.Minute, 9*24*time.Hour))
	store(1, at(10*time.Minute, 15*time.Minute))
	store(2, at(0, 59*time.Minute, 59*time.Minute))
	store(3, at(-time.Hour, -48*time.Hour, time.Hour))
	// Compacted until the day's end, which it reported beyond.
	store(1, at(3*time.Hour))
	var odd []api.Event
	for i := range codec.HourEvents {
		odd = append(odd, at(5*time.Hour+time.Duration(2*i+1)*time.Second)...)
	}
	store(codec.HourEvents, odd)
	store(0, odd)
	store(0, full)
	// With others, of which none is late.
	mixed := at(4*time.Minute, 9*24*time.Hour+time.Minute)
	other := at(0)[0]
	other.MachineID = "other"
	store(3, append(mixed, other))
	if n := len(storetest.Told(t, s, "m", base.AddDate(-1, 0, 0), now.AddDate(1, 0, 0), 700)); n != total-1 {
		t.Errorf("%d events are told, want %d", n, total-1)
	}
	storetest.Compact(t, s)
	storetest.Exact(t, s, total)
}

// A machine that was compacted to its newest event and then reports later ones of
// the same day keeps both.
func TestDayGoesOnAfterCompaction(t *testing.T) {
	url := storetest.NewDatabase(t)
	now := time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)
	s := storetest.OpenCompacting(t, url, now)
	host := storetest.AddHost(t, s)
	first := time.Date(2026, 5, 5, 10, 10, 0, 0, time.UTC)
	for i := range 4 {
		storetest.Accepted(t, s, host, []api.Event{{MachineID: "m", Timestamp: first.Add(time.Duration(i) * 20 * time.Minute), KeyCount: 1}}, 1)
		if done := storetest.Compact(t, s); done.Events != 1 {
			t.Errorf("round %d: %+v", i, done)
		}
		storetest.Exact(t, s, i+1)
	}
	if n := len(storetest.Told(t, s, "m", first.Add(time.Minute), now, 1)); n != 3 {
		t.Errorf("%d events after the first, want 3", n)
	}
}

// Two servers compact while two write the same late and new events and one reads:
// each is stored once, no reader misses one, roll-ups are exact.
func TestCompactionAmongWriters(t *testing.T) { storetest.OnBoth(t, compactionAmongWriters) }

func compactionAmongWriters(t *testing.T, url string) {
	t.Helper()
	now := time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)
	stores := []*storetest.Store{storetest.OpenCompacting(t, url, now), storetest.OpenCompacting(t, url, now)}
	host := storetest.AddHost(t, stores[0])
	const machines = 3
	all := storetest.Days(rand.New(rand.NewPCG(2, 2)), now, machines, 7)
	// Some were there before; the others are late.
	var early, late []api.Event
	for i := range all {
		if i%3 == 0 {
			late = append(late, all[i])
		} else {
			early = append(early, all[i])
		}
	}
	storetest.Accepted(t, stores[0], host, early, len(early))
	var mu sync.Mutex
	fresh := 0
	var work, readers sync.WaitGroup
	stop := make(chan struct{})
	for i, s := range stores {
		work.Go(func() {
			for range 2 {
				if _, err := s.Compact(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
		work.Go(func() {
			r := rand.New(rand.NewPCG(9, uint64(i)))
			for range 8 {
				at := r.IntN(len(late))
				batch := late[at:min(len(late), at+40)]
				w, err := s.WriteEvents(t.Context(), storetest.Batch{Host: host, Events: batch})
				if err != nil || w.Accepted+w.Duplicates != len(batch) {
					t.Errorf("%+v, %v", w, err)
					return
				}
				mu.Lock()
				fresh += w.Accepted
				mu.Unlock()
			}
			w, err := s.WriteEvents(t.Context(), storetest.Batch{Host: host, Events: late})
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			fresh += w.Accepted
			mu.Unlock()
		})
	}
	readers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			c, err := stores[1].CheckRollups(t.Context(), false)
			if err != nil || c.Wrong != 0 || c.Events < len(early) {
				t.Errorf("meanwhile: %+v, %v", c, err)
				return
			}
		}
	})
	work.Wait()
	close(stop)
	readers.Wait()
	if fresh != len(late) {
		t.Errorf("%d late events accepted, want %d", fresh, len(late))
	}
	storetest.Exact(t, stores[0], len(all))
	storetest.Compact(t, stores[0])
	storetest.Exact(t, stores[1], len(all))
	if n := storetest.Ask[int](t, url, "SELECT count(*) FROM pg_inherits WHERE inhparent = 'event'::regclass AND inhrelid::regclass::text ~ '2026(04|050|0510)'"); n != 0 {
		t.Errorf("%d partitions of compacted days are left", n)
	}
}

// What is compacted goes when events go.
func TestRetentionOfCompacted(t *testing.T) {
	url := storetest.NewDatabase(t)
	now := time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)
	s := storetest.OpenCompacting(t, url, now)
	host := storetest.AddHost(t, s)
	events := storetest.Days(rand.New(rand.NewPCG(4, 4)), now, 1, 20)
	storetest.Accepted(t, s, host, events, len(events))
	storetest.Compact(t, s)
	const keep = 60 * 24 * time.Hour
	later := storetest.OpenAt(t, url, partition.Retention{Events: keep}, now.Add(keep).AddDate(0, 0, -9))
	if done, err := later.Maintain(t.Context()); err != nil || len(done.Partitions) != 2 {
		t.Errorf("%+v, %v", done, err)
	}
	// Weeks are dropped whole, never one that holds something newer.
	left := storetest.Told(t, later, "m0", now.AddDate(-1, 0, 0), now, 5000)
	if want := storetest.Told(t, later, "m0", time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC), now, 5000); len(left) == 0 || len(left) == len(events) || !storetest.Same(left, want) {
		t.Errorf("%d events are left of %d, want %d", len(left), len(events), len(want))
	}
	if c, err := later.CheckRollups(t.Context(), false); err != nil || c.Wrong != 0 {
		t.Errorf("%+v, %v", c, err)
	}
}
