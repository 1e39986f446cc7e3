package testmachine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/testhost"
	"activity-tracker.example/testhost/debian"
	"activity-tracker.example/testhost/internal/wait"
)

// start starts a machine that ends with the test.
func start(t *testing.T) *Machine {
	t.Helper()
	m, err := Start(t.Context(), Options{Recipe: Recipe(debian.Bookworm), Progress: os.Stderr})
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

// TestSuspend suspends and wakes a machine: its clock goes on, the time asleep is
// not the time awake, and the desktop still takes keys.
func TestSuspend(t *testing.T) {
	m := start(t)
	if err := m.Suspend(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Run(t.Context(), "true"); err == nil {
		t.Error("a sleeping machine ran a command")
	}
	if err := m.Wake(t.Context()); err != nil {
		t.Fatal(err)
	}
	listener := m.listenX(t)
	if _, err := m.Type(t.Context(), "awake"); err != nil {
		t.Fatal(err)
	}
	listener.want(t, map[string]int{"RawKeyPress": len("awake")})
}

// TestForward has a program of the machine's reach a server here, also after the
// connection was made anew.
func TestForward(t *testing.T) {
	m := start(t)
	server := newEcho(t)
	if err := m.Forward("127.0.0.1:8100", server); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		res, err := m.Exec(t.Context(), testhost.Command{Args: []string{"bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8100; echo \"it's me\" >&3; head -n 1 <&3"}})
		if err != nil || res.Stdout != "it's me\n" {
			t.Errorf("the machine got %q back: %v %s", res.Stdout, err, res.Stderr)
		}
		if err := m.connect(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// newEcho starts a server that sends back what it gets, and returns its address.
func newEcho(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				io.Copy(conn, conn)
			}()
		}
	}()
	return l.Addr().String()
}

// TestCommandEnds has a machine stand still under a command, which ends with its
// context all the same.
func TestCommandEnds(t *testing.T) {
	m := start(t)
	if err := m.qemu.monitor.run("stop", nil, nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := m.Run(ctx, "true"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a command on a machine that stands still: %v", err)
	}
}
