package testmachine

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/testhost/debian"
	"activity-tracker.example/testhost/internal/wait"
)

// start starts a machine that ends with the test.
func start(t *testing.T) *Machine {
	t.Helper()
	m, err := Start(t.Context(), Options{Suite: debian.Bookworm, Progress: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func (m *Machine) mustRun(t *testing.T, args ...string) string {
	t.Helper()
	out, err := m.Run(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestSeat types, clicks, scrolls and moves a known amount. X's own listener on
// the seat's display must have seen exactly that.
func TestSeat(t *testing.T) {
	m := start(t)
	want := "Type=x11 Class=user Active=yes State=active Seat=seat0 VTNr=7"
	shown := m.mustRun(t, "sh", "-c", "loginctl show-session $(loginctl --no-legend | awk '$3 == \"alice\" {print $1}')")
	for _, property := range strings.Fields(want) {
		if !strings.Contains(shown, property+"\n") {
			t.Errorf("the session of alice has no %s:\n%s", property, shown)
		}
	}
	listener := m.listenX(t)
	const keys, clicks, steps = 30, 7, 5
	if n, err := m.Type(t.Context(), strings.Repeat("a", keys-1)+"\n"); n != keys || err != nil {
		t.Fatalf("typed %d keys: %v", n, err)
	}
	if err := m.Click(t.Context(), clicks, "left"); err != nil {
		t.Fatal(err)
	}
	if err := m.Scroll(t.Context(), steps); err != nil {
		t.Fatal(err)
	}
	if n, err := m.Move(t.Context(), 120, -45); n != 165 || err != nil {
		t.Fatalf("moved by %d: %v", n, err)
	}
	listener.want(t, map[string]int{"RawKeyPress": keys, "RawButtonPress": clicks + steps})
}

// listener is X's own listener on the display of the seat.
type listener struct {
	machine *Machine
	log     string
}

// listenX starts xinput on alice's display, and waits until it listens.
func (m *Machine) listenX(t *testing.T) listener {
	t.Helper()
	l := listener{machine: m, log: "/tmp/xinput.log"}
	m.mustRun(t, "systemd-run", "--quiet", "--uid=alice", "--setenv=DISPLAY=:0", "sh", "-c", "exec stdbuf -oL xinput test-xi2 --root >"+l.log)
	eventually(t, func() error {
		out, err := m.Run(t.Context(), "cat", l.log)
		if err == nil && !strings.Contains(out, "DeviceChanged") && !strings.Contains(out, "EVENT") {
			// It prints its first event once the pointer moves.
			_, err = m.Move(t.Context(), 1, 0)
			return fmt.Errorf("xinput has printed %q: %w", out, err)
		}
		return err
	})
	return l
}

// want waits until the numbers of raw events of these types are so, and checks
// that they are not exceeded.
func (l listener) want(t *testing.T, counts map[string]int) {
	t.Helper()
	eventually(t, func() error {
		out, err := l.machine.Run(t.Context(), "cat", l.log)
		if err != nil {
			return err
		}
		for name, want := range counts {
			all := regexp.MustCompile(`(?m)^EVENT type \d+ \(`+name+`\)`).FindAllString(out, -1)
			if len(all) != want {
				return fmt.Errorf("X has seen %d of %s, want %d", len(all), name, want)
			}
		}
		return nil
	})
}

// eventually waits until check finds nothing wrong any more.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	var last error
	err := wait.Until(t.Context(), func() (bool, error) {
		last = check()
		return last == nil || time.Now().After(deadline), nil
	})
	if err != nil || last != nil {
		t.Fatalf("not within two minutes: %v %v", last, err)
	}
}
