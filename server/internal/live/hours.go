package live

import (
	"context"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/policies"
)

// hoursFor is for how long work hours are remembered: a policy that is changed holds for a host
// once it has asked for it.
const hoursFor = time.Minute

// Hours has the work hours of all hosts.
type Hours interface {
	HostHours(ctx context.Context) (policies.HostHours, error)
}

// closing knows when, by policy, nothing is collected. What a host's own file has beyond that,
// and who has paused, the server does not know before it is over.
type closing struct {
	hours policies.HostHours
	at    time.Time
	// plans are the rules now, of each of hours.Held, and closed those by which nothing is
	// collected now.
	plans  []policy.Hours
	closed []bool
}

// bring brings the rules up to date.
func (c *closing) bring(ctx context.Context, from Hours, now time.Time) error {
	if from == nil {
		return nil
	}
	if c.at.IsZero() || now.Sub(c.at) > hoursFor || now.Before(c.at) {
		hours, err := from.HostHours(ctx)
		if err != nil {
			return err
		}
		c.hours, c.at = hours, now
	}
	c.plans, c.closed = c.plans[:0], c.closed[:0]
	for i := range c.hours.Held {
		plan := policy.Narrow(policy.Document{}, c.hours.Held[i].At(now)).Hours
		c.plans, c.closed = append(c.plans, plan), append(c.closed, !plan.Collects(now))
	}
	return nil
}

// status is what a machine does, or that nothing of it is collected: unless it has reported
// of a time in which, by the same rule, nothing would have been.
func (c *closing) status(m *directory.Machine, does api.MachineStatus) api.MachineStatus {
	plan := c.hours.Of[m.Host]
	if plan >= len(c.closed) || !c.closed[plan] {
		return does
	}
	if does != api.MachineOffline && !c.plans[plan].Collects(m.LastSeen.Add(-time.Second)) {
		return does
	}
	return api.MachineNotCollected
}
