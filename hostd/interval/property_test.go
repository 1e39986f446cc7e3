package interval

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"activity-tracker.example/hostd/logind"
	"activity-tracker.example/hostd/reading"
	"activity-tracker.example/hostd/roster"
	"activity-tracker.example/sessiond/wire"
)

// world is a host of sessions whose helpers count, a socket that loses, delays
// and repeats, and a daemon that dies.
type world struct {
	t      *testing.T
	rnd    *rand.Rand
	o      Options
	now    time.Time
	ledger *Ledger
	// helpers by session; typed is what each machine_id's hands did, reported
	// the part of it that was in any report that was delivered.
	helpers []*simHelper
	late    []reading.Reading
	sealed  map[Key]bool
	counted map[string]wire.Counters
	// focus is what was counted of it, and said the greatest that helpers reported,
	// in milliseconds.
	focus uint64
	said  map[focusKey]uint64
}

type focusKey struct {
	session        string
	started, start int64
	app            string
}

type simHelper struct {
	session    roster.Tracked
	report     wire.Report
	focusStart int64
	// delivered is the greatest of each counter that arrived, by run.
	delivered map[int64]wire.Counters
}

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	w := &world{
		t: t, rnd: rand.New(rand.NewPCG(seed, 1)),
		o:   Options{Length: []time.Duration{5 * time.Second, time.Minute}[seed%2], IdleAfter: time.Minute},
		now: time.Unix(1_800_000_000, 0), sealed: map[Key]bool{}, counted: map[string]wire.Counters{}, said: map[focusKey]uint64{},
	}
	w.ledger = New(w.o, State{})
	for i := range 4 {
		h := &simHelper{
			session: roster.Tracked{
				Key: logind.SessionKey{ID: fmt.Sprint("s", i)}, MachineID: fmt.Sprint("m", i/2), Username: "u",
			},
			delivered: map[int64]wire.Counters{},
		}
		w.helpers = append(w.helpers, h)
		w.restartHelper(h)
	}
	return w
}

func (w *world) restartHelper(h *simHelper) {
	h.report = wire.Report{StartedUnixNano: w.now.UnixNano() + int64(w.rnd.IntN(1000))}
}

func (w *world) typeAt(h *simHelper) {
	c := &h.report.Counters
	c.Keys += uint64(w.rnd.IntN(5))
	c.Clicks += uint64(w.rnd.IntN(3))
	c.ScrollSteps += uint64(w.rnd.IntN(3))
	c.DistancePx += uint64(w.rnd.IntN(500))
	c.Synthetic += uint64(w.rnd.IntN(2))
	c.ActiveMS += uint64(w.rnd.IntN(1000))
	if start := align(w.now.Unix(), int64(w.o.Length/time.Second)); start != h.focusStart {
		h.focusStart, h.report.Focus = start, nil
	}
	app := fmt.Sprint("app", w.rnd.IntN(3))
	h.report.Focus = slices.Clone(h.report.Focus)
	for i := range h.report.Focus {
		if f := &h.report.Focus[i]; f.App == app {
			f.DurationMS += uint64(w.rnd.IntN(300))
			return
		}
	}
	h.report.Focus = append(h.report.Focus, wire.Focus{App: app, DurationMS: 10})
}

func (w *world) reading(h *simHelper) reading.Reading {
	r := h.report
	r.TimeUnixMilli = w.now.UnixMilli()
	r.IntervalStartUnix = align(w.now.Unix(), int64(w.o.Length/time.Second))
	return reading.Reading{Session: h.session, Report: r}
}

// deliver hands a reading to the daemon, which may die before it commits.
func (w *world) deliver(rs ...reading.Reading) {
	for _, r := range rs {
		w.ledger.Fold(r, w.now)
	}
	sealed := w.ledger.Seal(w.now)
	if w.rnd.IntN(5) == 0 { // the transaction fails, or the daemon is killed
		w.ledger.Rollback()
		w.restartDaemon()
		if w.rnd.IntN(2) == 0 {
			w.late = append(w.late, rs...) // the readings were kept
		}
		return
	}
	w.ledger.Commit()
	for _, r := range rs {
		for _, h := range w.helpers {
			if h.session.Key == r.Session.Key {
				h.delivered[r.Report.StartedUnixNano] = greatest(h.delivered[r.Report.StartedUnixNano], r.Report.Counters)
			}
		}
		for _, f := range r.Report.Focus {
			k := focusKey{r.Session.Name(), r.Report.StartedUnixNano, r.Report.IntervalStartUnix, f.App}
			w.said[k] = max(w.said[k], f.DurationMS)
		}
	}
	w.take(sealed)
}

func greatest(a, b wire.Counters) wire.Counters {
	x, y := a.List(), b.List()
	for i := range x {
		*x[i] = max(*x[i], *y[i])
	}
	return a
}

func plus(a, b wire.Counters) wire.Counters {
	x, y := a.List(), b.List()
	for i := range x {
		*x[i] += *y[i]
	}
	return a
}

