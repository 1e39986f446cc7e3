package helper

import (
	"math/rand/v2"
	"time"
)

const (
	// firstRestart is the wait before a helper's first restart. What is typed
	// meanwhile is not counted, so it is short; after a logout it is long
	// enough for logind to report it first.
	firstRestart = 500 * time.Millisecond
	// maxRestart is the longest wait, for a helper that fails again and again.
	maxRestart = 60 * time.Second
	// steadyAfter is how long a helper has to live for its next restart to be
	// a first one again.
	steadyAfter = 2 * time.Minute
)

// backoff returns growing waits. The zero value is ready for use.
type backoff struct {
	failures int
}

// next returns the wait after a helper that lived for so long. Up to a fifth is
// added at random, so that the helpers of a host do not start in step.
func (b *backoff) next(lived time.Duration) time.Duration {
	if lived >= steadyAfter {
		b.failures = 0
	}
	d := maxRestart
	const enoughDoublings = 10 // 500 ms doubled so often is over maxRestart
	if b.failures < enoughDoublings {
		d = min(firstRestart<<b.failures, maxRestart)
	}
	b.failures++
	const jitterPart = 5
	return d + rand.N(d/jitterPart) //nolint:gosec // spreads load, keeps no secret
}
