package helper

import (
	"fmt"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"activity-tracker.example/hostd/roster"
	"activity-tracker.example/sessiond/wire"
)

func TestReportsArriveWithTheirSession(t *testing.T) {
	u := newFakeUnits(t, func(p *process) { p.report(7); p.untilHungUp() })
	o := options()
	o.NoTitles = true
	r := run(t, o, u, newFakeStore(t))
	anna := session("c1", 100)
	r.tracked <- []roster.Tracked{anna}
	got := r.reading(7)
	if got.Session != anna || got.Connected == nil || !*got.Connected {
		t.Errorf("got %+v", got)
	}
	want := []string{
		"/usr/libexec/trackerd/sessiond", "--display", ":10", "--interval", "60s", "--idle-after", "180s", "--no-titles",
	}
	if !slices.Equal(u.started[0].Command, want) || u.started[0].UID != 1001 || u.started[0].Name != "trackerd-session-c1.service" {
		t.Errorf("started %+v", u.started[0])
	}
	s := r.state(func(s State) bool { return s.Reports == 1 })
	if s.Phase != PhaseRunning || s.LastReport.IsZero() || s.Restarts != 0 || s.LastError != "" {
		t.Errorf("state %+v", s)
	}
}

// Of a crowd, those who come late report half as often, and count as the others do.
func TestACrowdReportsHalfAsOften(t *testing.T) {
	u := newFakeUnits(t, func(p *process) { p.report(7); p.untilHungUp() })
	r := run(t, options(), u, newFakeStore(t))
	var all []roster.Tracked
	for i := range crowd {
		all = append(all, session(fmt.Sprint("c", i), uint32(100+i)))
	}
	r.tracked <- slices.Clone(all)
	eventually(t, "a hundred helpers to run", func() bool { return u.alive() == crowd })
	r.tracked <- append(all, session("late", 1000))
	eventually(t, "one more to run", func() bool { return u.alive() == crowd+1 })
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, unit := range u.started {
		hurried := !slices.Equal(unit.Command, withoutPace(unit.Command))
		if late := unit.Name == "trackerd-session-late.service"; late != hurried {
			t.Errorf("%s is started as %q", unit.Name, unit.Command)
		}
		if !slices.Equal(withoutPace(unit.Command), u.started[0].Command) {
			t.Errorf("%s counts by others' terms: %q", unit.Name, unit.Command)
		}
	}
}

func TestASeatsHelper(t *testing.T) {
	u := newFakeUnits(t, func(p *process) { p.report(7); p.untilHungUp() })
	o := options()
	o.RealInputDevices = []string{"keyd virtual keyboard"}
	r := run(t, o, u, newFakeStore(t))
	anna := session("2", 100)
	anna.Source, anna.Seat, anna.VT, anna.Display = roster.SourceSeat, "seat0", 3, ""
	r.tracked <- []roster.Tracked{anna}
	r.reading(7)
	want := []string{
		"/usr/libexec/trackerd/seatinput", "--seat", "seat0", "--vt", "3",
		"--interval", "60s", "--idle-after", "180s", "--real-device", "keyd virtual keyboard",
	}
	got := u.started[0]
	if !slices.Equal(got.Command, want) || got.Source != roster.SourceSeat || got.Name != "trackerd-seat-2.service" {
		t.Errorf("started %+v", got)
	}
	// It is locked, or another session comes to the front.
	r.tracked <- nil
	eventually(t, "the helper to be stopped", func() bool { return len(r.s.States()) == 0 })
	if u.alive() != 0 || !slices.Contains(u.stopped, "trackerd-seat-2.service") {
		t.Errorf("%d helpers alive, stopped %v", u.alive(), u.stopped)
	}
}

func TestADeadHelperIsStartedAgain(t *testing.T) {
	var asked atomic.Int32
	u := newFakeUnits(t, func(p *process) {
		p.report(uint64(p.number) + 1)
		if p.number > 0 {
			p.untilHungUp()
		}
	})
	o := options()
	o.Ended = func() { asked.Add(1) }
	st := newFakeStore(t)
	r := run(t, o, u, st)
	r.tracked <- []roster.Tracked{session("c1", 100)}
	r.reading(1)
	r.reading(2)
	s := r.state(func(s State) bool { return s.Phase == PhaseRunning })
	if s.Restarts != 1 || s.Refused != 0 || s.LastError == "" {
		t.Errorf("state %+v", s)
	}
	if asked.Load() == 0 {
		t.Error("nobody asked whether the session has ended too")
	}
	if got := st.names(); len(got) != 1 {
		t.Errorf("%d sockets are stored, want the living helper's", len(got))
	}
}

