package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/testhost"
	"activity-tracker.example/testhost/debian"
)

// restrike is within what time the helper takes a key for the one that was let go.
const restrike = 50 * time.Millisecond

// TestEachStrokeCountsOnce has somebody hold keys, type so fast that keys overlap,
// and use the lock keys, on a client that repeats held keys as presses.
func TestEachStrokeCountsOnce(t *testing.T) { onSuites(t, eachStrokeCountsOnce) }

func eachStrokeCountsOnce(t *testing.T, suite debian.Suite) {
	h := trackedHost(t, suite, newServer(t))
	defer h.showLogOnFailure(t)
	p := h.login(t, "alice")
	p.holdKeys(t)
	const overlapping = "abcdefghijklmnopqrst"
	for range 3 {
		if err := p.TypeOverlapping(t.Context(), overlapping); err != nil {
			t.Fatal(err)
		}
		p.did.Keys += int64(len(overlapping))
	}
	wantTold(t, p)
	p.useLocks(t)
	wantTold(t, p)

	// A client whose lights are on already: the server makes them be on there.
	if err := p.Disconnect(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.LockKeys()
	if err := p.Reconnect(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.mustWork(t, 10, 0, 0, 0)
	wantTold(t, p)

	// And one whose lights are on when the session begins.
	if err := p.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.locks = true
	p.loginAgain(t)
	p.mustWork(t, 10, 0, 0, 0)
	wantTold(t, p)
}

// holdKeys holds three keys. A client that is busy lets go of a held key now and
// then by itself, as of the first repeat, or for long: some of it is taken for a
// stroke, also later, when a client lets go of what nobody holds.
func (p *person) holdKeys(t *testing.T) {
	t.Helper()
	log := p.witness(t)
	held := map[rune]time.Duration{'j': 5 * time.Second, testhost.PageDown: 2 * time.Second, '\b': 2 * time.Second}
	before := p.did.Keys
	firstPress, firstRelease := p.witnessed(t, log)
	for key, d := range held {
		// A hand takes longer to its next key. The helper keeps no key: what is pressed within
		// 50 ms of letting a repeating one go may be that one, which a busy client let go.
		<-time.After(2 * restrike)
		pressed, _ := p.witnessed(t, log)
		if err := p.Hold(t.Context(), key, d); err != nil {
			t.Fatal(err)
		}
		eventually(t, 20*time.Second, "the held key repeats", func() error {
			if presses, _ := p.witnessed(t, log); presses-pressed < 10 {
				return fmt.Errorf("key %#x: %d presses", key, presses-pressed)
			}
			return nil
		})
	}
	p.settled(t, time.Now())
	// By now the witness has written down the last ones, too.
	all, releases := p.witnessed(t, log)
	all -= firstPress
	byItself := max(releases-firstRelease-all-int64(len(held)), 0)
	t.Logf("%d presses of %d keys, let go by the client itself %d times", all, len(held), byItself)
	p.did.Keys += int64(len(held))
	eventually(t, 20*time.Second, "the held keys are told", func() error {
		told, err := p.told(t)
		if err == nil && (told.Keys < p.did.Keys || told.Keys-before+told.Repeats < all-byItself) {
			err = fmt.Errorf("told are %d keys and %d repeats, want %d and in all %d (%d before)", told.Keys, told.Repeats, p.did.Keys, all-byItself, before)
		}
		return err
	})
	told, err := p.told(t)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d keys and %d repeats are told", told.Keys-before, told.Repeats)
	if told.Keys > p.did.Keys+(byItself+1)/2 {
		t.Errorf("%d keys are told, pressed were %d, and the client let go of them %d times", told.Keys, p.did.Keys, byItself)
	}
	// Of a press that the client ends by itself it may stay open whether it was one.
	repeats := all - (told.Keys - before)
	p.open = repeats - told.Repeats
	if p.open < 0 || p.open > byItself {
		t.Errorf("%d repeats are told of %d presses, %d of which are keys; want %d, or up to %d less", told.Repeats, all, told.Keys-before, repeats, byItself)
	}
	p.did.Keys, p.did.Repeats = told.Keys, told.Repeats
}

// useLocks presses lock keys within the session, and outside of it.
func (p *person) useLocks(t *testing.T) {
	t.Helper()
	press := func(keys ...rune) func() error {
		return func() error {
			for _, key := range keys {
				if err := p.Press(t.Context(), key); err != nil {
					return err
				}
			}
			return nil
		}
	}
	for range 2 {
		if err := p.Elsewhere(t.Context(), press()); err != nil {
			t.Fatal(err)
		}
		if err := press(testhost.CapsLock)(); err != nil {
			t.Fatal(err)
		}
		p.did.Keys++
		if err := p.Elsewhere(t.Context(), press(testhost.CapsLock, testhost.NumLock)); err != nil {
			t.Fatal(err)
		}
		p.mustWork(t, 5, 0, 0, 0)
	}
}

// witness has xinput write down the keys of p's session.
func (p *person) witness(t *testing.T) (log string) {
	t.Helper()
	p.witnessKeys(t)
	return "/tmp/witness-" + p.Session.ID
}

// witnessed returns how many presses and releases were written down.
func (p *person) witnessed(t *testing.T, log string) (presses, releases int64) {
	t.Helper()
	out := p.host.run(t, "sh", "-c", `grep -c '(RawKeyPress)' "$1"; grep -c '(RawKeyRelease)' "$1"; true`, "sh", log)
	lines := strings.Fields(out)
	if len(lines) != 2 {
		t.Fatalf("the witness has %q", out)
	}
	for i, n := range []*int64{&presses, &releases} {
		var err error
		if *n, err = strconv.ParseInt(lines[i], 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	return presses, releases
}
