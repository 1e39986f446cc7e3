package helper

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"activity-tracker.example/hostd/reading"
	"activity-tracker.example/hostd/roster"
)

const (
	// MaxHelpers bounds how many helpers run at once: more sessions than one
	// machine carries. trackerd.service needs a FileDescriptorStoreMax= of
	// twice as much, since a helper's old and new socket may lie there at once.
	MaxHelpers = 512
	// progressEvery is how often the supervisor reports that it is alive while
	// nothing happens.
	progressEvery = 20 * time.Second
)

// Options is what a Supervisor needs. Log, Binary, Interval, IdleAfter and
// Connected must be set.
type Options struct {
	// Binary is sessiond's absolute path; the programs of other sources lie
	// beside it.
	Binary string
	// Interval is a record's length, and IdleAfter after how long without
	// input a user counts as idle.
	Interval  time.Duration
	IdleAfter time.Duration
	// NoTitles keeps window titles from ever leaving the session.
	NoTitles bool
	// RealInputDevices are the virtual devices through which hands work.
	RealInputDevices []string
	// Stored is what notify.StoredFDs returned: the sockets of helpers that an
	// earlier daemon started. They become the supervisor's.
	Stored []*os.File
	// Known is whose sockets they are, by Tracked.Name().
	Known map[string]roster.Tracked
	// Connected returns whether somebody can be at a session; nil where that
	// cannot be known.
	Connected func(t roster.Tracked) (*bool, error)
	// Ended, if set, is called whenever a helper has ended, so that logind can
	// be asked whether its session has too. It must not block.
	Ended func()
	// Progress, if set, is called whenever the supervisor's loop turns, at
	// least every 20 s.
	Progress func()
	Log      *slog.Logger
}

// Supervisor keeps one helper running for each tracked session. Make one with
// New.
type Supervisor struct {
	opts  Options
	units Units
	store Store
	// silence is for how long a helper that is well may send nothing.
	silence time.Duration
	buffers *sync.Pool // what links read into
	// allowed are the rules for titles that helpers get; nil: none yet, and no title
	// is taken.
	allowed atomic.Pointer[titles]

	mu      sync.Mutex
	keepers map[string]*keeper // by session key; those that leave too
	byUnit  map[string]*keeper // the newest of each unit name
	orphans map[string][]*os.File
}

// New makes a supervisor. Nothing happens until Run.
func New(opts Options, units Units, store Store) *Supervisor {
	if opts.Ended == nil {
		opts.Ended = func() {}
	}
	if opts.Progress == nil {
		opts.Progress = func() {}
	}
	return &Supervisor{
		opts: opts, units: units, store: store, silence: 2*opts.Interval + silenceSlack, buffers: newBuffers(),
		keepers: make(map[string]*keeper), byUnit: make(map[string]*keeper),
		orphans: make(map[string][]*os.File),
	}
}

// Run keeps a helper for each session of the newest list of tracked, and sends
// what they report to readings. When ctx ends it returns nil and leaves the
// helpers running: their sockets lie in the descriptor store.
func (s *Supervisor) Run(ctx context.Context, tracked <-chan []roster.Tracked, readings chan<- reading.Reading) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	finished := make(chan *keeper, MaxHelpers)
	start := func(k *keeper) {
		wg.Go(func() {
			k.run(ctx, readings)
			select {
			case finished <- k:
			case <-ctx.Done():
			}
		})
	}
	s.adoptStored(start)
	defer s.closeOrphans()
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		s.opts.Progress()
		select {
		case <-ctx.Done():
			return nil
		case list := <-tracked:
			s.apply(list, start)
		case k := <-finished:
			s.forget(k)
		case <-tick.C:
		}
	}
}

// adoptStored takes up the sockets of the daemon before this one, before it is
// known which sessions are still there: what helpers wrote meanwhile counts
// either way.
func (s *Supervisor) adoptStored(start func(*keeper)) {
	files := make(map[string][]*os.File)
	for _, f := range s.opts.Stored {
		if _, _, err := roster.ParseName(f.Name()); err != nil {
			s.opts.Log.Warn("a stored descriptor is not ours, closing it", "name", f.Name())
			_ = f.Close()
			continue
		}
		files[f.Name()] = append(files[f.Name()], f)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, list := range files {
		t, ok := s.opts.Known[name]
		if !ok || t.Name() != name {
			s.orphans[name] = list // the first list decides, or it is lost
			continue
		}
		s.add(t, list, start)
	}
}

// apply makes the keepers match the list.
func (s *Supervisor) apply(list []roster.Tracked, start func(*keeper)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wanted := make(map[string]bool, len(list))
	for _, t := range list {
		name := t.Name()
		wanted[name] = true
		k, running := s.keepers[name]
		if running && k.update(t) {
			continue
		}
		if running {
			k.leaveNow() // its display changed, or it was thought to be gone
		}
		if !running && len(s.keepers) >= MaxHelpers {
			s.opts.Log.Error("too many sessions, one is not tracked", "limit", MaxHelpers, "session", name)
			continue
		}
		s.add(t, s.orphans[name], start).confirm()
		delete(s.orphans, name)
	}
	for name, k := range s.keepers {
		if !wanted[name] {
			k.leaveNow()
		}
	}
	s.dropOrphans()
}

// add starts a keeper, behind any other that still uses the unit's name.
func (s *Supervisor) add(t roster.Tracked, adopted []*os.File, start func(*keeper)) *keeper {
	k := newKeeper(s, t, adopted)
	if before := s.byUnit[k.unit]; before != nil {
		k.before = before.done
		before.leaveNow()
	}
	s.keepers[k.name] = k
	s.byUnit[k.unit] = k
	start(k)
	return k
}

func (s *Supervisor) forget(k *keeper) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keepers[k.name] == k {
		delete(s.keepers, k.name)
	}
	if s.byUnit[k.unit] == k {
		delete(s.byUnit, k.unit)
	}
}

// dropOrphans closes sockets of which neither logind nor the buffer knows
// whose they are. Their helpers end when they notice.
func (s *Supervisor) dropOrphans() {
	for name, files := range s.orphans {
		s.opts.Log.Warn("a stored socket belongs to no known session, closing it", "session", name)
		for _, f := range files {
			if l, err := newLink(f, s.buffers); err == nil {
				l.end()
			}
			_ = f.Close()
		}
		if err := s.store.RemoveFD(name); err != nil {
			s.opts.Log.Warn("stored socket could not be removed", "error", err)
		}
	}
	clear(s.orphans)
}

// closeOrphans leaves undecided sockets in the store for the next daemon.
func (s *Supervisor) closeOrphans() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, files := range s.orphans {
		for _, f := range files {
			_ = f.Close()
		}
	}
	clear(s.orphans)
}

// States returns the state of every helper, ordered by session.
func (s *Supervisor) States() []State {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]State, 0, len(s.keepers))
	for _, k := range s.keepers {
		list = append(list, k.snapshot())
	}
	slices.SortFunc(list, func(a, b State) int {
		return strings.Compare(a.Session.Name(), b.Session.Name())
	})
	return list
}
