package session

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func addr(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, n)))
}

// clock is one that stands still until it is put forward.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{time.Unix(1_700_000_000, 0)} }

func (c *clock) attempts() *attempts { return newAttempts(func() time.Time { return c.now }) }

// fail tries and fails; it must not have to wait.
func fail(t *testing.T, a *attempts, p pair) {
	t.Helper()
	if wait := a.begin(p); wait > 0 {
		t.Fatalf("has to wait for %v", wait)
	}
	a.failed(p)
}

// For one name from one address the wait grows to a minute, and no further: who knows
// the password gets in after it.
func TestWaitGrows(t *testing.T) {
	c := newClock()
	a, p := c.attempts(), pair{"anna", addr(1)}
	for range 5 {
		fail(t, a, p)
	}
	for _, want := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second, time.Minute, time.Minute} {
		wait := a.begin(p)
		// What is refused costs nothing: waiting as long as was asked helps.
		if again := a.begin(p); wait != want || again != wait {
			t.Errorf("the wait is %v, then %v, want %v", wait, again, want)
		}
		c.now = c.now.Add(wait)
		fail(t, a, p)
	}
	c.now = c.now.Add(time.Minute)
	if wait := a.begin(p); wait > 0 {
		t.Fatalf("who waited must wait for %v", wait)
	}
	a.succeeded(p)
	for range 5 {
		fail(t, a, p)
	}
	// After a while it is forgotten.
	c.now = c.now.Add(24 * time.Hour)
	for range 5 {
		fail(t, a, p)
	}
}

// Attempts that run at one time are counted before any has failed.
func TestAttemptsAtOneTime(t *testing.T) {
	a, p := newClock().attempts(), pair{"anna", addr(1)}
	let := 0
	for range 1000 {
		if a.begin(p) == 0 {
			let++
		}
	}
	if let != 5 {
		t.Errorf("%d were let in", let)
	}
}

// Many addresses that guess for one name wait, at most ten seconds each time; whoever
// logged in from an address before does not wait there for what others do.
func TestManyAddressesLockNobodyOut(t *testing.T) {
	c := newClock()
	a, home := c.attempts(), pair{"anna", addr(1)}
	if a.begin(home) > 0 {
		t.Fatal("has to wait")
	}
	a.succeeded(home)
	let := 0
	for i := range uint32(1000) {
		p := pair{"anna", addr(100 + i)}
		if a.begin(p) == 0 {
			a.failed(p)
			let++
		}
	}
	if let != 20 {
		t.Errorf("%d guesses were let in", let)
	}
	for range 10 {
		c.now = c.now.Add(a.begin(pair{"anna", addr(99)}))
		fail(t, a, pair{"anna", addr(99 - uint32(let))})
		let++
	}
	stranger := pair{"anna", addr(5)}
	if wait := a.begin(stranger); wait != 10*time.Second {
		t.Errorf("from elsewhere the wait is %v", wait)
	}
	if wait := a.begin(home); wait > 0 {
		t.Errorf("at home the wait is %v", wait)
	}
	a.succeeded(home)
	if wait := a.begin(stranger); wait != 10*time.Second {
		t.Errorf("a login at home changes the wait from elsewhere to %v", wait)
	}
}

// One address that tries many names waits, and not those behind it who logged in
// before.
func TestManyNamesFromOneAddress(t *testing.T) {
	c := newClock()
	a, familiar := c.attempts(), pair{"berta", addr(1)}
	if a.begin(familiar) > 0 {
		t.Fatal("has to wait")
	}
	a.succeeded(familiar)
	let := 0
	for i := range 1000 {
		if p := (pair{fmt.Sprint("name", i), addr(1)}); a.begin(p) == 0 {
			a.failed(p)
			let++
		}
	}
	if let != 50 {
		t.Errorf("%d names were let in", let)
	}
	if a.begin(pair{"anna", addr(1)}) == 0 || a.begin(familiar) > 0 || a.begin(pair{"anna", addr(2)}) > 0 {
		t.Error("the wrong ones wait")
	}
}

// Who knows a password and guesses codes waits longer, from wherever; the user does not,
// where they have logged in before.
func TestGuessedCodes(t *testing.T) {
	c := newClock()
	a, home := c.attempts(), pair{"anna", addr(1)}
	if a.begin(home) > 0 || a.beginCode(home) > 0 {
		t.Fatal("has to wait")
	}
	a.succeeded(home)
	let := 0
	var longest time.Duration
	for i := range uint32(100) {
		wait := a.beginCode(pair{"anna", addr(100 + i)})
		if wait == 0 {
			let++
		}
		longest = max(longest, wait)
		c.now = c.now.Add(wait)
	}
	if let < 40 || let > 60 || longest < 10*time.Minute {
		t.Errorf("%d were let in, the longest wait is %v", let, longest)
	}
	for range 100 {
		if wait := a.beginCode(home); wait > 0 {
			t.Fatalf("at home the wait is %v", wait)
		}
	}
}

func TestSites(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8::1": "2001:db8::", "2001:db8::2": "2001:db8::", "2001:db8:0:1::1": "2001:db8:0:1::", "fe80::1%eth0": "fe80::",
	} {
		if got := siteOf(netip.MustParseAddr(text)); got.String() != want {
			t.Errorf("%s: %s", text, got)
		}
	}
	if siteOf(netip.Addr{}) != (netip.Addr{}) {
		t.Error("a socket has a site")
	}
}

func TestAttemptsBoundTheirMemory(t *testing.T) {
	a := newClock().attempts()
	for i := range uint32(3 * maxCounted) {
		p := pair{fmt.Sprint(i), addr(i)}
		a.begin(p)
		a.beginCode(p)
		a.failed(p)
		a.succeeded(p)
		a.begin(p)
	}
	for _, n := range []int{len(a.pairs), len(a.accounts), len(a.sites), len(a.codes), len(a.familiar)} {
		if n > maxCounted {
			t.Errorf("%d are kept, at most %d", n, maxCounted)
		}
	}
}
