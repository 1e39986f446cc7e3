// Package live knows what every machine does now, for those who watch. One loop
// reads the machines that changed, works out who fell silent, and hands the changes
// on; it reads nothing once nobody has looked for a while.
package live

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/query"
)

const (
	// usualPoll is how often machines are read: with 100,000 of them a poll
	// takes PostgreSQL some 50 ms, and intervals are a minute.
	usualPoll = 5 * time.Second
	// pollTimeout bounds a poll.
	pollTimeout = 20 * time.Second
	// wholeEvery is how often all machines are read again, in case the database
	// was replaced.
	wholeEvery = 10 * time.Minute
	// lookedFor is for how long the board goes on after somebody last looked: a page that is
	// open asks again sooner, and to read 100,000 machines anew takes 0.4 s.
	lookedFor = time.Minute
	// maxWatchers bounds those who watch one server, maxWatchersOfToken those
	// with the same token: a wall of screens, and not all that the server has.
	maxWatchers        = 1000
	maxWatchersOfToken = 50
	// maxPending is how many messages may wait for a watcher, over a minute's;
	// the slower one is let go and comes back for a new snapshot.
	maxPending = 16
	// usualRecheck is how often it is looked whether a watcher's token is still
	// good and what it may see.
	usualRecheck = time.Minute
)

// Refusals to let somebody watch.
var (
	// ErrTooMany is returned where too many watch this server.
	ErrTooMany = errors.New("too many streams are open on this server")
	// ErrTooManyOfToken is returned where too many watch with this token.
	ErrTooManyOfToken = errors.New("too many streams are open for this caller")
	// ErrStopped is returned where the server stops.
	ErrStopped = errors.New("the server stops")
)

// Item is what a machine does; it is never changed.
type Item struct {
	// Key is the machine's row.
	Key     int32
	Machine api.LiveMachine
	row     directory.Machine
}

// Message is what a watcher does not know yet.
type Message struct {
	// Snapshot is set where Items are all machines there are, not changes.
	Snapshot bool
	// Items are shared by all who watch: nobody changes the list.
	Items []*Item
	// Overview counts the machines, for who asked for that instead.
	Overview *Overview
	// at is when the database was read.
	at time.Time
}

// Watcher is who watches.
type Watcher struct {
	// Messages is closed where the watcher was too slow or the server stops.
	Messages chan Message
	token    string
	fresh    bool
	// counts means that one overview is all that is wanted.
	counts bool
}

// Options are how a board works; zero values are the usual ones.
type Options struct {
	// Poll is how often machines are read while somebody watches.
	Poll time.Duration
	// Recheck is how often each watcher's token is looked at.
	Recheck time.Duration
	// Hours has when, by policy, nothing is collected; nil: it always is.
	Hours Hours
	// Now is the clock.
	Now func() time.Time
	Log *slog.Logger
}

// Board is what all machines do now.
type Board struct {
	reader *query.Reader
	opts   Options
	wake   chan struct{}

	mu       sync.Mutex
	stopped  bool
	watchers map[*Watcher]struct{}
	latest   latest
	// looked is when somebody last looked once, and wanted when at an overview.
	looked, wanted time.Time

	// What Run alone uses: the machines by row, until where they were read and when, when they
	// were last read whole, and the newest erasure of then; and what they are counted by.
	items map[int32]*Item
	// order are the rows by what people are called; nil: that has to be found anew.
	order       []int32
	mark        query.Mark
	read, whole time.Time
	erased      int64
	closed      closing
	counting    counting
}

// latest is what the board last showed, and of when it is; nobody changes it.
type latest struct {
	items    []*Item
	overview *Overview
	at       time.Time
}

