package upload

import (
	"errors"
	"time"

	"activity-tracker.example/hostd/outbound"
)

const (
	// backoffBase is the longest first pause after a failure.
	backoffBase = 2 * time.Second
	// backoffCap is the longest pause: the buffer holds days, so a server that
	// is back is found soon enough, and one that is not is left alone.
	backoffCap = 5 * time.Minute
	// backoffMinCap is the cap's least value where the period is shorter.
	backoffMinCap = 30 * time.Second
	// unauthorizedPause is the least pause after 401 or 403: only a person
	// mends that, and enrolling wakes the uploader.
	unauthorizedPause = time.Minute
)

// errUnauthorized is wrapped when the server does not take the credential.
var errUnauthorized = errors.New("the server refuses this host's credential; 'sudo trackctl doctor' says how to enrol again")

// failed notes a failure and returns how long to wait: full jitter, since hosts
// that failed together must not come back together.
func (u *Uploader) failed(target outbound.Target, err error, retryAfter time.Duration) pause {
	now := u.o.Now()
	if u.failedTo != target {
		u.fails = 0
	}
	u.failedTo = target
	p := pause{state: StateBackoff}
	switch {
	case errors.Is(err, errUnauthorized):
		p.state = StateUnauthorized
		p.until = now.Add(unauthorizedPause + u.part(backoffCap-unauthorizedPause))
	case retryAfter > 0:
		// All got the same answer: a little more for each spreads them.
		p.asked = true
		p.until = now.Add(retryAfter + u.part(min(retryAfter, backoffMinCap)/2))
	default:
		p.until = now.Add(u.part(u.longest()))
	}
	u.fails++
	u.mu.Lock()
	defer u.mu.Unlock()
	text := err.Error()
	if u.status.LastError == "" {
		u.o.Log.Warn("upload failed; events are kept and sent later", "error", err, "next_try", p.until.Sub(now).Round(time.Second))
	}
	u.status.LastError, u.status.LastErrorAt = text, now
	return p
}

// longest is the bound of the next pause: it doubles up to the cap.
func (u *Uploader) longest() time.Duration {
	limit := min(backoffCap, max(u.o.Period, backoffMinCap))
	if u.fails > 20 { // far beyond the cap, and not beyond an int64
		return limit
	}
	return min(limit, backoffBase<<u.fails)
}

// part is a random part of d.
func (u *Uploader) part(d time.Duration) time.Duration {
	return time.Duration(u.o.Random() * float64(d))
}
