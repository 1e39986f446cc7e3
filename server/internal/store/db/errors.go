package db

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Errors that callers distinguish.
var (
	// ErrUnavailable means that PostgreSQL is away, starting, stopping or too
	// slow: whatever was asked may be asked again.
	ErrUnavailable = errors.New("the database is unavailable")
	// ErrNoAccess means that PostgreSQL has no such database, or does not let us
	// into it: somebody has to do something.
	ErrNoAccess = errors.New("PostgreSQL does not let the server in")
	// ErrNotFound means that there is no such row.
	ErrNotFound = errors.New("not found")
)

// Classify wraps err with what was being done, and with ErrUnavailable unless
// it comes of a mistake of ours or of a decision of this program.
func Classify(what string, err error) error {
	if err == nil {
		return nil
	}
	var decided Decision
	if errors.As(err, &decided) || errors.Is(err, ErrNotFound) {
		return fmt.Errorf("%s: %w", what, err)
	}
	var pg *pgconn.PgError
	switch {
	case !errors.As(err, &pg) || !ours(pg.Code):
		return fmt.Errorf("%s: %w: %w", what, ErrUnavailable, err)
	case strings.HasPrefix(pg.Code, "28") || strings.HasPrefix(pg.Code, "3D"):
		return fmt.Errorf("%s: %w: %w", what, ErrNoAccess, err)
	default:
		return fmt.Errorf("%s: %w", what, err)
	}
}

// Decision marks errors that a room of store decided on inside a transaction: the
// database is not their cause.
type Decision interface {
	error
	Decided()
}

// ours reports whether a SQLSTATE means that a statement is wrong rather than that
// the database is away, full, stopping or overloaded. A wrong password is among
// them: waiting does not mend it.
func ours(code string) bool {
	if len(code) != 5 {
		return false
	}
	switch code[:2] {
	case "0A", "21", "22", "23", "26", "28", "2B", "34", "3D", "3F", "42", "44":
		return true
	}
	return false
}

// Deadlocked reports whether an error means that two transactions waited for each other, and
// this one was ended.
func Deadlocked(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "40P01"
}

// found turns pgx's "no rows" into ErrNotFound.
func found(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("%w", ErrNotFound)
	}
	return err
}

// lost reports whether an error means that PostgreSQL is away, rather than that one
// statement did not end well. Among the latter: what the primary drops conflicts
// with those who read it on a standby, and they are cancelled after a while.
func lost(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return true
	}
	switch pg.Code[:min(2, len(pg.Code))] {
	case "08", "53", "58", "XX":
		return true
	case "57":
		return pg.Code != "57014"
	}
	return false
}