// New makes a board; Run keeps it.
func New(reader *query.Reader, opts Options) *Board {
	if opts.Poll == 0 {
		opts.Poll = usualPoll
	}
	if opts.Recheck == 0 {
		opts.Recheck = usualRecheck
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Board{reader: reader, opts: opts, wake: make(chan struct{}, 1), watchers: map[*Watcher]struct{}{}}
}

// Watch lets somebody with that token watch, or returns why not. The first message is
// a snapshot. Leave must follow.
func (b *Board) Watch(token string) (*Watcher, error) {
	return b.watch(&Watcher{Messages: make(chan Message, maxPending), token: token, fresh: true})
}

func (b *Board) watch(w *Watcher) (*Watcher, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	same := 0
	for other := range b.watchers {
		if other.token == w.token {
			same++
		}
	}
	switch {
	case b.stopped:
		return nil, ErrStopped
	case len(b.watchers) >= maxWatchers:
		return nil, ErrTooMany
	case same >= maxWatchersOfToken:
		return nil, ErrTooManyOfToken
	}
	b.watchers[w] = struct{}{}
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return w, nil
}

// Leave ends watching.
func (b *Board) Leave(w *Watcher) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.watchers, w)
}

// Now returns what all machines do, by name, for a caller who looks once, and how long ago that
// was read. Nobody changes the list.
func (b *Board) Now(ctx context.Context, caller string) (items []*Item, age time.Duration, err error) {
	if known := b.look(false); known.items != nil {
		return known.items, time.Since(known.at), nil
	}
	m, err := b.once(ctx, &Watcher{token: caller})
	if err != nil {
		return nil, 0, err
	}
	return m.Items, time.Since(m.at), nil
}

// look notes that somebody looks, and returns what the board shows; nothing where that is old.
func (b *Board) look(counts bool) latest {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.looked = time.Now()
	if counts {
		b.wanted = b.looked
	}
	if b.stopped || time.Since(b.latest.at) > 2*b.opts.Poll {
		return latest{}
	}
	return b.latest
}

// once returns the first message.
func (b *Board) once(ctx context.Context, w *Watcher) (m Message, err error) {
	w.Messages, w.fresh = make(chan Message, maxPending), true
	if w, err = b.watch(w); err != nil {
		return m, err
	}
	defer b.Leave(w)
	select {
	case m, open := <-w.Messages:
		if !open {
			return m, ErrStopped
		}
		return m, nil
	case <-ctx.Done():
		return m, ctx.Err()
	}
}

// Recheck is how often each watcher's token is to be looked at.
func (b *Board) Recheck() time.Duration { return b.opts.Recheck }

// Watchers is how many watch.
func (b *Board) Watchers() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.watchers)
}

// Run keeps the board until ctx ends, and with it all watching.
func (b *Board) Run(ctx context.Context) error {
	defer b.stop()
	ticks := time.NewTicker(b.opts.Poll)
	defer ticks.Stop()
	for failed := false; ; {
		known := false
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
		case <-b.wake:
			known = b.items != nil && !failed
		}
		if !b.wanting() {
			b.forget()
			continue
		}
		var changes []*Item
		var err error
		if !known {
			changes, err = b.update(ctx)
		}
		if err == nil {
			err = b.count(ctx)
			b.publish(changes)
		}
		if err != nil && !failed && ctx.Err() == nil {
			b.opts.Log.Warn("what machines do can't be read; those who watch see what was", "error", err)
		}
		failed = err != nil
	}
}

// wanting reports whether somebody watches, or looked a while ago.
func (b *Board) wanting() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.watchers) > 0 || !b.looked.IsZero() && time.Since(b.looked) <= lookedFor
}

// forget lets go what was read.
func (b *Board) forget() {
	b.items, b.order, b.mark, b.whole, b.counting = nil, nil, 0, time.Time{}, counting{}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.latest = latest{}
}

