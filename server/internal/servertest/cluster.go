// Package servertest starts whole servers within a test, each on a database of its
// own in one real PostgreSQL, and holds every reply against openapi.json.
package servertest

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"activity-tracker.example/server/internal/store/testdb"
)

// Patience bounds every wait of a test.
const Patience = 60 * time.Second

// Cluster runs a package's tests beside one PostgreSQL; its Run is for TestMain. It
// fails where goroutines are left.
type Cluster struct {
	M *testing.M
	// EveryReply fails a run of all tests in which a reply that openapi.json
	// describes never came.
	EveryReply bool
}

// Run runs the tests and returns the exit code.
func (c Cluster) Run() int { return testdb.Run(c.run) }

func (c Cluster) run(dir string) (int, error) {
	seen := filepath.Join(dir, "seen")
	if err := errors.Join(os.Mkdir(seen, 0o700), os.Setenv(seenEnv, seen)); err != nil {
		return 1, err
	}
	code := c.M.Run()
	if code != 0 || !c.EveryReply {
		return code, nil
	}
	return 0, checkSeen()
}

// NewDatabase makes a migrated database and returns its URL.
func NewDatabase(tb testing.TB) string {
	tb.Helper()
	return testdb.New(tb)
}
