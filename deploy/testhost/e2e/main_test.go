package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"activity-tracker.example/testhost/debian"
)

// What the tests are about, set once by TestMain.
var (
	debPath       string
	serverDebPath string
	serverPath    string
)

// atOnce is how many tests run side by side: they mostly wait for the ends of
// intervals, so more than there are processors.
const atOnce = "4"

// prepareTimeout is for building what is missing, the trees of both releases included.
const prepareTimeout = 20 * time.Minute

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
	deb, err := artifact(ctx, "ACTIVITY_TRACKER_DEB", "dist/trackerd_*.deb", "deb")
	if err != nil {
		return 0, err
	}
	serverDeb, err := artifact(ctx, "ACTIVITY_TRACKER_SERVER_DEB", "dist/trackerd-server_*.deb", "deb")
	if err != nil {
		return 0, err
	}
	server, err := artifact(ctx, "ACTIVITY_TRACKER_SERVER", "bin/trackerd-server", "trackerd-server")
	if err != nil {
		return 0, err
	}
	// Copies, so that a build meanwhile changes nothing.
	debPath, serverDebPath = filepath.Join(tmp, "trackerd.deb"), filepath.Join(tmp, "trackerd-server.deb")
	serverPath = filepath.Join(tmp, "trackerd-server")
	if err := errors.Join(copyFile(deb, debPath), copyFile(serverDeb, serverDebPath), copyFile(server, serverPath)); err != nil {
		return 0, err
	}
	if err := flag.Set("test.parallel", atOnce); err != nil {
		return 0, err
	}
	fmt.Fprintln(os.Stderr, "e2e: testing", deb+",", serverDeb, "and", server)
	for _, suite := range debian.Suites() {
		if _, err := debian.Build(ctx, debian.XRDP(suite), os.Stderr); err != nil {
			return 0, err
		}
	}
	return m.Run(), nil
}

// artifact finds what the variable names, or the newest file that make left,
// or has make build it.
func artifact(ctx context.Context, variable, pattern, target string) (string, error) {
	if path := os.Getenv(variable); path != "" {
		return path, nil
	}
	root, err := filepath.Abs("../../..")
	if err != nil {
		return "", err
	}
	if path := newest(filepath.Join(root, pattern)); path != "" {
		return path, nil
	}
	cmd := exec.CommandContext(ctx, "make", "-C", root, target)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("make %s: %w", target, err)
	}
	if path := newest(filepath.Join(root, pattern)); path != "" {
		return path, nil
	}
	return "", fmt.Errorf("make %s left no %s", target, pattern)
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

func copyFile(src, dst string) error {
	b, err := os.ReadFile(src)
	if err != nil {
		return err
	}
	return os.WriteFile(dst, b, 0o755)
}

// eventually waits until check finds nothing wrong any more, and otherwise
// fails with what was wrong last.
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