// A helper that is asked to end may still report what it counted.
func TestLogoutReadsTheLastReport(t *testing.T) {
	u := newFakeUnits(t, func(p *process) { p.report(1); p.untilHungUp(); p.report(99) })
	st := newFakeStore(t)
	r := run(t, options(), u, st)
	r.tracked <- []roster.Tracked{session("c1", 100)}
	r.reading(1)
	r.tracked <- nil
	r.reading(99)
	eventually(t, "the session to be forgotten", func() bool { return len(r.s.States()) == 0 })
	if u.alive() != 0 || len(st.names()) != 0 || !slices.Contains(u.stopped, "trackerd-session-c1.service") {
		t.Errorf("%d helpers alive, stored %v, stopped %v", u.alive(), st.names(), u.stopped)
	}
}

// A helper that ignores the end of its input is stopped.
func TestLogoutStopsAHelperThatStays(t *testing.T) {
	u := newFakeUnits(t, func(p *process) { p.report(1); <-p.stopped })
	r := run(t, options(), u, newFakeStore(t))
	r.tracked <- []roster.Tracked{session("c1", 100)}
	r.reading(1)
	began := time.Now()
	r.tracked <- nil
	eventually(t, "the session to be forgotten", func() bool { return len(r.s.States()) == 0 })
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestHelpersOutliveTheDaemon(t *testing.T) {
	more := make(chan uint64)
	u := newFakeUnits(t, func(p *process) {
		p.report(1)
		for {
			select {
			case keys := <-more:
				p.report(keys)
			case <-p.stopped:
				return
			}
		}
	})
	st := newFakeStore(t)
	first := run(t, options(), u, st)
	anna := session("c1", 100)
	first.tracked <- []roster.Tracked{anna}
	first.reading(1)
	first.stop()
	if u.alive() != 1 {
		t.Fatal("the helper ended with the daemon")
	}
	more <- 2
	more <- 3
	o := options()
	o.Stored = st.stored()
	o.Known = map[string]roster.Tracked{anna.Key.String(): anna}
	second := run(t, o, u, st)
	// Before the first list of sessions, which may take long in coming.
	second.reading(2)
	second.reading(3)
	second.tracked <- []roster.Tracked{anna}
	more <- 4
	second.reading(4)
	if u.starts() != 1 {
		t.Errorf("%d starts, want 1", u.starts())
	}
}

// What a helper wrote before it and its session ended while no daemon ran is
// read, and the socket given up.
func TestSessionThatEndedMeanwhileIsReadToItsEnd(t *testing.T) {
	finish := make(chan struct{})
	u := newFakeUnits(t, func(p *process) { p.report(1); <-finish; p.report(2); p.report(3) })
	st := newFakeStore(t)
	first := run(t, options(), u, st)
	anna := session("c1", 100)
	first.tracked <- []roster.Tracked{anna}
	first.reading(1)
	first.stop()
	close(finish)
	eventually(t, "the helper to end", func() bool { return u.alive() == 0 })
	o := options()
	o.Stored = st.stored()
	o.Known = map[string]roster.Tracked{anna.Key.String(): anna}
	second := run(t, o, u, st)
	second.reading(2)
	if got := second.reading(3); got.Session != anna {
		t.Errorf("read as %+v", got.Session)
	}
	eventually(t, "the socket to be removed", func() bool { return len(st.names()) == 0 })
	second.tracked <- nil
	eventually(t, "the session to be forgotten", func() bool { return len(second.s.States()) == 0 })
	if u.starts() != 1 {
		t.Error("a helper was started for a session that may be gone")
	}
}

func TestHelperWithOtherOptionsIsReplaced(t *testing.T) {
	u := newFakeUnits(t, func(p *process) { p.report(uint64(p.number) + 1); p.untilHungUp() })
	st := newFakeStore(t)
	first := run(t, options(), u, st)
	anna := session("c1", 100)
	first.tracked <- []roster.Tracked{anna}
	first.reading(1)
	first.stop()
	o := options()
	o.IdleAfter = time.Minute
	o.Stored = st.stored()
	o.Known = map[string]roster.Tracked{anna.Key.String(): anna}
	second := run(t, o, u, st)
	second.tracked <- []roster.Tracked{anna}
	second.reading(2)
	if !slices.Contains(u.started[1].Command, "60s") || u.alive() != 1 {
		t.Errorf("started %v, %d alive", u.started[1].Command, u.alive())
	}
}

// logind hands out ids again: the old session's helper has to be gone first.
func TestReusedSessionID(t *testing.T) {
	u := newFakeUnits(t, func(p *process) { p.report(uint64(p.number) + 1); p.untilHungUp() })
	st := newFakeStore(t)
	r := run(t, options(), u, st)
	r.tracked <- []roster.Tracked{session("c1", 100)}
	r.reading(1)
	r.tracked <- []roster.Tracked{session("c1", 200)}
	if got := r.reading(2); got.Session.Key.Leader != 200 {
		t.Errorf("got %+v", got.Session)
	}
	eventually(t, "one session to be left", func() bool { return len(r.s.States()) == 1 && len(st.names()) == 1 })
}

func TestUnknownStoredSocketsAreGivenUp(t *testing.T) {
	st := newFakeStore(t)
	ours, theirs, err := socketPair()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = theirs.Close() }()
	name := session("c9", 900).Key.String()
	if err := st.StoreFD(name, ours); err != nil {
		t.Fatal(err)
	}
	_ = ours.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	o := options()
	o.Stored = append(st.stored(), null) // its name is no session's
	r := run(t, o, newFakeUnits(t, func(*process) {}), st)
	r.tracked <- nil
	eventually(t, "the socket to be removed", func() bool { return len(st.names()) == 0 })
	if _, err := theirs.Read(make([]byte, 1)); err == nil {
		t.Error("its helper was not told")
	}
}

