// Package uncollected reports to the server, each time once, when by rule nothing of an account
// was collected: outside work hours, and while it had paused. That goes by the rules alone,
// whether or not anybody was logged in.
package uncollected

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"activity-tracker.example/hostd/buffer"
	"activity-tracker.example/hostd/policy"
	"activity-tracker.example/hostd/roster"
	"activity-tracker.example/server/api"
)

const (
	// tellEvery is how often it is looked what is over: what a person's day says of it
	// then is a minute late.
	tellEvery = time.Minute
	// noteEvery is how often it is kept that nothing was to be told, so that rules which
	// come into force later say nothing of the time before.
	noteEvery = time.Hour
	// backAtMost is how far back it is told, after the host was off, and for how long an
	// account that nobody uses is known.
	backAtMost = 35 * day
	// maxAccounts bounds the accounts that are known.
	maxAccounts = 4096
	day         = 24 * time.Hour
	daySeconds  = int64(day / time.Second)
)

// Options of a Teller.
type Options struct {
	Buffer *buffer.Buffer
	// Gaps returns when nothing of an account was collected within a time that is over,
	// and Standing whether its user may be measured.
	Gaps     func(machineID string, from, until int64) []policy.Gap
	Standing func(username string) policy.Standing
	Log      *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// account is one that is told of.
type account struct {
	Username string `json:"username"`
	// Until is up to when the server was told, and Seen when the account was last
	// measured, seconds UTC.
	Until int64 `json:"until"`
	Seen  int64 `json:"seen"`

	// unkept is set until the buffer has it: only from then on does a restart go on with
	// it.
	unkept bool
}

// Teller puts what is to be told among the events that wait. Make one with New.
type Teller struct {
	o Options

	mu       sync.Mutex
	accounts map[string]*account // by machine_id

	// fresh wakes Run for an account that is known from now on.
	fresh chan struct{}
}

// New goes on from what the buffer holds.
func New(o Options) (*Teller, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	t := &Teller{o: o, accounts: map[string]*account{}, fresh: make(chan struct{}, 1)}
	_, err := o.Buffer.Load(buffer.Told, func(key, value []byte) error {
		var a account
		if json.Unmarshal(value, &a) == nil && len(t.accounts) < maxAccounts { // one that is damaged is known again when it is measured
			t.accounts[string(key)] = &a
		}
		return nil
	})
	if err != nil && !errors.Is(err, buffer.ErrReplaced) {
		return nil, fmt.Errorf("reading up to when the server was told what was not collected: %w", err)
	}
	return t, nil
}

// Know notes which accounts are measured now.
func (t *Teller) Know(list []roster.Tracked) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.o.Now().Unix()
	for i := range list {
		a, known := t.accounts[list[i].MachineID]
		if !known {
			if len(t.accounts) >= maxAccounts {
				continue
			}
			a = &account{Until: now, unkept: true}
			t.accounts[list[i].MachineID] = a
			select {
			case t.fresh <- struct{}{}:
			default: // it will
			}
		}
		a.Username, a.Seen = list[i].Username, now
	}
}

// Knows reports whether a user's account was measured lately.
func (t *Teller) Knows(machineID, username string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	a, known := t.accounts[machineID]
	return known && a.Username == username
}

// Run reports what is over until ctx ends. A disk that refuses is tried again.
func (t *Teller) Run(ctx context.Context) error {
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	for failed := false; ; {
		err := t.Tell()
		if err != nil && !failed {
			t.o.Log.Error("cannot note what was not collected; trying again", "error", err)
		}
		failed = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-t.fresh:
		case <-tick.C:
		}
	}
}

// change is what becomes of an account's row, and what is told.
type change struct {
	machineID string
	account   *account // nil: it goes
	spans     []api.NotCollected
}

// Tell puts what is over among the events that wait, with up to when that was told, all or
// nothing.
func (t *Teller) Tell() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.o.Now().Unix()
	var changes []change
	for machineID, a := range t.accounts {
		if c, due := t.look(machineID, a, now); due {
			changes = append(changes, c)
		}
	}
	if len(changes) == 0 {
		return nil
	}
	err := t.store(changes)
	replaced := errors.Is(err, buffer.ErrReplaced)
	if replaced {
		err = t.store(changes)
	}
	if err != nil {
		return err
	}
	for _, a := range t.accounts { // those that do not change now, with the next Tell
		a.unkept = a.unkept || replaced
	}
	for _, c := range changes {
		if t.accounts[c.machineID] = c.account; c.account == nil {
			delete(t.accounts, c.machineID)
		}
	}
	return nil
}

// look returns what there is to tell of an account.
func (t *Teller) look(machineID string, a *account, now int64) (change, bool) {
	switch t.o.Standing(a.Username) {
	case policy.Excluded:
		return change{machineID: machineID}, true
	case policy.Unresolved:
		return change{}, false
	case policy.Measured:
	}
	back := int64(backAtMost / time.Second)
	if a.Seen < now-back {
		return change{machineID: machineID}, true
	}
	// A clock that was set back reports some of it again, which changes nothing.
	from := max(min(a.Until, now), now-back)
	next := &account{Username: a.Username, Until: now, Seen: a.Seen}
	c := change{machineID: machineID, account: next}
	for _, g := range t.o.Gaps(machineID, from, now) {
		for start := g.Start; start < g.End; {
			end := min(g.End, (start/daySeconds+1)*daySeconds)
			if end == now && end%daySeconds != 0 {
				next.Until = start // it goes on
				break
			}
			c.spans = append(c.spans, api.NotCollected{
				Start: time.Unix(start, 0).UTC(), End: time.Unix(end, 0).UTC(), MachineID: machineID, Reason: api.NotCollectedReason(g.Reason),
			})
			start = end
		}
	}
	due := a.unkept || a.Until > now || next.Until-a.Until >= int64(noteEvery/time.Second)
	return c, len(c.spans) > 0 || due
}

func (t *Teller) store(changes []change) error {
	return t.o.Buffer.Update(func(tx *buffer.Tx) error {
		for _, c := range changes {
			if c.account == nil {
				if err := tx.Delete(buffer.Told, []byte(c.machineID)); err != nil {
					return err
				}
				continue
			}
			for i := range c.spans {
				span, err := json.Marshal(&c.spans[i])
				if err != nil {
					return fmt.Errorf("encoding what was not collected: %w", err)
				}
				if err := tx.Enqueue(span); err != nil {
					return err
				}
			}
			value, err := json.Marshal(c.account)
			if err != nil {
				return fmt.Errorf("encoding up to when the server was told: %w", err)
			}
			if err := tx.Put(buffer.Told, []byte(c.machineID), value); err != nil {
				return err
			}
		}
		return nil
	})
}
