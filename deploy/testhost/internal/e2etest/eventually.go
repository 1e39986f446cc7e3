package e2etest

import (
	"testing"
	"time"
)

// lookEvery is how often Eventually looks: each look may start a program.
const lookEvery = 200 * time.Millisecond

// Eventually waits until check finds nothing wrong any more, and otherwise fails
// with what was wrong last.
func Eventually(t *testing.T, within time.Duration, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(within)
	tick := time.NewTicker(lookEvery)
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
