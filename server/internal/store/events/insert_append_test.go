package events_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/events"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/storetest"
)

// Two servers are given the same batches at the same moment, by hosts that try
// again: one row each, counted once, and one of the two accepted it.
func TestSameBatchAtTwoServers(t *testing.T) { storetest.OnBoth(t, sameBatchAtTwoServers) }

func sameBatchAtTwoServers(t *testing.T, url string) {
	t.Helper()
	now := time.Date(2026, 5, 4, 0, 30, 0, 0, time.UTC)
	stores := []*storetest.Store{storetest.OpenAt(t, url, partition.Retention{}, now), storetest.OpenAt(t, url, partition.Retention{}, now)}
	host := storetest.AddHost(t, stores[0])
	const rounds, machines, minutes = 20, 4, 5
	for round := range rounds {
		var events []api.Event
		for m := range machines {
			for i := range minutes {
				// Across midnight, and so into two partitions.
				at := now.Add(time.Duration(round*minutes+i-rounds*minutes/2) * time.Minute)
				events = append(events, api.Event{MachineID: fmt.Sprint("m", m), Timestamp: at, KeyCount: 1, ActiveApp: "a"})
			}
		}
		var mu sync.Mutex
		var sum storetest.Written
		var wait sync.WaitGroup
		for _, s := range stores {
			wait.Go(func() {
				w, err := s.WriteEvents(t.Context(), storetest.Batch{Host: host, Events: events})
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				sum.Accepted, sum.Duplicates = sum.Accepted+w.Accepted, sum.Duplicates+w.Duplicates
			})
		}
		wait.Wait()
		if sum.Accepted != len(events) || sum.Duplicates != len(events) {
			t.Fatalf("round %d: %+v", round, sum)
		}
	}
	if n := storetest.Ask[int](t, url, "SELECT count(*) FROM event"); n != rounds*machines*minutes {
		t.Errorf("%d events", n)
	}
	if c, err := stores[0].CheckRollups(t.Context(), false); err != nil || c.Wrong != 0 || c.Events != rounds*machines*minutes {
		t.Errorf("%+v, %v", c, err)
	}
}

// Rows go straight into their partitions where they can, and are stored as well
// where they can't: a partition was dropped by another server or never made, the
// days are too many, or some machines have had later events.
func TestRowsThatAreNotNew(t *testing.T) { storetest.OnBoth(t, rowsThatAreNotNew) }

func rowsThatAreNotNew(t *testing.T, url string) {
	t.Helper()
	x := newExact(t, url)
	at := x.at
	x.write("new", 0, at("a", 0), at("a", 10*time.Minute), at("b", 0))
	x.write("between", 0, at("a", 5*time.Minute))
	x.write("around", 0, at("a", -time.Minute), at("a", 20*time.Minute), at("c", 0))
	x.write("some known, others new", 2, at("a", 0), at("b", 0), at("c", -time.Minute), at("d", 0))
	x.write("twice in one batch", 1, at("e", 0), at("e", 0))
	var days []api.Event
	for day := range 3 * events.PartsMax {
		days = append(days, at("f", time.Duration(day)*2*24*time.Hour))
	}
	x.write("many days", 0, days...)
	last := days[len(days)-1].Timestamp
	for _, table := range []partition.Table{partition.Events(), partition.Rollups()} {
		name := table.PartitionName(table.Start(last))
		if _, err := storetest.Connect(t, url).Exec(t.Context(), "DROP TABLE "+name); err != nil {
			t.Fatal(err)
		}
		if n := storetest.Ask[int](t, url, "SELECT count(*) FROM rollup_default") + storetest.Ask[int](t, url, "SELECT count(*) FROM event_default"); n != 0 {
			t.Errorf("%d rows in default partitions", n)
		}
	}
	x.total = storetest.Ask[int](t, url, "SELECT count(*) FROM event")
	if _, err := x.s.CheckRollups(t.Context(), true); err != nil {
		t.Error(err)
	}
	late := api.Event{MachineID: "g", Timestamp: last, ActiveApp: "a"}
	x.write("its partition is gone", 0, late)
	late.Timestamp = last.Add(time.Second)
	x.write("and again", 0, late)
}

// exact writes events of one host, and checks after each write that all are there and add up.
type exact struct {
	t     *testing.T
	s     *storetest.Store
	host  int64
	now   time.Time
	total int
}

