package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/testhost/debian"
)

// TestRestarts disturbs everything that tracking goes through, while two users
// type. Tracking must go on and no key may be lost or counted twice.
func TestRestarts(t *testing.T) {
	t.Parallel()
	restarts(t, debian.Bookworm)
}

func restarts(t *testing.T, suite debian.Suite) {
	h := trackedHost(t, suite, newServer(t))
	defer h.showLogOnFailure(t)
	people := loginAtOnce(t, h, "alice", "bob")
	for _, disturb := range []struct {
		name string
		do   func(*testing.T)
	}{
		{"trackerd restarted", func(t *testing.T) { h.run(t, "systemctl", "restart", "trackerd") }},
		{"trackerd killed", h.killTrackerd},
		{"trackerd killed twice", func(t *testing.T) { h.killTrackerd(t); h.killTrackerd(t) }},
		{"logind restarted", func(t *testing.T) { h.run(t, "systemctl", "restart", "systemd-logind") }},
		{"logind killed", func(t *testing.T) {
			h.run(t, "systemctl", "kill", "--kill-who=main", "--signal=KILL", "systemd-logind")
		}},
	} {
		t.Run(disturb.name, func(t *testing.T) {
			helpers := [2]string{}
			for i, p := range people {
				helpers[i] = h.helperPID(t, p.Session.ID)
			}
			stop := keepTyping(t, people...)
			at := time.Now()
			disturb.do(t)
			for _, p := range people {
				h.waitTracked(t, p.Session.ID, at.Add(time.Second))
			}
			stop()
			wantTold(t, people...)
			for i, p := range people {
				if now := h.helperPID(t, p.Session.ID); now != helpers[i] {
					t.Errorf("the helper of %s was process %s and is %s", p.name, helpers[i], now)
				}
			}
		})
		if t.Failed() {
			return
		}
	}
	t.Run("xrdp restarted", func(t *testing.T) { restartXRDP(t, h, people[0], people[1]) })
	t.Run("helper killed", func(t *testing.T) { killHelper(t, h, people[1]) })
	t.Run("helper without a word", func(t *testing.T) { muteHelper(t, h, people[1]) })
}

// keepTyping has people type until the returned function is called.
func keepTyping(t *testing.T, people ...*person) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, len(people))
	for _, p := range people {
		go func() {
			for ctx.Err() == nil {
				// Each burst whole: what was begun to be typed is counted.
				if err := p.work(context.WithoutCancel(ctx), 5, 1, 1, 2); err != nil {
					done <- fmt.Errorf("%s at work: %w", p.name, err)
					return
				}
			}
			done <- nil
		}()
	}
	return func() {
		t.Helper()
		cancel()
		for range people {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
	}
}

// killTrackerd kills the daemon and waits until systemd has a new one.
func (h *host) killTrackerd(t *testing.T) {
	t.Helper()
	pid := h.run(t, "systemctl", "show", "--property=MainPID", "--value", "trackerd")
	h.run(t, "kill", "-9", pid)
	eventually(t, 30*time.Second, "trackerd runs again", func() error {
		out, err := h.Run(t.Context(), "systemctl", "show", "--property=MainPID,SubState", "trackerd")
		if err == nil && (strings.Contains(out, "MainPID="+pid+"\n") || !strings.Contains(out, "SubState=running")) {
			err = fmt.Errorf("systemd says %q", out)
		}
		return err
	})
}

