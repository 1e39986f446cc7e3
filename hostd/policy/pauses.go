package policy

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"activity-tracker.example/hostd/durable"
	rules "activity-tracker.example/server/api/policy"
)

// A pause is at least and at most so long: less is none, and more than a working day is for
// exclude_users.
const (
	MinPause = time.Minute
	MaxPause = 8 * time.Hour
)

const (
	// maxPauses is how many pauses are remembered of an account, and how many it may
	// begin in the time that is remembered at least.
	maxPauses = 100
	// maxPaused bounds the accounts of which pauses are remembered.
	maxPaused = 4096
	// maxPausesBytes bounds the file of all.
	maxPausesBytes = 32 << 20
)

// NoPauseError refuses a pause.
type NoPauseError struct {
	// Forbidden is set where it is not allowed here; else it is the pause that is wrong.
	Forbidden bool
	Message   string
}

// Error returns why.
func (e *NoPauseError) Error() string { return e.Message }

// Account is who pauses. The machine_id names them, and the user's number makes sure that
// nobody else whom a configuration gives the same one ends their pause.
type Account struct {
	MachineID string
	UID       uint32
}

// Paused is an account that is paused now.
type Paused struct {
	Account

	Until time.Time
}

// pause is a time that an account paused: seconds UTC, Start ≤ t < End. The last one of an
// account may not be over.
type pause struct {
	Start, End int64
	UID        uint32
}

// runs reports whether the pause is on. One that is further from its end than a pause may
// be is from before the clock was set back.
func (p pause) runs(now int64) bool { return now < p.End && p.End-now <= int64(MaxPause/time.Second)+1 }

// pauses are those of each account, by machine_id and the oldest first.
type pauses map[string][]pause

func (p pauses) running(machineID string, now int64) (pause, bool) {
	list := p[machineID]
	if len(list) == 0 || !list[len(list)-1].runs(now) {
		return pause{}, false
	}
	return list[len(list)-1], true
}

// with returns pauses with another list of an account.
func (p pauses) with(machineID string, list []pause) pauses {
	changed := maps.Clone(p)
	if changed == nil {
		changed = pauses{}
	}
	if changed[machineID] = list; len(list) == 0 {
		delete(changed, machineID)
	}
	return changed
}