func (w *world) take(sealed []Sealed) {
	for _, s := range sealed {
		e := s.Event
		key := Key{e.MachineID, e.Timestamp.Unix()}
		if w.sealed[key] {
			w.t.Fatalf("event %v was produced twice", key)
		}
		w.sealed[key] = true
		for _, f := range e.Focus {
			w.focus += uint64(math.Round(f.Seconds * 1000))
		}
		w.counted[e.MachineID] = plus(w.counted[e.MachineID], wire.Counters{
			Keys: uint64(e.KeyCount), Clicks: uint64(e.MouseClicks), ScrollSteps: uint64(e.ScrollCount),
			DistancePx: uint64(e.MouseDistancePx), Synthetic: uint64(*e.SyntheticCount),
		})
	}
}

func (w *world) restartDaemon() { w.ledger = New(w.o, roundTrip(w.t, w.ledger.All())) }

// roundTrip is what a store does to a state.
func roundTrip(t *testing.T, s State) State {
	t.Helper()
	out := State{Accounts: map[string]*Account{}, Records: map[Key]*Record{}, Machines: map[string]*Machine{}}
	for k, v := range s.Accounts {
		out.Accounts[k] = again(t, v)
	}
	for k, v := range s.Records {
		out.Records[k] = again(t, v)
	}
	for k, v := range s.Machines {
		out.Machines[k] = again(t, v)
	}
	return out
}

func again[T any](t *testing.T, v *T) *T {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	out := new(T)
	if err := json.Unmarshal(b, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func (w *world) step(jumps bool) {
	w.now = w.now.Add(time.Duration(w.rnd.IntN(4000)) * time.Millisecond)
	if jumps && w.rnd.IntN(100) == 0 {
		far := []time.Duration{time.Minute, 3 * time.Hour, 30 * 24 * time.Hour, 5 * 365 * 24 * time.Hour}[w.rnd.IntN(4)]
		if w.rnd.IntN(2) == 0 && w.now.Unix() > 1_500_000_000 {
			far = -far
		}
		w.now = w.now.Add(far)
	}
	h := w.helpers[w.rnd.IntN(len(w.helpers))]
	w.typeAt(h)
	switch r := w.reading(h); w.rnd.IntN(12) {
	case 0: // lost
	case 1:
		w.late = append(w.late, r)
	case 2:
		w.deliver(r, r)
	case 3: // repeated much later, too
		w.deliver(r)
		w.late = append(w.late, r)
	case 4:
		if n := len(w.late); n > 0 {
			i := w.rnd.IntN(n)
			r = w.late[i]
			w.late = append(w.late[:i], w.late[i+1:]...)
			w.deliver(r)
		}
	case 5:
		w.restartDaemon()
	case 6:
		if w.rnd.IntN(10) == 0 {
			w.deliver(r)
			// A helper's last words come before its successor's first.
			w.late = nil
			w.restartHelper(h)
		}
	default:
		w.deliver(r)
	}
}

// check compares what was counted with what was delivered.
func (w *world) check() {
	w.t.Helper()
	want := map[string]wire.Counters{}
	for _, h := range w.helpers {
		for _, c := range h.delivered {
			want[h.session.MachineID] = plus(want[h.session.MachineID], c)
		}
	}
	got := map[string]wire.Counters{}
	for m, c := range w.counted {
		got[m] = c
	}
	for k, r := range w.ledger.All().Records {
		got[k.MachineID] = plus(got[k.MachineID], r.Counts)
	}
	for m, c := range want {
		g := got[m]
		g.ActiveMS, c.ActiveMS = 0, 0 // capped at the interval
		if g != c {
			w.t.Fatalf("%s: counted %+v, helpers said %+v", m, g, c)
		}
	}
}

// checkFocus compares the focus time: without jumps of the clock it is never
// more than was reported.
func (w *world) checkFocus() {
	w.t.Helper()
	got, want := w.focus, uint64(0)
	for _, r := range w.ledger.All().Records {
		for _, f := range r.Focus {
			got += f.DurationMS
		}
	}
	for _, ms := range w.said {
		want += ms
	}
	if got > want {
		w.t.Errorf("counted %d ms of focus, helpers said %d", got, want)
	}
}

// Whatever is lost, late or repeated, and whenever the daemon dies: the sums
// are what the helpers reported, and no event is produced twice.
func TestSumsAreExact(t *testing.T) {
	for seed := range uint64(18) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, seed)
			for i := range 800 {
				w.step(seed%3 == 0)
				if i%10 == 0 {
					w.check()
				}
			}
			for _, h := range w.helpers {
				for len(h.delivered) == 0 || h.delivered[h.report.StartedUnixNano] != h.report.Counters {
					w.deliver(w.reading(h))
				}
			}
			w.check()
			if seed%3 != 0 {
				w.checkFocus()
			}
			if len(w.sealed) == 0 {
				t.Fatal("nothing was sealed")
			}
		})
	}
}