// restartXRDP cuts all connections while somebody types. What was on its way is
// nobody's: what arrived, the session's own X server shows; a key that was down and
// never let go is no stroke yet. The sessions live on
// without anybody being able to reach them; who logs in again has two, which
// add up.
func restartXRDP(t *testing.T, h *host, typing, idle *person) {
	orphan := typing.Session
	seen := typing.witnessKeys(t)
	before := seen(t)
	strokes := typing.wholeStrokes(t)
	typed := make(chan error, 1)
	go func() { typed <- typing.typeUntilCut(t.Context()) }()
	eventually(t, 20*time.Second, "typing is under way", func() error {
		if n := seen(t); n < before+20 {
			return fmt.Errorf("%d keys so far", n-before)
		}
		return nil
	})
	h.run(t, "systemctl", "restart", "xrdp")
	if err := h.WaitRDP(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*person{typing, idle} {
		if err := p.Disconnect(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("the typing ended with: %v", <-typed)
	typing.did.Keys += strokes(t)
	for _, p := range []*person{typing, idle} {
		p.loginAgain(t)
		p.mustWork(t, 40, 1, 1, 1)
	}
	t.Logf("%s had session %s and has %s", typing.name, orphan.ID, typing.Session.ID)
	wantTold(t, typing, idle)
	typing.settled(t, time.Now().Add(interval*time.Second))
	wantTold(t, typing, idle)
}

// typeUntilCut types until the client is gone, and returns how that showed.
func (p *person) typeUntilCut(ctx context.Context) error {
	const longest = 60 * time.Second
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	for {
		if _, err := p.Type(ctx, "aaaaa"); err != nil {
			return err
		}
	}
}

// witnessKeys has xinput write down the key presses of p's session, and returns
// what counts them.
func (p *person) witnessKeys(t *testing.T) func(*testing.T) int64 {
	t.Helper()
	log := "/tmp/witness-" + p.Session.ID
	if _, err := p.RunInSession(t.Context(), "sh", "-c",
		`: >"$1"; stdbuf -oL xinput test-xi2 --root >"$1" 2>&1 &`, "sh", log); err != nil {
		t.Fatal(err)
	}
	count := func(t *testing.T) int64 {
		t.Helper()
		n, err := strconv.ParseInt(p.host.run(t, "sh", "-c", `grep -c '(RawKeyPress)' "$1" || true`, "sh", log), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	// It listens once it writes down a key that was typed for it.
	eventually(t, 10*time.Second, "xinput listens", func() error {
		before := count(t)
		p.mustWork(t, 1, 0, 0, 0)
		for range 5 {
			if count(t) > before {
				return nil
			}
		}
		return errors.New("it has not seen the key")
	})
	return count
}

// wholeStrokes returns what counts the keys that were pressed and let go from now on.
// xorgxrdp lets each key go once more before it is pressed.
func (p *person) wholeStrokes(t *testing.T) func(*testing.T) int64 {
	t.Helper()
	log := "/tmp/witness-" + p.Session.ID
	_, before := p.witnessed(t, log)
	return func(t *testing.T) int64 {
		t.Helper()
		const releases = 2
		_, after := p.witnessed(t, log)
		return (after - before) / releases
	}
}

// muteHelper has a program in the helper's place that never reports. Its session is
// shown as starting, although the helper before it has reported a moment ago.
func muteHelper(t *testing.T, h *host, p *person) {
	const replace = `mv "$1" "$1.kept"; printf '#!/bin/sh\nexec sleep 300\n' >"$1"; chmod 755 "$1"`
	const sessiond = "/usr/libexec/trackerd/sessiond"
	h.run(t, "sh", "-ec", replace, "sh", sessiond)
	h.waitTracked(t, p.Session.ID, time.Now())
	helper := h.helperPID(t, p.Session.ID)
	h.run(t, "kill", "-9", helper)
	eventually(t, 30*time.Second, "another helper runs", func() error {
		if now := h.helperPID(t, p.Session.ID); now == helper || now == "0" {
			return fmt.Errorf("it is process %s", now)
		}
		return nil
	})
	eventually(t, 10*time.Second, "its session is starting", func() error {
		list, err := h.sessions(t)
		if err == nil && !slices.ContainsFunc(list, func(s session) bool { return s.ID == p.Session.ID && s.State == "starting" }) {
			err = fmt.Errorf("the sessions are %+v", list)
		}
		return err
	})
	h.run(t, "mv", sessiond+".kept", sessiond)
	at := time.Now()
	h.run(t, "kill", "-9", h.helperPID(t, p.Session.ID))
	h.waitTracked(t, p.Session.ID, at)
}

// killHelper kills what counts. What it had not reported yet is lost, but
// nothing else, and nothing is counted that was not typed.
func killHelper(t *testing.T, h *host, p *person) {
	p.mustWork(t, 50, 0, 0, 0)
	wantTold(t, p)
	safe := p.did

	stop := keepTyping(t, p)
	helper := h.helperPID(t, p.Session.ID)
	at := time.Now()
	h.run(t, "kill", "-9", helper)
	h.waitTracked(t, p.Session.ID, at)
	if now := h.helperPID(t, p.Session.ID); now == helper || now == "0" {
		t.Errorf("the helper was process %s and is %s", helper, now)
	}
	stop()
	atMost := p.did

	p.mustWork(t, 45, 0, 0, 0)
	p.settled(t, time.Now().Add(interval*time.Second))
	told, err := p.told(t)
	if err != nil {
		t.Fatal(err)
	}
	least, most := safe.Keys+45, atMost.Keys+45
	if told.Keys < least || told.Keys > most {
		t.Errorf("the API tells of %d keys, want %d to %d", told.Keys, least, most)
	}
	t.Logf("killing the helper lost %d of %d keys", most-told.Keys, most-least)
}
