package auth

import (
	"net/netip"
	"sync"
	"time"
)

const (
	// FailureBurst is how many attempts may fail in a row before an address is
	// told to wait: more than a person mistypes.
	FailureBurst = 20
	// FailureEvery is how long it takes to earn one more attempt.
	FailureEvery = 6 * time.Second
	// maxAddresses bounds the memory, at about 100 bytes each.
	maxAddresses = 10_000
	// siteBits is how much of an IPv6 address names one customer.
	siteBits = 64
)

// Failures counts failed attempts by client address, each with a bucket of
// attempts that fills up again.
type Failures struct {
	burst int
	every time.Duration
	now   func() time.Time

	mu     sync.Mutex
	fullAt map[netip.Addr]time.Time
}

// NewFailures allows burst failed attempts at once and one more after each
// time.
func NewFailures(burst int, every time.Duration, now func() time.Time) *Failures {
	return &Failures{burst: burst, every: every, now: now, fullAt: make(map[netip.Addr]time.Time)}
}

// Failed notes one failed attempt, and says whether that was one too many and
// how long to wait before the next.
func (f *Failures) Failed(addr netip.Addr) (wait time.Duration, limited bool) {
	if addr.Is6() {
		if prefix, err := addr.WithZone("").Prefix(siteBits); err == nil {
			addr = prefix.Addr()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	// The bucket is kept as the time at which it will be full again: each
	// attempt moves it on by one step.
	full := f.fullAt[addr]
	if full.Before(now) {
		full = now
	}
	next := full.Add(f.every)
	if over := next.Sub(now) - time.Duration(f.burst)*f.every; over > 0 {
		return over, true
	}
	f.makeRoom(now)
	f.fullAt[addr] = next
	return 0, false
}

func (f *Failures) makeRoom(now time.Time) {
	if len(f.fullAt) < maxAddresses {
		return
	}
	for addr, full := range f.fullAt {
		if !full.After(now) {
			delete(f.fullAt, addr)
		}
	}
	// Forgetting a failure is harmless; running out of memory is not, nor is
	// looking through all of them at each attempt: a quarter goes at once.
	for addr := range f.fullAt {
		if len(f.fullAt) <= maxAddresses*3/4 {
			return
		}
		delete(f.fullAt, addr)
	}
}
