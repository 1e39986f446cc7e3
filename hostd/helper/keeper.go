package helper

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"activity-tracker.example/hostd/reading"
	"activity-tracker.example/hostd/roster"
	"activity-tracker.example/hostd/unit"
	"activity-tracker.example/sessiond/wire"
)

const (
	// lastWords is how long a helper that is asked to end may take for its last
	// report before its unit is stopped. With stopTimeout after it a logout is
	// over well within 10 s.
	lastWords = 2 * time.Second
	// drainTime bounds reading what a stopped helper left in its socket; it is
	// all there already.
	drainTime = time.Second
	// silenceSlack is how much longer than two intervals a helper may be
	// silent: it reports at the end of each, and a loaded machine runs late.
	silenceSlack = 30 * time.Second
	// settleTime bounds waiting for what was read to be on disk before a socket is
	// given up. It is written once a second; a disk that refuses is not waited
	// for, and then the readings wait in memory alone.
	settleTime = 3 * time.Second
	// partingTime is how long a daemon that ends reads on: a helper that was asked
	// to write in an older version has done so by then.
	partingTime = 50 * time.Millisecond
	// stillFor is for how long hands are still when a helper of an older version
	// is replaced, since what is typed meanwhile is counted by none.
	stillFor = 2 * time.Second
	// maxOutgrown is after how many ends of intervals it is replaced all the same.
	maxOutgrown = 10
	// handOver bounds how long a report that has been read is still offered
	// after the daemon was asked to end.
	handOver = time.Second
)

// Why reading a helper's socket ended, apart from what link.receive returns.
var (
	errLeaving  = errors.New("the session is over")
	errReplaced = errors.New("it ran with other options")
	errOutgrown = errors.New("it was of an older version")
	errSilent   = errors.New("it has not reported for more than two intervals")
)

// keeper looks after one session: it starts the helper, reads it, and starts
// it again, until the session leaves or the daemon ends.
type keeper struct {
	s       *Supervisor
	log     *slog.Logger
	name    string // of the session, and of its socket in the store
	unit    string
	adopted []*os.File
	before  <-chan struct{} // closed once nobody else uses the unit's name
	leave   context.Context // ends when the session leaves
	leaveFn context.CancelFunc
	done    chan struct{}
	// confirmed is closed once a list of sessions has named this one: before,
	// a socket is read on, but no helper is started for a session that may be
	// long gone.
	confirmed chan struct{}
	confirm   func()

	// Only run touches these.
	backoff backoff
	bucket  *bucket

	mu    sync.Mutex
	state State
	link  *link // to the helper that is read; nil: none
	// toldTitles is when it was last sent the rules for titles.
	toldTitles time.Time
}

func newKeeper(s *Supervisor, t roster.Tracked, adopted []*os.File) *keeper {
	k := &keeper{
		s: s, name: t.Name(), unit: unit.Name(t), adopted: adopted,
		done: make(chan struct{}), bucket: newBucket(time.Now()),
	}
	k.confirmed = make(chan struct{})
	k.confirm = sync.OnceFunc(func() { close(k.confirmed) })
	k.leave, k.leaveFn = context.WithCancel(context.Background())
	k.log = s.opts.Log.With("session", k.name, "unit", k.unit)
	k.state = State{Session: t, Unit: k.unit, Phase: PhaseStarting, Since: time.Now()}
	return k
}

// leaveNow marks the session as over. It does not wait.
func (k *keeper) leaveNow() { k.leaveFn() }

// update takes what is newly known of the session. It returns false if that
// needs another keeper.
func (k *keeper) update(t roster.Tracked) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.leave.Err() != nil || !sameHelper(k.state.Session, t) {
		return false
	}
	k.state.Session = t
	k.confirm()
	return true
}

// sameHelper reports whether one helper serves both: what it is started with is
// the same.
func sameHelper(a, b roster.Tracked) bool {
	return a.Display == b.Display && a.UID == b.UID && a.Seat == b.Seat && a.VT == b.VT &&
		a.NeedsWM == b.NeedsWM && a.WithoutInput() == b.WithoutInput()
}

func (k *keeper) snapshot() State {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state
}

func (k *keeper) phase(p Phase) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.state.Phase, k.state.Since = p, time.Now()
}