func newExact(t *testing.T, url string) *exact {
	t.Helper()
	x := &exact{t: t, now: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)}
	x.s = storetest.OpenAt(t, url, partition.Retention{}, x.now)
	x.host = storetest.AddHost(t, x.s)
	return x
}

func (x *exact) at(machine string, before time.Duration) api.Event {
	return api.Event{MachineID: machine, Timestamp: x.now.Add(-before), KeyCount: 3, ActiveApp: "a", ActiveWindow: "w"}
}

func (x *exact) write(what string, duplicates int, list ...api.Event) {
	x.t.Helper()
	w, err := x.s.WriteEvents(x.t.Context(), storetest.Batch{Host: x.host, Events: list})
	if err != nil || w.Accepted != len(list)-duplicates || w.Duplicates != duplicates {
		x.t.Errorf("%s: %+v, %v", what, w, err)
	}
	x.total += w.Accepted
	if c, err := x.s.CheckRollups(x.t.Context(), false); err != nil || c.Wrong != 0 || c.Events != x.total {
		x.t.Errorf("%s: %+v, %v, want %d events", what, c, err, x.total)
	}
}

// Usual batches take the short way: it is measured by its statement, which leaves
// the parent table alone.
func TestUsualBatchesTakeTheShortWay(t *testing.T) {
	url := storetest.NewDatabase(t)
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	s := storetest.OpenAt(t, url, partition.Retention{}, now)
	storetest.OnOneNode(t, s)
	host := storetest.AddHost(t, s)
	if _, err := storetest.Connect(t, url).Exec(context.WithoutCancel(t.Context()), `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN RAISE 'the long way'; END $$; CREATE TRIGGER refuse BEFORE INSERT ON event FOR EACH STATEMENT EXECUTE FUNCTION refuse()`); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		e := api.Event{MachineID: "m", Timestamp: now.Add(time.Duration(i) * time.Hour)}
		if w, err := s.WriteEvents(t.Context(), storetest.Batch{Host: host, Events: []api.Event{e}}); err != nil || w.Accepted != 1 {
			t.Fatalf("%+v, %v", w, err)
		}
	}
	late := api.Event{MachineID: "m", Timestamp: now.Add(time.Minute)}
	late2 := late
	late2.Timestamp = now.Add(61 * time.Minute)
	if _, err := s.WriteEvents(t.Context(), storetest.Batch{Host: host, Events: []api.Event{late, late2}}); err == nil {
		t.Error("late events took the short way")
	}
}

// A request's few events are not planned anew each time, which would take longer
// than writing them; what is asked may be.
func TestWritesArePlannedOnce(t *testing.T) {
	now := time.Date(2026, 5, 4, 0, 30, 0, 0, time.UTC)
	// One connection knows of all statements.
	s := storetest.OpenAt(t, storetest.NewDatabase(t)+"&pool_max_conns=1", partition.Retention{}, now)
	storetest.OnOneNode(t, s)
	host := storetest.AddHost(t, s)
	const writes = 20
	for i := range writes {
		e := api.Event{MachineID: "m", Timestamp: now.Add(time.Duration(i-writes) * time.Minute), ActiveApp: "a"}
		if _, err := s.WriteEvents(t.Context(), storetest.Batch{Host: host, Events: []api.Event{e}}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Events(t.Context(), directory.Scope{}, "m", now.Add(-time.Hour), now, writes); err != nil {
			t.Fatal(err)
		}
	}
	var writing, asking plans
	err := s.Read(t.Context(), "asking how statements were planned", func(tx pgx.Tx) error {
		return errors.Join(writing.read(t.Context(), tx, "WITH good %"), asking.read(t.Context(), tx, "% FROM event %"))
	})
	if err != nil {
		t.Fatal(err)
	}
	if writing.once == 0 || writing.anew != 0 {
		t.Errorf("writing was planned once %d times and anew %d times", writing.once, writing.anew)
	}
	if asking.anew == 0 {
		t.Errorf("asking was planned once %d times and anew %d times", asking.once, asking.anew)
	}
}

// plans counts how often statements ran by the plan that is kept and by a new one.
type plans struct{ once, anew int }

func (p *plans) read(ctx context.Context, tx pgx.Tx, like string) error {
	return tx.QueryRow(ctx, `SELECT coalesce(sum(generic_plans), 0)::int, coalesce(sum(custom_plans), 0)::int
		FROM pg_prepared_statements WHERE statement LIKE $1`, like).Scan(&p.once, &p.anew)
}
