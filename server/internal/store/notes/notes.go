// Package notes keeps what people wrote to explain a span of their own time, and what was
// answered.
package notes

import (
	"encoding/hex"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/partition"
)

const (
	// maxOfDay bounds the notes of an account that begin on one day (UTC), maxOfMachine all
	// of an account: whoever writes them may be a program.
	maxOfDay     = 20
	maxOfMachine = 5000
	// ahead is how far ahead of the server's clock a span may end: tomorrow's meeting.
	ahead = 24 * time.Hour
	// longest is how long a span may be.
	longest = api.MaxNoteHours * time.Hour
	// deleteAtOnce bounds the rows that one transaction deletes, readAtOnce those of a page
	// of all notes of accounts.
	deleteAtOnce = 1000
	readAtOnce   = 1000
)

// Notes are those of one database.
type Notes struct {
	db         *db.DB
	partitions *partition.Partitions
	now        func() time.Time
}

// New returns the notes of a database, which are kept as long as roll-ups are: for as long
// as there is a day that they explain.
func New(d *db.DB, partitions *partition.Partitions, now func() time.Time) *Notes {
	return &Notes{db: d, partitions: partitions, now: now}
}

// keptFrom is from when on spans are kept.
func (n *Notes) keptFrom() time.Time {
	if keep := n.partitions.KeepFor(partition.Rollups()); keep > 0 {
		return n.now().Add(-keep)
	}
	return time.Date(api.FirstYear, 1, 1, 0, 0, 0, 0, time.UTC)
}

// ID names a note: random bits.
type ID [16]byte

// String returns it as it stands in URLs.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// ParseID reads it, or returns db.ErrNotFound.
func ParseID(text string) (id ID, err error) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(id) || hex.EncodeToString(raw) != text {
		return id, db.ErrNotFound
	}
	return ID(raw), nil
}

type refusal string

func (e refusal) Error() string { return string(e) }

// Decided makes it a db.Decision.
func (refusal) Decided() {}

// What is refused.
const (
	// ErrNoAccount means that the person has no such account in scope.
	ErrNoAccount refusal = "there is no such account"
	// ErrWhich means that there are several accounts, and none was named.
	ErrWhich refusal = "there are several accounts"
	// ErrSpan means that a span is no span, or too long.
	ErrSpan refusal = "the span is empty or too long"
	// ErrTooOld means that it would not be kept.
	ErrTooOld refusal = "it is older than what it explains is kept"
	// ErrAhead means that it is too far ahead.
	ErrAhead refusal = "it is too far ahead"
	// ErrErased means that whose account it is was erased since.
	ErrErased refusal = "what was before was erased"
	// ErrTooMany means that the account has as many as there may be.
	ErrTooMany refusal = "there are as many notes as there may be"
	// ErrAnswered means that it was answered, and stays as it is.
	ErrAnswered refusal = "the note was answered"
)
