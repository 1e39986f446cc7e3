package helper

import (
	"context"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"activity-tracker.example/hostd/logind"
	"activity-tracker.example/hostd/reading"
	"activity-tracker.example/hostd/roster"
	"activity-tracker.example/hostd/unit"
	"activity-tracker.example/sessiond/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// waitTime bounds waiting for what must happen; it is far more than it takes.
const waitTime = 20 * time.Second

// fakeUnits stands for systemd, which needs to be process 1: each unit is a
// goroutine at the other end of the real socket.
type fakeUnits struct {
	t *testing.T
	// program is what a helper does; it gets its end of the socket.
	program func(p *process)

	mu       sync.Mutex
	live     map[string]*process
	started  []unit.Unit
	stopped  []string
	overlaps int
}

// process is one running helper.
type process struct {
	conn    *net.UnixConn
	unit    unit.Unit
	number  int // 0 for the first start
	version atomic.Uint32
	done    chan struct{}
	stopped chan struct{}
}

func newFakeUnits(t *testing.T, program func(p *process)) *fakeUnits {
	t.Helper()
	u := &fakeUnits{t: t, program: program, live: make(map[string]*process)}
	t.Cleanup(func() {
		u.mu.Lock()
		names := make([]string, 0, len(u.live))
		for name := range u.live {
			names = append(names, name)
		}
		u.mu.Unlock()
		for _, name := range names {
			_ = u.Stop(context.Background(), name)
		}
		if u.overlaps > 0 {
			t.Errorf("%d times a helper was started while another of its unit was alive", u.overlaps)
		}
	})
	return u
}

func (u *fakeUnits) Start(_ context.Context, unit unit.Unit) error {
	conn, err := net.FileConn(unit.Socket)
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if old := u.live[unit.Name]; old != nil {
		u.overlaps++
	}
	p := &process{
		conn: conn.(*net.UnixConn), unit: unit, number: len(u.started),
		done: make(chan struct{}), stopped: make(chan struct{}),
	}
	u.live[unit.Name] = p
	u.started = append(u.started, unit)
	go func() {
		u.program(p)
		_ = p.conn.Close()
		u.mu.Lock()
		if u.live[unit.Name] == p {
			delete(u.live, unit.Name)
		}
		u.mu.Unlock()
		close(p.done)
	}()
	return nil
}

func (u *fakeUnits) Stop(_ context.Context, name string) error {
	u.mu.Lock()
	u.stopped = append(u.stopped, name)
	p := u.live[name]
	u.mu.Unlock()
	if p != nil {
		close(p.stopped)
		_ = p.conn.Close()
		<-p.done
	}
	return nil
}

func (u *fakeUnits) Command(_ context.Context, name string) ([]string, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if p := u.live[name]; p != nil {
		return p.unit.Command, nil
	}
	return nil, nil
}

func (u *fakeUnits) starts() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.started)
}

func (u *fakeUnits) alive() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.live)
}

// report sends one report, known by its key count.
func (p *process) report(keys uint64) {
	_, _ = p.conn.Write(wire.Append(nil, &wire.Report{StartedUnixNano: int64(p.number) + 1, Counters: wire.Counters{Keys: keys}}))
}

// untilHungUp waits for the daemon to close its end, as sessiond does, and notes
// the versions that it names until then.
func (p *process) untilHungUp() {
	for b := make([]byte, wire.MaxRulesBytes); ; {
		n, err := p.conn.Read(b)
		if n == 0 || err != nil {
			return
		}
		if version, ok := wire.ParseCeiling(b[:n]); ok {
			p.version.Store(uint32(version))
		}
	}
}

// fakeStore stands for systemd's descriptor store; what lies in it is real.
type fakeStore struct {
	t     *testing.T
	mu    sync.Mutex
	files map[string]*os.File
}

func newFakeStore(t *testing.T) *fakeStore {
	t.Helper()
	s := &fakeStore{t: t, files: make(map[string]*os.File)}
	t.Cleanup(func() {
		for _, f := range s.files {
			_ = f.Close()
		}
	})
	return s
}

func (s *fakeStore) StoreFD(name string, f *os.File) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files[name] != nil {
		s.t.Errorf("%s was stored twice", name)
	}
	s.files[name] = dupFile(s.t, f, name)
	return nil
}

func (s *fakeStore) RemoveFD(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.files[name]; f != nil {
		_ = f.Close()
	}
	delete(s.files, name)
	return nil
}

func (s *fakeStore) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for n := range s.files {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// stored is what the next daemon gets.
func (s *fakeStore) stored() []*os.File {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*os.File
	for n, f := range s.files {
		list = append(list, dupFile(s.t, f, n))
	}
	return list
}

func dupFile(t *testing.T, f *os.File, name string) *os.File {
	t.Helper()
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var fd int
	var dupErr error
	if err := raw.Control(func(n uintptr) { fd, dupErr = unix.FcntlInt(n, unix.F_DUPFD_CLOEXEC, 0) }); err != nil || dupErr != nil {
		t.Fatal(err, dupErr)
	}
	return os.NewFile(uintptr(fd), name)
}

// rig is a supervisor that runs, and both its ends.
type rig struct {
	t        *testing.T
	s        *Supervisor
	tracked  chan []roster.Tracked
	readings chan reading.Reading
	stop     func()
}

func options() Options {
	return Options{
		Binary: "/usr/libexec/trackerd/sessiond", Interval: time.Minute, IdleAfter: 3 * time.Minute,
		Connected: func(t roster.Tracked) (*bool, error) { return new(t.Display == ":10" && t.UID == 1001), nil },
		Log:       slog.New(slog.DiscardHandler),
	}
}

func run(t *testing.T, o Options, u Units, st Store) *rig {
	t.Helper()
	return runSupervisor(t, New(o, u, st))
}

func runSupervisor(t *testing.T, s *Supervisor) *rig {
	t.Helper()
	r := &rig{t: t, s: s, tracked: make(chan []roster.Tracked), readings: make(chan reading.Reading)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, r.tracked, r.readings) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run returned %v", err)
			}
		case <-time.After(waitTime):
			t.Error("Run did not end with its context")
		}
	})
	t.Cleanup(r.stop)
	return r
}

// reading waits for a reading with that many keys.
func (r *rig) reading(keys uint64) reading.Reading {
	r.t.Helper()
	deadline := time.After(waitTime)
	for {
		select {
		case got := <-r.readings:
			got.Stored()
			if got.Report.Counters.Keys == keys {
				return got
			}
		case <-deadline:
			r.t.Fatalf("no reading with %d keys came", keys)
		}
	}
}

func (r *rig) state(ok func(State) bool) State {
	r.t.Helper()
	var last State
	eventually(r.t, "the helper's state", func() bool {
		states := r.s.States()
		if len(states) > 0 {
			last = states[0]
		}
		return len(states) > 0 && ok(last)
	})
	return last
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(waitTime)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}

func session(id string, leader uint32) roster.Tracked {
	return roster.Tracked{
		Key:       logind.SessionKey{ID: id, Leader: leader, SinceUnixMicro: 1_753_000_000_000_000},
		MachineID: "vm-abc123-anna", Username: "anna", UID: 1001, Display: ":10",
	}
}
