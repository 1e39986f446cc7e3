package auth

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// FailureBurst is how many attempts may fail in a row before an address has
	// to wait: more than a person mistypes.
	FailureBurst = 20
	// FailureEvery is how long it takes to earn one more attempt.
	FailureEvery = 6 * time.Second
	// maxAddresses bounds the memory, at about 150 bytes each.
	maxAddresses = 10_000
	// siteBits is how much of an IPv6 address names one customer.
	siteBits = 64
)

// Failures counts failed attempts by client address.
type Failures struct {
	burst int
	every time.Duration
	now   func() time.Time

	mu sync.Mutex
	// attempts are those that an address may still fail with.
	attempts map[netip.Addr]*rate.Limiter
}

// NewFailures allows burst failed attempts at once and one more after each
// time.
func NewFailures(burst int, every time.Duration, now func() time.Time) *Failures {
	return &Failures{burst: burst, every: every, now: now, attempts: make(map[netip.Addr]*rate.Limiter)}
}

// Failed notes one failed attempt. It reports whether that was one too many and how
// long to wait before the next.
func (f *Failures) Failed(addr netip.Addr) (wait time.Duration, limited bool) {
	if addr.Is6() {
		if prefix, err := addr.WithZone("").Prefix(siteBits); err == nil {
			addr = prefix.Addr()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	attempts := f.attempts[addr]
	if attempts == nil {
		f.makeRoom(now)
		attempts = rate.NewLimiter(rate.Every(f.every), f.burst)
		f.attempts[addr] = attempts
	}
	attempt := attempts.ReserveN(now, 1)
	wait = attempt.DelayFrom(now)
	if wait > 0 {
		// One that is refused costs nothing: waiting as long as the reply asks for helps.
		attempt.CancelAt(now)
	}
	return wait, wait > 0
}

func (f *Failures) makeRoom(now time.Time) {
	if len(f.attempts) < maxAddresses {
		return
	}
	for addr, attempts := range f.attempts {
		if attempts.TokensAt(now) >= float64(f.burst) {
			delete(f.attempts, addr)
		}
	}
	// Forgetting a failure is harmless; running out of memory is not, nor is
	// looking through all of them at each attempt: a quarter goes at once.
	for addr := range f.attempts {
		if len(f.attempts) <= maxAddresses*3/4 {
			return
		}
		delete(f.attempts, addr)
	}
}
