// Package planned answers how much time policy's work hours planned. Where there are none
// nothing is known, and nothing is guessed.
package planned

import (
	"context"
	"fmt"
	"time"

	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/server/internal/store/policies"
)

// Plans are the work hours of some accounts.
type Plans struct {
	hours policies.Hours
	known map[question]answer
}

type question struct {
	plan       int
	start, end int64
}

type answer struct {
	length time.Duration
	known  bool
}

// Span is a part of a time.
type Span struct{ Start, End time.Time }

// Of reads the plans of accounts, by their machine_ids.
func Of(ctx context.Context, p *policies.Policies, machineIDs []string) (*Plans, error) {
	hours, err := p.HoursOf(ctx, machineIDs)
	if err != nil {
		return nil, fmt.Errorf("reading what was planned: %w", err)
	}
	return &Plans{hours: hours, known: map[question]answer{}}, nil
}

// Length returns how much was planned between two instants for somebody with those accounts;
// known is false where no work hours held for some of it, or the accounts have not the same.
func (p *Plans) Length(machineIDs []string, start, end time.Time) (length time.Duration, known bool) {
	plan, known := p.plan(machineIDs)
	if !known || !end.After(start) {
		return 0, false
	}
	q := question{plan, start.Unix(), end.Unix()}
	a, found := p.known[q]
	if !found {
		var spans []Span
		spans, a.known = spansOf(&p.hours.Held[plan], start, end)
		for _, s := range spans {
			a.length += s.End.Sub(s.Start)
		}
		p.known[q] = a
	}
	return a.length, a.known
}

// Spans returns when work hours were between two instants; see Length.
func (p *Plans) Spans(machineIDs []string, start, end time.Time) (spans []Span, known bool) {
	plan, known := p.plan(machineIDs)
	if !known {
		return nil, false
	}
	return spansOf(&p.hours.Held[plan], start, end)
}

// plan returns the one that all accounts have.
func (p *Plans) plan(machineIDs []string) (plan int, known bool) {
	for i, id := range machineIDs {
		one, found := p.hours.Of[id]
		if !found || i > 0 && one != plan {
			return 0, false
		}
		plan = one
	}
	return plan, len(machineIDs) > 0
}

// spansOf goes from one change of the rules or of the clock to the next.
func spansOf(held *policy.Reply, start, end time.Time) (spans []Span, known bool) {
	for t := start; t.Before(end); {
		hours := policy.Narrow(policy.Document{}, held.At(t)).Hours
		if len(hours) == 0 {
			return nil, false
		}
		next := end
		if change := hours.Next(t); !change.IsZero() && change.Before(next) {
			next = change
		}
		for i := range held.Policies {
			if from := held.Policies[i].ValidFrom; from.After(t) && from.Before(next) {
				next = from
			}
		}
		if hours.Collects(t) {
			if last := len(spans) - 1; last >= 0 && spans[last].End.Equal(t) {
				spans[last].End = next
			} else {
				spans = append(spans, Span{t, next})
			}
		}
		t = next
	}
	return spans, true
}
