package upload

import (
	"cmp"
	"slices"
	"time"

	"activity-tracker.example/hostd/buffer"
	"activity-tracker.example/hostd/outbound"
)

const (
	// laterBase is the pause before an event of a group is tried again for the first
	// time, and laterCap the longest: what stands against it takes a clock's step or
	// an administrator, who may come the next day.
	laterBase = time.Minute
	laterCap  = 6 * time.Hour
	// maxTries bounds how many groups are tried in one request.
	maxTries = 256
)

// try is how a group of events fares that the server may take later.
type try struct {
	failed int // in a row
	next   time.Time
	// open is set when the server has taken one of them: the rest follows.
	open bool
}

// Group is what waits for later for one reason.
type Group struct {
	buffer.Group
	Events int
	// NextTry is when one of them is sent again.
	NextTry time.Time
}

// next returns what to send: one event each of the groups that are to be tried
// again, else what is new, else what the server takes again. After a try that failed
// what is new goes first: it may be the try that the server stumbles over.
func (u *Uploader) next(target outbound.Target) ([]buffer.Item, error) {
	u.follow(target)
	takes := []func() ([]buffer.Item, error){u.due, u.fresh, u.released}
	if u.newFirst {
		takes = []func() ([]buffer.Item, error){u.fresh, u.due, u.released}
	}
	for _, take := range takes {
		if items, err := take(); err != nil || len(items) > 0 {
			return items, err
		}
	}
	return nil, nil
}

// fresh returns what is new.
func (u *Uploader) fresh() ([]buffer.Item, error) {
	items, err := u.queue.Peek(u.limit, maxBatchBytes, u.suspected)
	if err == nil && len(items) == 0 {
		u.newFirst = false
	}
	return items, err
}

// due returns one event of each group that is to be tried again.
func (u *Uploader) due() ([]buffer.Item, error) {
	now := u.o.Now()
	var items []buffer.Item
	for _, g := range u.groups() {
		if t := u.tries[g]; t.open || now.Before(t.next) || len(items) >= min(maxTries, u.limit) {
			continue
		}
		one, err := u.queue.PeekLater(g, 1, maxBatchBytes)
		if err != nil {
			return nil, err
		}
		if len(one) == 0 {
			u.fail(g) // all were damaged; not to be asked for over and over
		}
		items = append(items, one...)
	}
	return items, nil
}

// released returns what the server takes again.
func (u *Uploader) released() ([]buffer.Item, error) {
	for _, g := range u.groups() {
		if !u.tries[g].open {
			continue
		}
		if items, err := u.queue.PeekLater(g, u.limit, maxBatchBytes); err != nil || len(items) > 0 {
			return items, err
		}
		u.fail(g) // all were damaged
	}
	return nil, nil
}

// follow keeps a try for each group there is. Another server is asked at once.
func (u *Uploader) follow(target outbound.Target) {
	there := u.queue.Later()
	now := u.o.Now()
	for g := range u.tries {
		if _, still := there[g]; !still || target != u.triedAt {
			delete(u.tries, g)
		}
	}
	for g := range there {
		if u.tries[g] == nil {
			t := &try{next: now.Add(laterBase)}
			if target != u.triedAt {
				t.next = now
			}
			u.tries[g] = t
		}
	}
	u.triedAt = target
	u.mu.Lock()
	picks := u.picks
	u.picks = nil
	u.mu.Unlock()
	for g, t := range u.tries {
		if slices.ContainsFunc(picks, func(pick func(buffer.Group) bool) bool { return pick(g) }) {
			*t = try{next: now, open: t.open}
		}
	}
	u.tellTimes()
}

// TryLater has the groups that pick chooses tried again at once.
func (u *Uploader) TryLater(pick func(buffer.Group) bool) {
	u.mu.Lock()
	u.picks = append(u.picks, pick)
	u.mu.Unlock()
	u.Wake()
}

// groups returns the groups in one order.
func (u *Uploader) groups() []buffer.Group {
	all := make([]buffer.Group, 0, len(u.tries))
	for g := range u.tries {
		all = append(all, g)
	}
	slices.SortFunc(all, compareGroups)
	return all
}

func compareGroups(a, b buffer.Group) int {
	return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.MachineID, b.MachineID))
}

// learn takes from an answer which groups the server takes again.
func (u *Uploader) learn(done []buffer.Place, refused []buffer.Refusal) {
	for _, p := range done {
		if t := u.tries[p.Group]; t != nil {
			*t = try{open: true}
		}
	}
	for i := range refused {
		if r := &refused[i]; r.Group != (buffer.Group{}) {
			u.fail(r.Group)
		}
	}
	u.logRefused(refused)
}

// fail has a group wait longer than the last time.
func (u *Uploader) fail(g buffer.Group) {
	t := u.tries[g]
	if t == nil || t.next.After(u.o.Now()) { // the answer to a batch of them counts once
		return
	}
	wait := laterCap
	if t.failed < 10 { // a minute doubled so often is over the cap, and no int64
		wait = min(laterCap, laterBase<<(t.failed+1))
	}
	// Most of it, so that hosts that were refused together come apart.
	*t = try{failed: t.failed + 1, next: u.o.Now().Add(wait - u.part(wait/4))}
}

// sooner returns when there is something to do: at next, or when a group is to be
// tried before that.
func (u *Uploader) sooner(next time.Time) time.Time {
	u.follow(u.triedAt)
	for _, t := range u.tries {
		if !t.open && t.next.Before(next) {
			next = t.next
		}
	}
	return next
}

// nothingToSend reports whether nothing waits but for later.
func (u *Uploader) nothingToSend() bool {
	u.follow(u.triedAt)
	for _, t := range u.tries {
		if t.open {
			return false
		}
	}
	return u.queue.Status().Waiting == 0
}

// tellTimes puts into the status when each group is tried.
func (u *Uploader) tellTimes() {
	times := make(map[buffer.Group]time.Time, len(u.tries))
	for g, t := range u.tries {
		times[g] = t.next
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.nextTries = times
}

// laterGroups lists what is there now; one that was not seen yet is tried soon. It
// takes u.mu to be held.
func (u *Uploader) laterGroups(there map[buffer.Group]buffer.Tally) []Group {
	list := make([]Group, 0, len(there))
	for g, tally := range there {
		next, known := u.nextTries[g]
		if !known {
			next = u.o.Now().Add(laterBase)
		}
		list = append(list, Group{Group: g, Events: tally.Events, NextTry: next})
	}
	slices.SortFunc(list, func(a, b Group) int { return compareGroups(a.Group, b.Group) })
	return list
}

// logRefused notes what was refused, without anybody's name.
func (u *Uploader) logRefused(refused []buffer.Refusal) {
	dead, later, code := 0, 0, ""
	for i := range refused {
		switch r := &refused[i]; {
		case r.Group == r.Later && r.Group != (buffer.Group{}), r.Forget:
			continue // noted before; or nothing of it is to be left
		case r.Later != (buffer.Group{}):
			later++
		default:
			dead++
		}
		code = cmp.Or(code, refused[i].Code)
	}
	if dead+later > 0 {
		u.o.Log.Warn("the server refused events", "kept_as_dead_letters", dead, "sent_again_later", later, "first_code", code)
	}
}
