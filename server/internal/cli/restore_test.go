package cli

import (
	"bytes"
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"activity-tracker.example/server/internal/servertest"
)

// While a backup comes in, what there is of it has no name that a kill would leave
// behind, and whoever waits for more of it can be stopped.
func TestRestoreStopsReading(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	c := newRoot("development")
	c.SetArgs([]string{"restore", "-", "--database-url", "postgres://127.0.0.1:1/none"})
	c.SetIn(r)
	c.SetOut(new(bytes.Buffer))
	c.SetErr(new(bytes.Buffer))
	ended := make(chan error, 1)
	go func() { ended <- c.ExecuteContext(ctx) }()
	// More than fits into a pipe: some of it was read when this is written.
	if _, err := w.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
	stop()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(servertest.Patience):
		t.Error("still reading")
	}
	// What was left in its read ends with it.
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}
