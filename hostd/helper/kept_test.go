package helper

import (
	"testing"
	"time"

	"activity-tracker.example/hostd/reading"
	"activity-tracker.example/hostd/roster"
	"activity-tracker.example/sessiond/wire"
)

// next waits for a reading, which is stored nowhere yet.
func (r *rig) next() reading.Reading {
	r.t.Helper()
	select {
	case got := <-r.readings:
		return got
	case <-time.After(waitTime):
		r.t.Fatal("no reading came")
		return reading.Reading{}
	}
}

// successor runs the daemon that finds what lies in the store.
func successor(t *testing.T, u Units, st *fakeStore, known roster.Tracked) *rig {
	t.Helper()
	o := options()
	o.Stored = st.stored()
	o.Known = map[string]roster.Tracked{known.Name(): known}
	return run(t, o, u, st)
}

// What a daemon took and did not store is there for the next one; what it stored
// is not, and with it what came before.
func TestWhatIsNotStoredIsReadAgain(t *testing.T) {
	u := newFakeUnits(t, func(p *process) {
		for keys := uint64(1); keys <= 4; keys++ {
			p.report(keys)
		}
		p.untilHungUp()
	})
	st := newFakeStore(t)
	anna := session("c1", 100)
	first := run(t, options(), u, st)
	first.tracked <- []roster.Tracked{anna}
	for keys := uint64(1); keys <= 4; keys++ {
		got := first.next()
		if got.Report.Counters.Keys != keys {
			t.Fatalf("reading %d has %d keys", keys, got.Report.Counters.Keys)
		}
		if keys == 2 {
			got.Stored()
		}
	}
	first.stop()
	second := successor(t, u, st, anna)
	for keys := uint64(3); keys <= 4; keys++ {
		if got := second.next(); got.Report.Counters.Keys != keys {
			t.Fatalf("then a reading with %d keys came, want %d", got.Report.Counters.Keys, keys)
		}
	}
}

// A helper whose session has ended is kept until its last words are on disk.
func TestLastWordsStayUntilTheyAreStored(t *testing.T) {
	u := newFakeUnits(t, func(p *process) { p.report(1); p.untilHungUp(); p.report(9) })
	st := newFakeStore(t)
	r := run(t, options(), u, st)
	r.tracked <- []roster.Tracked{session("c1", 100)}
	r.reading(1)
	r.tracked <- nil
	last := r.next()
	eventually(t, "the helper to end", func() bool { return u.alive() == 0 })
	if len(st.names()) != 1 {
		t.Error("the socket was given up before what it holds was stored")
	}
	last.Stored()
	eventually(t, "the socket to be given up", func() bool { return len(st.names()) == 0 })
}

// A helper hears which version its daemon reads, and from a daemon that ends, to
// write what any can read.
func TestHelpersHearTheVersion(t *testing.T) {
	var p *process
	started := make(chan struct{})
	u := newFakeUnits(t, func(one *process) { p = one; close(started); one.untilHungUp() })
	r := run(t, options(), u, newFakeStore(t))
	r.tracked <- []roster.Tracked{session("c1", 100)}
	<-started
	eventually(t, "the newest version", func() bool { return p.version.Load() == wire.Version })
	r.stop()
	eventually(t, "the oldest version", func() bool { return p.version.Load() == wire.Baseline })
}

// A helper of an older version is replaced at the end of an interval, when the
// hands are still, after its last words.
func TestAnOlderHelperIsReplaced(t *testing.T) {
	later := time.Now().Add(time.Hour).Truncate(time.Minute)
	reports := make(chan *wire.Report)
	u := newFakeUnits(t, func(p *process) {
		if p.number > 0 {
			p.report(100)
			p.untilHungUp()
			return
		}
		hungUp := make(chan struct{})
		go func() { defer close(hungUp); p.untilHungUp() }()
		for {
			select {
			case r := <-reports:
				_, _ = p.conn.Write(wire.Append(nil, r))
			case <-hungUp:
				p.report(9)
				return
			}
		}
	})
	st := newFakeStore(t)
	anna := session("c1", 100)
	first := run(t, options(), u, st)
	first.tracked <- []roster.Tracked{anna}
	say := func(to *rig, keys uint64, at time.Time, idle time.Duration) {
		reports <- &wire.Report{
			Version: wire.Baseline, StartedUnixNano: 1, TimeUnixMilli: at.UnixMilli(), IntervalStartUnix: later.Unix(),
			Counters: wire.Counters{Keys: keys}, IdleMS: uint64(idle.Milliseconds()),
		}
		to.reading(keys)
	}
	say(first, 1, later, 0)
	first.stop()
	second := successor(t, u, st, anna)
	second.tracked <- []roster.Tracked{anna}
	say(second, 2, later.Add(30*time.Second), time.Minute) // amid an interval
	say(second, 3, later.Add(time.Minute), 0)              // amid typing
	if u.starts() != 1 {
		t.Fatal("it was replaced too early")
	}
	say(second, 4, later.Add(time.Minute), stillFor)
	second.reading(9)
	second.reading(100)
	s := second.state(func(s State) bool { return s.Phase == PhaseRunning })
	if s.Restarts != 1 || s.Refused != 0 || s.LastError != errOutgrown.Error() {
		t.Errorf("state %+v", s)
	}
}

// Somebody who never stops typing gets a newer helper too.
func TestAnOlderHelperIsReplacedInTheEnd(t *testing.T) {
	start := time.Now().Truncate(time.Minute)
	o := newOutgrown(time.Minute, start)
	for ends := 1; ; ends++ {
		r := wire.Report{Version: wire.Baseline, IntervalStartUnix: start.Unix(), TimeUnixMilli: start.Add(time.Minute).UnixMilli()}
		if o.by(&r) {
			if ends != maxOutgrown {
				t.Errorf("after %d intervals, want %d", ends, maxOutgrown)
			}
			return
		}
	}
}

// A helper that reads nothing is not waited for, and what it left is read although
// it never read what was sent to it.
func TestAHelperThatNeverReads(t *testing.T) {
	ours, theirs, err := socketPair()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ours.Close() }()
	l, err := newLink(ours, newBuffers())
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	for range 10_000 {
		l.sendCeiling(wire.Version)
	}
	if _, err := theirs.Write(wire.Append(nil, &wire.Report{Counters: wire.Counters{Keys: 7}})); err != nil {
		t.Fatal(err)
	}
	_ = theirs.Close()
	if r, err := l.receive(); err != nil || r.Counters.Keys != 7 {
		t.Fatalf("%+v, %v", r, err)
	}
}
