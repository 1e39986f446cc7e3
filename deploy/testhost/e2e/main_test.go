package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"activity-tracker.example/testhost/debian"
	"activity-tracker.example/testhost/internal/e2etest"
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
	deb, err := e2etest.Artifact(ctx, "ACTIVITY_TRACKER_DEB", "dist/trackerd_*.deb", "deb")
	if err != nil {
		return 0, err
	}
	serverDeb, err := e2etest.Artifact(ctx, "ACTIVITY_TRACKER_SERVER_DEB", "dist/trackerd-server_*.deb", "deb")
	if err != nil {
		return 0, err
	}
	server, err := e2etest.Artifact(ctx, "ACTIVITY_TRACKER_SERVER", "bin/trackerd-server", "trackerd-server")
	if err != nil {
		return 0, err
	}
	// Copies, so that a build meanwhile changes nothing.
	debPath, serverDebPath = filepath.Join(tmp, "trackerd.deb"), filepath.Join(tmp, "trackerd-server.deb")
	serverPath = filepath.Join(tmp, "trackerd-server")
	if err := errors.Join(e2etest.Copy(deb, debPath), e2etest.Copy(serverDeb, serverDebPath), e2etest.Copy(server, serverPath)); err != nil {
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

// eventually waits until check finds nothing wrong any more, and otherwise fails
// with what was wrong last.
func eventually(t *testing.T, within time.Duration, what string, check func() error) {
	t.Helper()
	e2etest.Eventually(t, within, what, check)
}
