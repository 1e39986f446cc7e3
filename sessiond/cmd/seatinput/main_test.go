package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/internal/launch"
	"activity-tracker.example/sessiond/wire"
)

// patience is how long a test waits for what must happen, on a busy machine.
const patience = 60 * time.Second

// emptySeat is a seat that no machine has, so that no test counts anybody's keys.
const emptySeat = "seat-of-a-test"

func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "seatinput")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("building seatinput: %v\n%s", err, out)
	}
	return path
}

// TestSeatWithoutDevices: it reports so, and ends when the daemon does.
func TestSeatWithoutDevices(t *testing.T) {
	t.Parallel()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	defer func() { _, _ = ours.Close(), theirs.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, build(t), "--seat", emptySeat, "--interval", "5s")
	cmd.Stdin = theirs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, wire.MaxMessageBytes)
	n, err := ours.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	r, err := wire.Decode(b[:n])
	if err != nil {
		t.Fatal(err)
	}
	if r.Trouble != wire.TroubleNoDevices || r.DistanceUnit != wire.UnitDevice || r.Counters != (wire.Counters{}) {
		t.Errorf("first report %+v", r)
	}
	if err := ours.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after the daemon closed: %v", err)
	}
}

func TestWrongUse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"by hand":              {[]string{"--vt", "7"}, "started by trackerd"},
		"no terminal on seat0": {nil, "--vt is missing"},
		"terminal":             {[]string{"--vt", "64"}, "1 to 63"},
		"seat":                 {[]string{"--seat", "seat/../x"}, "no seat's name"},
		"no seat":              {[]string{"--seat", "seat"}, "no seat's name"},
		"device without name":  {[]string{"--vt", "7", "--real-device", ""}, "1 to 255 bytes"},
		"too many devices":     {slices.Concat([]string{"--vt", "7"}, slices.Repeat([]string{"--real-device", "x"}, maxReal+1)), "one too many"},
	} {
		if code, message := run(c.args); code != launch.ExitUsage || !strings.Contains(message, c.want) {
			t.Errorf("%s: code %d, %q", name, code, message)
		}
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	f, err := parseFlags([]string{"--vt=2", "--real-device", "keyd virtual keyboard", "--real-device=second", "--idle-after", "90s", "--report-every=10s"})
	if err != nil || f.seat != "seat0" || f.vt != 2 || f.IdleAfter != 90*time.Second || f.ReportEvery != 10*time.Second ||
		!slices.Equal(f.real, []string{"keyd virtual keyboard", "second"}) {
		t.Errorf("flags %+v, %v", f, err)
	}
	if code, text := run([]string{"--help"}); code != launch.ExitOK || !strings.Contains(text, "--real-device") {
		t.Errorf("help: %d, %q", code, text)
	}
}
