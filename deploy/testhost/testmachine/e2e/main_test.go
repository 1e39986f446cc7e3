package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"activity-tracker.example/testhost/debian"
	"activity-tracker.example/testhost/testmachine"
)

// What the tests are about, set once by TestMain.
var debPath, serverPath string

// prepareTimeout is for building what is missing and for the first boot.
const prepareTimeout = 40 * time.Minute

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), prepareTimeout)
	defer cancel()
	tmp, err := os.MkdirTemp("", "activity-tracker-e2e-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(tmp)
	// Copies, so that a build meanwhile changes nothing.
	debPath, serverPath = filepath.Join(tmp, "trackerd.deb"), filepath.Join(tmp, "trackerd-server")
	err = errors.Join(
		artifact(ctx, "ACTIVITY_TRACKER_DEB", "dist/trackerd_*.deb", "deb", debPath),
		artifact(ctx, "ACTIVITY_TRACKER_SERVER", "bin/trackerd-server", "trackerd-server", serverPath),
	)
	if err != nil {
		return 0, err
	}
	if err := testmachine.Prepare(ctx, debian.Bookworm, os.Stderr); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// artifact copies what the variable names, or what make leaves.
func artifact(ctx context.Context, variable, pattern, target, dst string) error {
	path := os.Getenv(variable)
	if path == "" {
		root, err := filepath.Abs("../../../..")
		if err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, "make", "-C", root, target)
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("make %s: %w", target, err)
		}
		if path = newest(filepath.Join(root, pattern)); path == "" {
			return fmt.Errorf("make %s left no %s", target, pattern)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(dst, b, 0o755)
}

func newest(pattern string) string {
	var best string
	var bestTime time.Time
	paths, _ := filepath.Glob(pattern) // the pattern is well-formed
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil && info.ModTime().After(bestTime) {
			best, bestTime = path, info.ModTime()
		}
	}
	return best
}

// eventually waits until check finds nothing wrong any more, and otherwise fails
// with what was wrong last.
func eventually(t *testing.T, within time.Duration, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(within)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %s: %v", what, within, err)
		}
		select {
		case <-t.Context().Done():
			t.Fatalf("%s: %v", what, t.Context().Err())
		case <-tick.C:
		}
	}
}
