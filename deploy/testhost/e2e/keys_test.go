package e2e

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/testhost"
	"activity-tracker.example/testhost/debian"
)

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
}

// holdKeys holds three keys. A busy client lets go of a held key now and then by
// itself; how many strokes the session got, its X server shows: xorgxrdp releases a
// key once more than it presses it.
func (p *person) holdKeys(t *testing.T) {
	t.Helper()
	log := p.witness(t)
	for key, d := range map[rune]time.Duration{'j': 5 * time.Second, testhost.PageDown: 2 * time.Second, '\b': 2 * time.Second} {
		pressed, released := p.witnessed(t, log)
		if err := p.Hold(t.Context(), key, d); err != nil {
			t.Fatal(err)
		}
		var presses, strokes int64
		eventually(t, 10*time.Second, "the key is let go", func() error {
			nowPressed, nowReleased := p.witnessed(t, log)
			presses, strokes = nowPressed-pressed, nowReleased-released-(nowPressed-pressed)
			if strokes < 1 {
				return errors.New("not yet")
			}
			return nil
		})
		t.Logf("key %#x: %d presses, %d strokes", key, presses, strokes)
		if presses < 10 || strokes > presses/2 {
			t.Errorf("key %#x was not held: %d presses, %d strokes", key, presses, strokes)
		}
		p.did.Keys += strokes
	}
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