// update brings the items up to date and returns those that changed.
func (b *Board) update(ctx context.Context) ([]*Item, error) {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	now := b.opts.Now()
	since := b.mark
	if b.items == nil || now.Sub(b.whole) > wholeEvery {
		since = 0
	}
	rows, next, erased, err := b.reader.ChangedMachines(ctx, since)
	if err == nil && since != 0 && erased != b.erased {
		since = 0
		rows, next, erased, err = b.reader.ChangedMachines(ctx, since)
	}
	if err == nil {
		err = b.closed.bring(ctx, b.opts.Hours, now)
	}
	if err != nil {
		return nil, err
	}
	if b.mark, b.read = next, time.Now(); since == 0 {
		b.whole, b.erased = now, erased
	}
	if since == 0 && b.replaced(rows) {
		b.items, b.order = nil, nil
		b.beginAnew()
	}
	if b.items == nil {
		b.items = make(map[int32]*Item, len(rows))
	}
	for _, m := range rows {
		// Its time has come only with what it does; see below.
		item := &Item{Key: m.Key, row: m}
		if old := b.items[m.Key]; old != nil {
			item.Machine = old.Machine
		} else {
			b.order = nil
		}
		b.items[m.Key] = item
	}
	var changes []*Item
	for key, item := range b.items {
		does := describe(&item.row, now)
		does.Status = b.closed.status(&item.row, does.Status)
		if before := item.Machine; before.Status == does.Status && before.UserLabel == does.UserLabel &&
			before.Username == does.Username && before.Hostname == does.Hostname {
			continue
		}
		if Name(&item.Machine) != Name(&does) {
			b.order = nil
		}
		changed := &Item{Key: key, Machine: does, row: item.row}
		b.items[key] = changed
		changes = append(changes, changed)
	}
	if len(rows) > 0 || len(changes) > 0 {
		b.counting.overview = nil
	}
	return changes, nil
}

// replaced reports whether all rows there are show that the items are another
// database's, or that some were erased: machines go in no other way, nor change their names.
func (b *Board) replaced(rows []directory.Machine) bool {
	found := 0
	for _, m := range rows {
		if item := b.items[m.Key]; item != nil && item.row.MachineID == m.MachineID {
			found++
		}
	}
	return found < len(b.items)
}

// beginAnew has all who watch get all items.
func (b *Board) beginAnew() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for w := range b.watchers {
		w.fresh = true
	}
}

// describe returns what a machine does.
func describe(m *directory.Machine, now time.Time) api.LiveMachine {
	status := report.Status(m, now)
	// As a record's minutes are taken: without a client it does not matter whether the
	// screen is locked.
	switch {
	case status == api.MachineOffline:
	case m.LastConnected != nil && !*m.LastConnected:
		status = api.MachineDisconnected
	case m.LastLocked != nil && *m.LastLocked:
		status = api.MachineLocked
	}
	return api.LiveMachine{
		MachineID: m.MachineID, UserLabel: m.UserLabel, Hostname: m.Hostname, Username: m.Username,
		LastSeen: m.LastSeen.UTC(), Status: status,
	}
}

// publish sends changes to those who watch, and all items or counts to who just came.
func (b *Board) publish(changes []*Item) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(changes) > 0 || len(b.latest.items) != len(b.items) || b.latest.items == nil {
		b.latest.items = b.sorted()
	}
	b.latest.overview, b.latest.at = b.counting.overview, b.read
	for w := range b.watchers {
		message := Message{Items: changes, at: b.read}
		switch {
		case w.counts && b.latest.overview == nil:
			continue // it came after they were counted, and has woken the loop again
		case w.counts:
			message.Items, message.Overview = nil, b.latest.overview
		case w.fresh:
			message.Snapshot, message.Items = true, b.latest.items
		}
		if len(message.Items) == 0 && !w.fresh {
			continue
		}
		w.fresh = false
		select {
		case w.Messages <- message:
		default:
			delete(b.watchers, w)
			close(w.Messages)
		}
	}
}

// Name is what whoever a machine is measured as is called.
func Name(m *api.LiveMachine) string { return cmp.Or(m.UserLabel, m.Username, m.MachineID) }

// sorted are the items by name. Names seldom change, and to sort 100,000 takes 0.2 s.
func (b *Board) sorted() []*Item {
	if b.order == nil {
		b.order = slices.AppendSeq(make([]int32, 0, len(b.items)), maps.Keys(b.items))
		slices.SortFunc(b.order, func(i, j int32) int {
			one, other := &b.items[i].Machine, &b.items[j].Machine
			return cmp.Or(cmp.Compare(Name(one), Name(other)), cmp.Compare(one.MachineID, other.MachineID))
		})
	}
	list := make([]*Item, len(b.order))
	for i, key := range b.order {
		list[i] = b.items[key]
	}
	return list
}

func (b *Board) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	for w := range b.watchers {
		delete(b.watchers, w)
		close(w.Messages)
	}
}
