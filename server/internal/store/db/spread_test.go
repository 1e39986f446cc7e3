package db_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"activity-tracker.example/server/internal/store/storetest"
	"activity-tracker.example/server/internal/store/testdb"
)

// A database without Citus stays as it is, and the refusal names what it lacks.
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

// Whoever had connections when a database was spread learns of it from the first statement
// that it does not take any more.
func TestSpreadIsNoticed(t *testing.T) {
	url := storetest.NewDatabase(t)
	s := storetest.Prepared(t, url, storetest.Options{})
	storetest.OnOneNode(t, s)
	if err := s.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	testdb.PretendSpread(t, url)
	if err := s.Ready(t.Context()); err != nil || s.Spread() {
		t.Fatalf("%v: it was noticed by a connection of before", err)
	}
	if s.NoticeSpread(&pgconn.PgError{Code: "23505"}) || !s.NoticeSpread(fmt.Errorf("storing: %w", &pgconn.PgError{Code: "0A000"})) {
		t.Error("it takes another error for a refused statement, or not that one")
	}
	if err := s.Ready(t.Context()); err != nil || !s.Spread() {
		t.Errorf("%v: it was not noticed", err)
	}
	if s.NoticeSpread(&pgconn.PgError{Code: "0A000"}) {
		t.Error("what is known is noticed again")
	}
}
