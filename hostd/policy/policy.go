// Package policy decides what may be measured on this host now: who, at which times, and
// what of titles. It is the narrower of what the host's file and its server's policies
// allow; the server's last answer is kept over restarts.
package policy

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"activity-tracker.example/hostd/outbound"
	"activity-tracker.example/hostd/roster"
	"activity-tracker.example/server/api"
	rules "activity-tracker.example/server/api/policy"
	"activity-tracker.example/sessiond/wire"
)

// lookAgain is how often the clock is looked at, which may be set.
const lookAgain = 10 * time.Second

// Options of a Policy.
type Options struct {
	// Rules is what the host's file holds.
	Rules rules.Document
	// File is where the server's last answer is kept.
	File string
	// PausesFile is where is kept when accounts paused.
	PausesFile string
	// Target returns the server that the host is enrolled with; nil: it never is.
	Target func() (outbound.Target, bool)
	// Client speaks to the server.
	Client *http.Client
	// Directory knows groups of users; nil is the system's.
	Directory Directory
	// Changed is called when other sessions than before may be measured; it must not
	// block.
	Changed func()
	// Version is this agent's, which the server learns with each question; empty: none,
	// and nothing of Unseen either. Unseen returns what cannot be seen here, nil where that
	// is not known now.
	Version string
	Unseen  func() []api.Unseen
	Log     *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Policy is what holds. Make one with New; it is safe for concurrent use.
type Policy struct {
	o     Options
	users *Users

	mu        sync.Mutex
	effective rules.Effective
	times     times
	server    string    // whose policies are to hold; empty: nobody's
	held      *held     // what some server answered last
	waiting   bool      // the server has not answered yet
	switchAt  time.Time // when another version begins to hold; zero: none does
	trouble   error     // of the last question
	answered  time.Time // when the server answered last; zero: not yet
	toldOf    int64     // the revision that was last asked for, as Told had it
	toldAt    time.Time // and when

	pauses pauses
	again  chan struct{} // pauses changed

	wake chan struct{}
}

// New makes a policy of the file, and of what is known of the server's.
func New(o Options) *Policy {
	if o.Directory == nil {
		o.Directory = Getent{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Target == nil {
		o.Target = func() (outbound.Target, bool) { return outbound.Target{}, false }
	}
	p := &Policy{o: o, users: NewUsers(o.Directory, o.Changed, o.Now), again: make(chan struct{}, 1), wake: make(chan struct{}, 1)}
	p.restore()
	if err := p.restorePauses(); err != nil {
		o.Log.Error("when people paused is lost; who had paused is measured again", "error", err)
	}
	if target, enrolled := o.Target(); enrolled {
		p.server = target.URL
	}
	p.decide()
	return p
}

// Effective returns what holds now, and where each part of it comes from.
func (p *Policy) Effective() rules.Effective {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.effective
}

// collects reports whether anything is collected now.
func (p *Policy) collects() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.waiting && p.times.now().Collects(p.o.Now())
}

// Collects reports whether anything of an account is collected at this moment.
func (p *Policy) Collects(machineID string) bool { return p.collects() && !p.pausedNow()[machineID] }

// until is when collecting ends or has ended, seconds UTC; 0 where it does not.
func (p *Policy) until() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	hours, now := p.times.now(), p.o.Now()
	if p.waiting || !hours.Collects(now) {
		return now.Unix()
	}
	if next := hours.Next(now); !next.IsZero() {
		return next.Unix()
	}
	return 0
}

// next is when collecting begins or ends, for all or for an account, or another version
// holds; zero where none is.
func (p *Policy) next() (first time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, at := range []time.Time{p.times.now().Next(p.o.Now()), p.switchAt, p.nextPauseEnd()} {
		if first.IsZero() || !at.IsZero() && at.Before(first) {
			first = at
		}
	}
	return first
}

// Missing is how much of a time nothing of an account was collected in, in seconds.
func (p *Policy) Missing(machineID string, from, until int64) int64 {
	var sum int64
	for _, g := range p.Gaps(machineID, from, until) {
		sum += g.End - g.Start
	}
	return sum
}

// Gaps returns when nothing of an account was collected within a time that is over.
func (p *Policy) Gaps(machineID string, from, until int64) []Gap {
	p.mu.Lock()
	defer p.mu.Unlock()
	return withPauses(p.times.gaps(from, until), p.pauses[machineID], from, until)
}

// Run calls Changed at its start, and at each moment at which collecting begins or ends,
// until ctx ends.
func (p *Policy) Run(ctx context.Context) error {
	collected, paused := p.collects(), len(p.Paused())
	p.o.Changed() // it may have changed since it was first asked
	for {
		wait := lookAgain
		if next := p.next(); !next.IsZero() {
			wait = min(wait, next.Sub(p.o.Now()))
		}
		timer := time.NewTimer(max(wait, 0))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-p.again:
			timer.Stop()
			paused = len(p.Paused())
			p.o.Changed()
			continue
		case <-timer.C:
		}
		if p.due(p.o.Now()) {
			p.apply()
		}
		if c, n := p.collects(), len(p.Paused()); c != collected || n != paused {
			collected, paused = c, n
			p.o.Changed()
		}
	}
}

// Titles returns the rules for titles that helpers get, and until when they count.
func (p *Policy) Titles() wire.Rules {
	e := p.Effective()
	told := wire.Rules{Titles: e.Titles, UntilUnix: p.until()}
	for _, list := range e.TitleRules {
		converted := make([]wire.Rule, 0, len(list))
		for _, r := range list {
			converted = append(converted, wire.Rule{App: r.App, Title: r.Title, With: r.With}) // nothing, where it drops
		}
		told.Lists = append(told.Lists, converted)
	}
	return told
}

// Standing returns whether a user may be measured at all.
func (p *Policy) Standing(username string) Standing {
	s, _ := p.users.Standing(username)
	return s
}

// Allow takes out of a list of sessions those that may not be measured now. Whoever is
// excluded, or has paused, is no problem, and is not named.
func (p *Policy) Allow(r roster.Result) roster.Result {
	p.users.Prune()
	if !p.collects() {
		r.Tracked = nil
		return r
	}
	kept, paused := make([]roster.Tracked, 0, len(r.Tracked)), p.pausedNow()
	var unresolved []string
	for i := range r.Tracked {
		t := r.Tracked[i]
		if paused[t.MachineID] {
			continue
		}
		switch standing, problem := p.users.Standing(t.Username); {
		case standing == Measured:
			kept = append(kept, t)
		case standing == Unresolved && problem != "" && !slices.Contains(unresolved, t.Username):
			unresolved = append(unresolved, t.Username)
			r.Problems = append(r.Problems, roster.Problem{
				Username: t.Username,
				Text:     "user " + t.Username + " is not measured while it is unknown whether exclude_users has them: " + problem,
				Advice:   "correct exclude_users, or have the directory of users reachable ('getent group NAME' answers then); it is asked again each 30 s",
			})
		}
	}
	r.Tracked = kept
	return r
}