// run returns when the session has left and its unit is gone, or when ctx
// ends; then the helper goes on.
func (k *keeper) run(ctx context.Context, readings chan<- reading.Reading) {
	defer close(k.done)
	defer k.leaveFn()
	if k.before != nil {
		select {
		case <-k.before:
		case <-ctx.Done():
		}
	}
	for _, f := range deadFirst(k.adopted) {
		if ctx.Err() == nil {
			k.ended(ctx, time.Now(), k.adopt(ctx, f, readings), false)
		}
		_ = f.Close()
	}
	select {
	case <-k.confirmed:
	case <-k.leave.Done():
	case <-ctx.Done():
	}
	for ctx.Err() == nil && k.leave.Err() == nil {
		began := time.Now()
		k.ended(ctx, began, k.once(ctx, readings), true)
	}
}

// ended notes why a helper's socket ended, and waits before the next start.
func (k *keeper) ended(ctx context.Context, began time.Time, err error, wait bool) {
	if ctx.Err() != nil {
		return
	}
	k.s.opts.Ended()
	leaving, told := k.leave.Err() != nil, k.s.allowed.Load().over()
	k.mu.Lock()
	k.state.Phase, k.state.Since = PhaseWaiting, time.Now()
	switch {
	case leaving:
		k.state.Phase = PhaseLeaving
	case told:
	default:
		k.state.Restarts++
		k.state.LastError = describe(err)
	}
	if refusable(err) {
		k.state.Refused++
	}
	k.mu.Unlock()
	if leaving {
		k.log.Info("helper ended with its session")
		return
	}
	var delay time.Duration
	if wait {
		delay = k.backoff.next(time.Since(began))
	}
	if told {
		k.log.Info("helper ended with the time in which anything is collected")
	} else {
		k.log.Warn("helper ended, starting it again", "reason", describe(err), "delay", delay)
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-k.leave.Done():
	case <-timer.C:
	}
}

func describe(err error) string {
	if errors.Is(err, io.EOF) {
		return "it closed its socket"
	}
	return err.Error()
}

// refusable reports whether err is something that only a broken or hostile helper
// does.
func refusable(err error) bool {
	return errors.Is(err, wire.ErrMalformed) || errors.Is(err, errTooLong) ||
		errors.Is(err, errDescriptors) || errors.Is(err, errFlood)
}

// once starts a helper and reads it to its end.
func (k *keeper) once(ctx context.Context, readings chan<- reading.Reading) error {
	k.phase(PhaseStarting)
	ours, theirs, err := socketPair()
	if err != nil {
		return err
	}
	defer func() { _ = ours.Close() }()
	defer func() { _ = theirs.Close() }()
	l, err := newLink(ours, k.s.buffers)
	if err != nil {
		return err
	}
	k.greet(l)
	defer k.farewell()
	// Into the store first: a daemon killed from here on finds the socket.
	if err := k.s.store.StoreFD(k.name, ours); err != nil {
		k.log.Warn("this helper will not outlive the daemon", "error", err)
	}
	t := k.snapshot().Session
	err = k.s.units.Start(ctx, unit.Unit{
		Name:        k.unit,
		Description: "Activity Tracker helper of session " + t.Key.ID,
		UID:         t.UID,
		Source:      t.Source,
		Command:     append(k.s.command(t), k.s.pace()...),
		Socket:      theirs,
	})
	_ = theirs.Close()
	if err != nil {
		if ctx.Err() != nil { // it may have started all the same
			l.close()
			return err
		}
		l.end()
		k.removeFD()
		return err
	}
	k.log.Info("helper started", "machine_id", t.MachineID, "display", t.Display)
	return k.serve(ctx, l, readings, nil)
}

// adopt reads on from a helper that an earlier daemon started.
func (k *keeper) adopt(ctx context.Context, f *os.File, readings chan<- reading.Reading) error {
	l, err := newLink(f, k.s.buffers)
	if err != nil {
		k.removeFD()
		return err
	}
	k.greet(l)
	defer k.farewell()
	l.outgrown = newOutgrown(k.s.opts.Interval, time.Now())
	command, err := k.s.units.Command(ctx, k.unit)
	switch {
	case err != nil:
		k.log.Warn("cannot ask whether the helper still runs, reading on", "error", err)
	case command == nil:
		k.log.Info("a helper ended while the daemon was away")
		return k.serve(ctx, l, readings, io.EOF)
	case !slices.Equal(withoutPace(command), k.s.command(k.snapshot().Session)):
		return k.serve(ctx, l, readings, errReplaced)
	}
	k.log.Info("helper taken over from the daemon before")
	return k.serve(ctx, l, readings, nil)
}