func TestHostileHelpersAreRefused(t *testing.T) {
	report := wire.Append(nil, &wire.Report{StartedUnixNano: 1})
	for name, attack := range map[string]func(c *net.UnixConn){
		"garbage":        func(c *net.UnixConn) { _, _ = c.Write([]byte("GET / HTTP/1.1\r\n\r\n")) },
		"other version":  func(c *net.UnixConn) { _, _ = c.Write([]byte{wire.Version + 1}) },
		"endless":        func(c *net.UnixConn) { _, _ = c.Write(append(report, make([]byte, wire.MaxMessageBytes)...)) },
		"bytes too many": func(c *net.UnixConn) { _, _ = c.Write(append(slices.Clone(report), 0)) },
		"a descriptor": func(c *net.UnixConn) {
			_, _, _ = c.WriteMsgUnix(report, unix.UnixRights(0), nil)
		},
		"a flood": func(c *net.UnixConn) {
			for range 10 * burst {
				if _, err := c.Write(report); err != nil {
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			u := newFakeUnits(t, func(p *process) {
				if p.number == 0 {
					attack(p.conn)
				} else {
					p.report(5)
				}
				<-p.stopped // it holds on to its socket
			})
			r := run(t, options(), u, newFakeStore(t))
			r.tracked <- []roster.Tracked{session("c1", 100)}
			r.reading(5)
			s := r.state(func(State) bool { return true })
			if s.Refused != 1 || s.Restarts != 1 || s.LastError == "" {
				t.Errorf("state %+v", s)
			}
			if name == "endless" && s.LastError != errTooLong.Error() {
				t.Errorf("refused for another reason: %s", s.LastError)
			}
		})
	}
}

func TestSilentHelperIsReplaced(t *testing.T) {
	u := newFakeUnits(t, func(p *process) {
		if p.number > 0 {
			p.report(5)
		}
		<-p.stopped
	})
	s := New(options(), u, newFakeStore(t))
	s.silence = 200 * time.Millisecond
	r := runSupervisor(t, s)
	r.tracked <- []roster.Tracked{session("c1", 100)}
	r.reading(5)
}
