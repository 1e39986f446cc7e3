package upkeep_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/pgtest"
	"activity-tracker.example/server/internal/store/storetest"
)

const (
	crashMachines = 3
	// crashDays is how many days have events; of them all but storetest.CompactDays are
	// compacted, and all but quietDays have their roll-ups packed.
	crashDays = 10
	// crashBatch is how many late events are sent at once: few, so that hosts still
	// send when PostgreSQL is killed for the last time.
	crashBatch = 5
	// crashes is how often PostgreSQL is killed.
	crashes = 4
)

// crashing is two servers that compact and pack while hosts report late events, on
// a PostgreSQL that is killed.
type crashing struct {
	t       *testing.T
	cluster *pgtest.Cluster
	stores  []*storetest.Store
	host    int64
	// interrupted counts what ended by a crash: rounds of compaction, rounds of
	// packing and writes.
	compactions, packings, writes atomic.Int64
	acknowledged                  atomic.Int64
}

// again does something until it succeeds, as hosts and servers do.
func (c *crashing) again(ctx context.Context, interrupted *atomic.Int64, do func() error) {
	for do() != nil {
		interrupted.Add(1)
		select {
		case <-ctx.Done():
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// servers compact and pack without end.
func (c *crashing) servers(ctx context.Context, wait *sync.WaitGroup) {
	for _, s := range c.stores {
		wait.Go(func() {
			for ctx.Err() == nil {
				c.again(ctx, &c.compactions, func() error { _, err := s.Compact(ctx); return err })
			}
		})
		wait.Go(func() {
			for ctx.Err() == nil {
				c.again(ctx, &c.packings, func() error { _, err := s.PackRollups(ctx); return err })
			}
		})
	}
}

// report sends batch after batch of a machine's events until each is acknowledged,
// and some of them once more to the other server.
func (c *crashing) report(r *rand.Rand, events []api.Event) {
	for batch := range slices.Chunk(events, crashBatch) {
		n := r.IntN(len(c.stores))
		for range 1 + r.IntN(2) {
			s := c.stores[n%len(c.stores)]
			n++
			c.again(c.t.Context(), &c.writes, func() error {
				w, err := s.WriteEvents(c.t.Context(), storetest.Batch{Host: c.host, Events: batch})
				if err == nil && w.Accepted+w.Duplicates != len(batch) {
					c.t.Errorf("%+v of %d", w, len(batch))
				}
				return err
			})
			c.acknowledged.Add(1)
		}
	}
}

// progress is how far compaction and packing are: it changes with each transaction
// of theirs, mostly.
func (c *crashing) progress() string {
	text, err := c.cluster.TrySQL("postgres", "SELECT (SELECT count(*) FROM event_hour), (SELECT count(*) FROM rollup_day), (SELECT sum(extract(epoch FROM compacted_before)) FROM machine)")
	if err != nil {
		return ""
	}
	return text
}

// PostgreSQL is killed again and again while two servers compact and pack, and
// hosts report late events of the same days: every event is there once, whatever
// its answer was lost, and roll-ups are exact.
func TestCrashesWhileCompacting(t *testing.T) {
	t.Parallel()
	// What is not waited for to reach the disk is lost.
	c := &crashing{t: t, cluster: pgtest.Start(t, "full_page_writes=on", "wal_writer_delay=10s")}
	url := c.cluster.URL("postgres")
	now := time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)
	for range 2 {
		c.stores = append(c.stores, storetest.OpenCompacting(t, url, now))
	}
	c.host = storetest.AddHost(t, c.stores[0])
	all := storetest.Days(rand.New(rand.NewPCG(3, 3)), now, crashMachines, crashDays)
	perMachine := make([][]api.Event, crashMachines)
	var early []api.Event
	for i, e := range all {
		if i%4 == 0 {
			early = append(early, e)
			continue
		}
		var m int
		if _, err := fmt.Sscanf(e.MachineID, "m%d", &m); err != nil {
			t.Fatal(err)
		}
		perMachine[m] = append(perMachine[m], e)
	}
	storetest.Accepted(t, c.stores[0], c.host, early, len(early))
	ctx, stop := context.WithCancel(t.Context())
	var servers, hosts sync.WaitGroup
	c.servers(ctx, &servers)
	for m, events := range perMachine {
		r := rand.New(rand.NewPCG(4, uint64(m)))
		r.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		hosts.Go(func() { c.report(r, events) })
	}
	for range crashes {
		seen := c.progress()
		pgtest.Await(t, "compaction or packing to go on", func() bool {
			at := c.progress()
			return at != "" && at != seen
		})
		// What was acknowledged a moment before is what a crash could lose.
		before := c.acknowledged.Load()
		pgtest.Await(t, "late events to be acknowledged", func() bool { return c.acknowledged.Load() >= before+crashMachines })
		c.cluster.Stop(syscall.SIGKILL)
		c.cluster.Start()
	}
	hosts.Wait()
	stop()
	servers.Wait()
	c.over(all, now)
}

func (c *crashing) over(all []api.Event, now time.Time) {
	c.t.Helper()
	t, s := c.t, c.stores[0]
	if c.compactions.Load() == 0 || c.packings.Load() == 0 || c.writes.Load() == 0 {
		t.Errorf("nothing was interrupted: %d rounds of compaction, %d of packing, %d writes", c.compactions.Load(), c.packings.Load(), c.writes.Load())
	}
	t.Logf("interrupted: %d rounds of compaction, %d of packing, %d writes", c.compactions.Load(), c.packings.Load(), c.writes.Load())
	storetest.Exact(t, s, len(all))
	storetest.Compact(t, s)
	if _, err := s.PackRollups(t.Context()); err != nil {
		t.Error(err)
	}
	storetest.Exact(t, s, len(all))
	for m := range crashMachines {
		id := fmt.Sprintf("m%d", m)
		got := storetest.Told(t, s, id, now.AddDate(0, 0, -crashDays-1), now, 300)
		want := []string{}
		for _, e := range all {
			if e.MachineID == id {
				want = append(want, fmt.Sprint(storetest.Printed(t, e), e.ActiveApp, e.ActiveWindow))
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s: %d events, want %d", id, len(got), len(want))
		}
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Errorf("%s, event %d:\n got %s\nwant %s", id, i, got[i], want[i])
				break
			}
		}
	}
	if n := c.cluster.SQL("postgres", "SELECT count(*) FROM event e JOIN machine m ON m.id = e.machine WHERE e.ts < '2026-05-10'"); n != "0" {
		t.Errorf("%s events of compacted days are in event", n)
	}
}
