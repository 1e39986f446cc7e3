package main

import (
	"bytes"
	"context"
	"errors"
	"image/jpeg"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/internal/helpertest"
	"activity-tracker.example/sessiond/internal/launch"
	"activity-tracker.example/sessiond/internal/xtest"
	"activity-tracker.example/sessiond/wire"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// buildDir names the environment variable with the folder in which binary builds.
const buildDir = "SHOT_TEST_BUILD_DIR"

var binary = sync.OnceValues(func() (string, error) { return helpertest.Build(os.Getenv(buildDir)) })

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "shot-test")
	if err == nil {
		err = os.Setenv(buildDir, dir)
	}
	if err != nil {
		println("making a folder for the tests:", err.Error())
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }() // in /tmp
	return m.Run()
}

// result is all that a shot sent.
type result struct {
	head wire.Picture
	jpeg []byte
	code int
}

// shoot runs the program with rules on its socket, as trackerd does.
func shoot(t *testing.T, rules []byte, confine bool, args ...string) result {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := fds[0], os.NewFile(uintptr(fds[1]), "socket")
	defer func() { _ = unix.Close(ours) }()
	if rules != nil {
		if err := unix.Send(ours, rules, 0); err != nil {
			t.Fatal(err)
		}
	}
	limit := unix.NsecToTimeval(patience.Nanoseconds())
	if err := unix.SetsockoptTimeval(ours, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	if cmd.Stdin = theirs; confine {
		cmd.Stdin, cmd.Stdout = nil, theirs
	}
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = theirs.Close() // the program has its own
	r := read(t, ours)
	var failed *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	r.code = cmd.ProcessState.ExitCode()
	return r
}

func read(t *testing.T, fd int) (r result) {
	t.Helper()
	for first := true; ; first = false {
		b := make([]byte, wire.PicturePartBytes+1)
		n, err := unix.Read(fd, b)
		// It ended and left the rules unread; or a signal, as the runtime sends its own.
		for errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EINTR) {
			n, err = unix.Read(fd, b)
		}
		switch {
		case err != nil:
			t.Fatal(err)
		case n == 0:
			return r
		case first:
			if r.head, err = wire.ParsePicture(b[:n]); err != nil {
				t.Fatal(err)
			}
		default:
			r.jpeg = append(r.jpeg, b[:n]...)
		}
	}
}

func packet(r wire.Rules) []byte {
	r.ID = 1
	return wire.AppendRules(nil, &r)
}

// Both ways of confining take a picture, whose size is as it was announced.
func TestShot(t *testing.T) {
	t.Parallel()
	s := xtest.Xvfb(t)
	for _, c := range []struct {
		kind    string
		confine bool
		w, h    int
	}{{"readable", true, 500, 350}, {"blurred", false, 62, 43}} {
		t.Run(c.kind, func(t *testing.T) {
			t.Parallel()
			r := shoot(t, packet(wire.Rules{Titles: true}), c.confine, "--display", s.Display, "--kind", c.kind)
			got, err := jpeg.DecodeConfig(bytes.NewReader(r.jpeg))
			if err != nil || got.Width != c.w || got.Height != c.h || r.head.Bytes != len(r.jpeg) || r.code != launch.ExitOK || !r.head.Shared {
				t.Errorf("%+v, %+v of %d bytes, %v, exit code %d", got, r.head, len(r.jpeg), err, r.code)
			}
		})
	}
}

func TestNoShot(t *testing.T) {
	t.Parallel()
	s := xtest.Xvfb(t)
	xtest.NewClient(t, s).Window("Secrets", "x")
	for name, c := range map[string]struct {
		rules   []byte
		display string
		want    wire.Outcome
		code    int
	}{
		"a covered window": {packet(wire.Rules{Titles: true, Lists: [][]wire.Rule{{{App: "Secrets"}}}}), s.Display, wire.OutcomeWindow, launch.ExitOK},
		"titles are off":   {packet(wire.Rules{}), s.Display, wire.OutcomeWindow, launch.ExitOK},
		"no rules":         {nil, s.Display, wire.OutcomeRules, launch.ExitOK},
		"bad rules":        {packet(wire.Rules{Titles: true, Lists: [][]wire.Rule{{{App: "("}}}}), s.Display, wire.OutcomeRules, launch.ExitOK},
		"nonsense":         {[]byte("x"), s.Display, wire.OutcomeRules, launch.ExitOK},
		"no display":       {packet(wire.Rules{Titles: true}), ":59001", wire.OutcomeDisplay, launch.ExitOpen},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := shoot(t, c.rules, true, "--display", c.display, "--kind", "readable")
			if r.head.Outcome != c.want || r.jpeg != nil || r.code != c.code {
				t.Errorf("%+v, %d bytes, exit code %d", r.head, len(r.jpeg), r.code)
			}
		})
	}
}

// TestServerSilent stops the X server: the program ends by itself.
func TestServerSilent(t *testing.T) {
	t.Parallel()
	s := xtest.Xvfb(t)
	if err := s.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Signal(unix.SIGCONT) })
	if r := shoot(t, packet(wire.Rules{Titles: true}), true, "--display", s.Display, "--kind", "blurred"); r.code != launch.ExitProtocol || r.jpeg != nil {
		t.Errorf("%+v", r)
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		nil, {"--display", ":1"}, {"--kind", "blurred"}, {"--display", ":1", "--kind", "sharp"}, {"--display", "host:1", "--kind", "blurred"}, {"extra"},
	} {
		if code, message := run(args); code != launch.ExitUsage || message == "" {
			t.Errorf("%q: exit code %d, %q", args, code, message)
		}
	}
	for _, arg := range []string{"--help", "--version"} {
		if code, message := run([]string{arg}); code != launch.ExitOK || message == "" {
			t.Errorf("%s: exit code %d, %q", arg, code, message)
		}
	}
	if code, message := run([]string{"--display", ":1", "--kind", "blurred"}); code != launch.ExitUsage {
		t.Errorf("by hand: exit code %d, %q", code, message)
	}
}