// Pause pauses the measuring of an account for so long from now on, or changes until when
// it is paused, and returns that. A restart does not end it.
func (p *Policy) Pause(who Account, length time.Duration) (until time.Time, err error) {
	if length < MinPause || length > MaxPause {
		return until, &NoPauseError{Message: fmt.Sprintf("a pause lasts from %s to %s", words(MinPause), words(MaxPause))}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.effective.Pause {
		from := strings.Join(p.effective.Origins[rules.FieldPause], ", ")
		return until, &NoPauseError{Forbidden: true, Message: "pausing is not allowed here (" + from + ")"}
	}
	now := p.o.Now()
	list := slices.Clone(p.pauses[who.MachineID])
	// What was counted before it in this second stays.
	one := pause{Start: now.Add(time.Second - 1).Unix(), End: now.Add(length).Unix(), UID: who.UID}
	running, on := p.pauses.running(who.MachineID, now.Unix())
	switch _, known := p.pauses[who.MachineID]; {
	case on && running.UID != who.UID:
		return until, errAnotherUser()
	case on:
		one.Start = running.Start
		list = list[:len(list)-1]
	case !known && len(p.pauses) >= maxPaused:
		return until, &NoPauseError{Message: "too many accounts of this host have paused lately"}
	}
	if len(list) >= maxPauses {
		if list[0].End > now.Add(-remembered).Unix() {
			return until, &NoPauseError{Message: fmt.Sprintf("there were %d pauses lately; more are possible later", maxPauses)}
		}
		list = list[1:]
	}
	return time.Unix(one.End, 0).UTC(), p.setPauses(p.pauses.with(who.MachineID, append(list, one)))
}

// Resume ends an account's pause, and reports whether there was one.
func (p *Policy) Resume(who Account) (was bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.o.Now().Unix()
	running, on := p.pauses.running(who.MachineID, now)
	switch {
	case !on:
		return false, nil
	case running.UID != who.UID:
		return false, errAnotherUser()
	}
	return true, p.setPauses(p.pauses.with(who.MachineID, ended(p.pauses[who.MachineID], now)))
}

func errAnotherUser() error {
	return &NoPauseError{Forbidden: true, Message: "another user has paused this machine_id"}
}

// ended returns pauses of which the last one ends now; one that has not begun goes.
func ended(list []pause, now int64) []pause {
	list = slices.Clone(list)
	last := len(list) - 1
	if list[last].End = now; list[last].Start >= now {
		list = list[:last]
	}
	return list
}

// Paused returns the accounts that are paused now.
func (p *Policy) Paused() []Paused {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []Paused
	for machineID := range p.pauses {
		if one, on := p.pauses.running(machineID, p.o.Now().Unix()); on {
			list = append(list, Paused{Account{machineID, one.UID}, time.Unix(one.End, 0).UTC()})
		}
	}
	slices.SortFunc(list, func(a, b Paused) int { return strings.Compare(a.MachineID, b.MachineID) })
	return list
}

// pausedNow are their machine_ids.
func (p *Policy) pausedNow() map[string]bool {
	all := map[string]bool{}
	for _, one := range p.Paused() {
		all[one.MachineID] = true
	}
	return all
}

// nextPauseEnd is when the first pause ends; zero where there is none. The caller holds
// the lock.
func (p *Policy) nextPauseEnd() (first time.Time) {
	for machineID := range p.pauses {
		if one, on := p.pauses.running(machineID, p.o.Now().Unix()); on {
			if end := time.Unix(one.End, 0); first.IsZero() || end.Before(first) {
				first = end
			}
		}
	}
	return first
}

// endPauses ends all pauses where a rule no longer allows them. The caller holds the lock.
func (p *Policy) endPauses(now int64) {
	if p.effective.Pause {
		return
	}
	all := maps.Clone(p.pauses)
	for machineID := range p.pauses {
		if _, on := p.pauses.running(machineID, now); on {
			all = all.with(machineID, ended(p.pauses[machineID], now))
		}
	}
	if err := p.setPauses(all); err != nil {
		p.pauses = all // what is not allowed ends all the same
	}
}

// setPauses makes pauses hold once they are kept, and has it be looked again at what is
// measured. The caller holds the lock.
func (p *Policy) setPauses(all pauses) error {
	if maps.EqualFunc(all, p.pauses, slices.Equal[[]pause]) {
		return nil
	}
	data, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("encoding pauses: %w", err)
	}
	const onlyOwner = 0o600
	if err := durable.WriteFile(p.o.PausesFile, data, onlyOwner); err != nil {
		return fmt.Errorf("keeping pauses: %w", err)
	}
	p.pauses = all
	select {
	case p.again <- struct{}{}:
	default: // it will
	}
	return nil
}

// restorePauses reads what was kept; a file that cannot be read is none, and said.
func (p *Policy) restorePauses() error {
	f, err := os.Open(p.o.PausesFile)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading pauses: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	data, err := io.ReadAll(io.LimitReader(f, maxPausesBytes))
	if err != nil {
		return fmt.Errorf("reading pauses: %w", err)
	}
	var all pauses
	if err := json.Unmarshal(data, &all); err != nil {
		return fmt.Errorf("reading pauses: %w", err)
	}
	for machineID, list := range all {
		last := int64(0)
		good := len(list) <= maxPauses && len(all) <= maxPaused
		for _, one := range list {
			good = good && last <= one.Start && one.Start < one.End
			last = one.End
		}
		if !good {
			delete(all, machineID)
		}
	}
	p.pauses = all
	return nil
}

// withPauses adds an account's pauses within a time to when nothing was collected, in
// order and apart: what is outside work hours is that.
func withPauses(hours []Gap, list []pause, from, until int64) []Gap {
	all := slices.Clone(hours)
	for _, one := range list {
		start, end := max(one.Start, from), min(one.End, until)
		for _, h := range hours {
			if first := min(end, h.Start); start < first {
				all = append(all, Gap{start, first, ReasonPause})
			}
			start = max(start, h.End)
		}
		if start < end {
			all = append(all, Gap{start, end, ReasonPause})
		}
	}
	slices.SortFunc(all, func(a, b Gap) int { return cmp.Compare(a.Start, b.Start) })
	return all
}

// words writes a length as people say it.
func words(d time.Duration) string {
	if d == time.Minute {
		return "a minute"
	}
	return fmt.Sprintf("%d hours", int(d/time.Hour))
}
