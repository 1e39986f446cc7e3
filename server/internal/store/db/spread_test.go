package db_test

import (
	"strings"
	"testing"

	"activity-tracker.example/server/internal/store/storetest"
	"activity-tracker.example/server/internal/store/testdb"
)

// A database without Citus stays as it is, and whoever asked is told what it lacks.
func TestOneNodeIsNotSpread(t *testing.T) {
	s := storetest.Prepared(t, testdb.Empty(t), storetest.Options{})
	storetest.OnOneNode(t, s)
	if _, changed, err := s.Distribute(t.Context()); err == nil || changed || !strings.Contains(err.Error(), "has no Citus") {
		t.Errorf("%v, %v", changed, err)
	}
	if s.Spread() {
		t.Error("it is taken for one that is spread")
	}
	if err := s.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}
