package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"activity-tracker.example/testhost/debian"
	"activity-tracker.example/testhost/internal/e2etest"
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
	for _, a := range []struct{ variable, pattern, target, dst string }{
		{"ACTIVITY_TRACKER_DEB", "dist/trackerd_*.deb", "deb", debPath},
		{"ACTIVITY_TRACKER_SERVER", "bin/trackerd-server", "trackerd-server", serverPath},
	} {
		path, err := e2etest.Artifact(ctx, a.variable, a.pattern, a.target)
		if err != nil {
			return 0, err
		}
		if err := e2etest.Copy(path, a.dst); err != nil {
			return 0, err
		}
	}
	if err := testmachine.Prepare(ctx, testmachine.Recipe(debian.Bookworm), os.Stderr); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// eventually waits until check finds nothing wrong any more, and otherwise fails
// with what was wrong last.
func eventually(t *testing.T, within time.Duration, what string, check func() error) {
	t.Helper()
	e2etest.Eventually(t, within, what, check)
}