// serve reads a socket until the helper behind it is gone for good, and returns
// why it ended; with end, it is to end at once. When ctx ends it lets the
// helper be.
func (k *keeper) serve(ctx context.Context, l *link, readings chan<- reading.Reading, end error) error {
	defer l.close()
	k.phase(PhaseRunning)
	if end == nil {
		end = k.read(ctx, l, readings, nil)
	}
	if errors.Is(end, errLeaving) || errors.Is(end, errReplaced) || errors.Is(end, errOutgrown) {
		k.phase(PhaseLeaving)
		l.hangUp()
		_ = k.drain(ctx, l, lastWords, readings)
	}
	if ctx.Err() != nil {
		k.part(l, readings)
		return ctx.Err()
	}
	// Also after the end of the socket: a program may close it and live on.
	if err := k.s.units.Stop(ctx, k.unit); err != nil {
		k.log.Warn("helper could not be stopped", "error", err)
	}
	if !refusable(end) {
		_ = k.drain(ctx, l, drainTime, readings)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	l.settle(settleTime)
	l.end()
	k.removeFD()
	return end
}

// part leaves a helper to the next daemon, which may be an older one: from now on
// the helper writes what each can read, and what it wrote before is stored.
func (k *keeper) part(l *link, readings chan<- reading.Reading) {
	k.farewell()
	l.sendCeiling(wire.Baseline)
	_ = k.drain(context.Background(), l, partingTime, readings)
	l.settle(settleTime)
}

func (k *keeper) removeFD() {
	if err := k.s.store.RemoveFD(k.name); err != nil {
		k.log.Warn("socket could not be taken out of the descriptor store", "error", err)
	}
}

// drain reads what is still to come, for at most d.
func (k *keeper) drain(ctx context.Context, l *link, d time.Duration, readings chan<- reading.Reading) error {
	until := time.Now().Add(d)
	return k.read(ctx, l, readings, &until)
}

// read hands reports on until the socket ends, something is wrong with them,
// the session leaves or ctx ends; with until, until then or the socket's end.
func (k *keeper) read(ctx context.Context, l *link, readings chan<- reading.Reading, until *time.Time) error {
	defer context.AfterFunc(ctx, l.wake)()
	if until == nil {
		defer context.AfterFunc(k.leave, l.wake)()
	}
	for {
		if until == nil {
			l.deadline(time.Now().Add(k.s.silence))
		} else {
			l.deadline(*until)
		}
		// After the deadline is set, so that wake is never undone unseen.
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if until == nil && k.leave.Err() != nil {
			return errLeaving
		}
		r, err := l.receive()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			if ctx.Err() != nil || k.leave.Err() != nil && until == nil || until == nil && l.unstored() {
				continue // with a disk that refuses the socket may be full
			}
			return errSilent
		case err != nil:
			return err
		case !k.bucket.take(time.Now()):
			return errFlood
		}
		k.deliver(ctx, l, r, readings)
		if until == nil && l.outgrown.by(&r) {
			return errOutgrown
		}
	}
}

// deliver hands one report on. It waits for the reader, but not much longer
// than ctx lives: what is not handed on is still in the socket, for the next
// daemon.
func (k *keeper) deliver(ctx context.Context, l *link, r wire.Report, readings chan<- reading.Reading) {
	k.mu.Lock()
	k.state.Reports++
	k.state.LastReport, k.state.Trouble, k.state.IdleMS, k.state.Locked = time.Now(), r.Trouble, r.IdleMS, r.Locked
	t := k.state.Session
	k.mu.Unlock()
	if t.NeedsWM && r.Trouble == wire.TroubleNoWindowManager {
		l.skip()
		return // nobody works there, so there is nothing to record
	}
	k.filter(&r)
	connected, err := k.s.opts.Connected(t)
	if err != nil {
		k.log.Debug("cannot tell whether a client is connected", "error", err)
	}
	one := reading.Reading{Session: t, Report: r, Connected: connected, OnStored: l.hand()}
	select {
	case readings <- one:
		return
	case <-ctx.Done():
	}
	timer := time.NewTimer(handOver)
	defer timer.Stop()
	select {
	case readings <- one:
	case <-timer.C:
	}
}
