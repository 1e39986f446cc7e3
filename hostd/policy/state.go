package policy

import (
	"fmt"
	"slices"
	"time"
)

// State is how the host stands with the server's policy, for the doctor.
type State struct {
	// Known reports whether the server has said what may be measured, and None that it
	// has no policies.
	Known, None bool
	// Revision is of what it said, and Answered when it answered last; zero: not since
	// the daemon started.
	Revision int64
	Answered time.Time
	// Broken is why no title is recorded: a rule that cannot be used, or too many. Nil
	// where all can.
	Broken error
}

// State returns how the host stands with the server's policy.
func (p *Policy) State() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	reply, known := p.theirs()
	return State{Known: known, None: known && reply.None, Revision: reply.Revision, Answered: p.answered, Broken: p.broken()}
}

// broken checks the title rules as they hold: the file's, and all policies' together. The
// caller holds the lock.
func (p *Policy) broken() error {
	if err := p.o.Rules.TitleRules.Validate(); err != nil {
		return fmt.Errorf("the title rules of the host's file: %w", err)
	}
	lists := p.effective.TitleRules
	if len(p.o.Rules.TitleRules) > 0 {
		lists = lists[1:]
	}
	if err := slices.Concat(lists...).Validate(); err != nil {
		return fmt.Errorf("the title rules of the server's policies: %w", err)
	}
	return nil
}
