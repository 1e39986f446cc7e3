package panics_test

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"activity-tracker.example/server/internal/panics"
	"activity-tracker.example/server/internal/store/db"
)

func TestAsError(t *testing.T) {
	var group errgroup.Group
	group.Go(panics.AsError(func() error {
		var none []int
		none[0]++
		return nil
	}))
	err := group.Wait()
	if err == nil || !strings.Contains(err.Error(), "index out of range") || !strings.Contains(err.Error(), "panics_test.go") {
		t.Errorf("%v", err)
	}
	if err = db.Classify("reading", err); errors.Is(err, db.ErrUnavailable) {
		t.Errorf("%v is for the database to mend", err)
	}
	other := errors.New("no such row")
	if err := panics.AsError(func() error { return other })(); !errors.Is(err, other) {
		t.Errorf("%v", err)
	}
	if err := panics.AsError(func() error { return nil })(); err != nil {
		t.Errorf("%v", err)
	}
}
