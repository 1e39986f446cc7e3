package session

import (
	"math"
	"net/netip"
	"sync"
	"time"
)

// slowdown is how failed attempts make the next one wait.
type slowdown struct {
	// free is how many may fail without any wait.
	free float64
	// most is the longest wait: whoever knows the password gets in after it.
	most time.Duration
	// forget is how long it takes to forget one.
	forget time.Duration
}

// Of three counts each attempt must wait for the longest. None locks anybody out: a
// wait has an end, and what many addresses do to an account does not touch those from
// which its user has logged in.

// ofPair is for one account from one address: somebody who mistypes, or guesses.
func ofPair() slowdown { return slowdown{free: 5, most: time.Minute, forget: 5 * time.Minute} }

// ofAccount is for one account from wherever: many addresses guess for one name.
func ofAccount() slowdown { return slowdown{free: 20, most: 10 * time.Second, forget: time.Minute} }

// ofSite is for one address and whatever account: one password, many names.
func ofSite() slowdown { return slowdown{free: 50, most: 10 * time.Second, forget: 10 * time.Second} }

// ofCode is for codes of one account's second step, once the password was right: six
// digits are quickly guessed, and whoever gets that far knows the password.
func ofCode() slowdown { return slowdown{free: 5, most: 15 * time.Minute, forget: time.Hour} }

const (
	// maxCounted bounds the memory of each count, at about 400 bytes each.
	maxCounted = 10_000
	// siteBits is how much of an IPv6 address names one customer.
	siteBits = 64
	// familiarFor is for how long an address stays known to an account.
	familiarFor = 30 * 24 * time.Hour
)

// pair is an account and an address.
type pair struct {
	login string
	site  netip.Addr
}

// attempts counts failed logins. Names that nobody has are counted as others.
type attempts struct {
	now func() time.Time

	mu       sync.Mutex
	pairs    map[pair]count
	accounts map[string]count
	sites    map[netip.Addr]count
	codes    map[string]count
	// familiar are the addresses from which an account's user has logged in.
	familiar map[pair]time.Time
}

// count is how many failed, and when it was counted last.
type count struct {
	n  float64
	at time.Time
}

func newAttempts(now func() time.Time) *attempts {
	return &attempts{
		now: now, pairs: map[pair]count{}, accounts: map[string]count{}, sites: map[netip.Addr]count{},
		codes: map[string]count{}, familiar: map[pair]time.Time{},
	}
}

// begin counts an attempt as failed and returns 0, or how long to wait before it; then
// nothing is counted. Attempts at one time are counted one after the other.
func (a *attempts) begin(p pair) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	wait := ofPair().wait(a.pairs[p], now)
	familiar := a.isFamiliar(p, now)
	if !familiar {
		wait = max(wait, ofAccount().wait(a.accounts[p.login], now), ofSite().wait(a.sites[p.site], now))
	}
	if wait > 0 {
		return wait
	}
	add(a.pairs, p, ofPair(), now)
	if !familiar {
		add(a.accounts, p.login, ofAccount(), now)
	}
	return 0
}

// failed ends an attempt that failed. Only then it counts for the address: many people
// behind one log in at one time.
func (a *attempts) failed(p pair) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := a.now(); !a.isFamiliar(p, now) {
		add(a.sites, p.site, ofSite(), now)
	}
}

// beginCode is begin for a code of the second step, behind a right password.
func (a *attempts) beginCode(p pair) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	if a.isFamiliar(p, now) {
		return 0
	}
	wait := ofCode().wait(a.codes[p.login], now)
	if wait == 0 {
		add(a.codes, p.login, ofCode(), now)
	}
	return wait
}

// undo takes an attempt back that was neither right nor wrong.
func (a *attempts) undo(p pair) {
	a.mu.Lock()
	defer a.mu.Unlock()
	less(a.pairs, p)
	if !a.isFamiliar(p, a.now()) {
		less(a.accounts, p.login)
	}
}

// succeeded ends an attempt that was right.
func (a *attempts) succeeded(p pair) {
	a.undo(p)
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.pairs, p)
	less(a.codes, p.login)
	room(a.familiar)
	a.familiar[p] = a.now()
}

func (a *attempts) isFamiliar(p pair, now time.Time) bool {
	at, ok := a.familiar[p]
	return ok && now.Sub(at) < familiarFor
}

// left is how many are still counted.
func (s slowdown) left(c count, now time.Time) float64 {
	return max(0, c.n-float64(now.Sub(c.at))/float64(s.forget))
}

// wait is how long the next attempt must still wait: a second for the first that is
// not free, and twice as long for each further one.
func (s slowdown) wait(c count, now time.Time) time.Duration {
	over := math.Round(c.n) - s.free
	if over < 0 {
		return 0
	}
	delay := min(float64(s.most), float64(time.Second)*math.Exp2(over))
	return max(0, time.Duration(delay)-now.Sub(c.at))
}

func add[K comparable](counts map[K]count, k K, s slowdown, now time.Time) {
	c, ok := counts[k]
	if !ok {
		room(counts)
	}
	counts[k] = count{n: s.left(c, now) + 1, at: now}
}

func less[K comparable](counts map[K]count, k K) {
	if c, ok := counts[k]; ok {
		c.n = max(0, c.n-1)
		counts[k] = c
	}
}

// room makes room for one more. Forgetting a failure is harmless; running out of
// memory is not, nor is looking through all of them at each attempt: a quarter goes at
// once.
func room[K comparable, V any](m map[K]V) {
	if len(m) < maxCounted {
		return
	}
	for k := range m {
		delete(m, k)
		if len(m) <= maxCounted*3/4 {
			return
		}
	}
}

// siteOf is the part of an address that names one customer.
func siteOf(addr netip.Addr) netip.Addr {
	if addr = addr.Unmap().WithZone(""); addr.Is6() {
		if prefix, err := addr.Prefix(siteBits); err == nil {
			return prefix.Addr()
		}
	}
	return addr
}
