package notes

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
)

// Draft is a note that somebody writes about themselves.
type Draft struct {
	// Scope is what is their own of the person's accounts.
	Scope  directory.Scope
	Person int64
	// MachineID is the account that it is kept with; empty: the only one.
	MachineID string
	// Start and End are in whole seconds.
	Start, End time.Time
	Text       string
	// By is the user who writes it; empty: a link of the account.
	By string
}

// check returns why there can't be a note of that span.
func (n *Notes) check(d *Draft) error {
	switch length := d.End.Sub(d.Start); {
	case length <= 0, length > longest:
		return ErrSpan
	case d.End.After(n.now().Add(ahead)):
		return ErrAhead
	case d.Start.Before(n.keptFrom()):
		return ErrTooOld
	}
	return nil
}

// Add keeps a note. Where there is one of that account, span and text without an answer that
// one is returned, and added is false: a form may be sent twice.
func (n *Notes) Add(ctx context.Context, d *Draft) (kept api.Note, added bool, err error) {
	if err := n.check(d); err != nil {
		return kept, false, err
	}
	var id ID
	if _, err := rand.Read(id[:]); err != nil {
		return kept, false, err
	}
	err = n.db.Write(ctx, "keeping a note", func(tx pgx.Tx) error {
		machine, err := own(ctx, tx, d)
		if err != nil {
			return err
		}
		known, err := collect(ctx, tx, "WHERE n.machine = $1 AND n.start_at = $2 AND n.end_at = $3 AND n.body = $4 AND n.answer IS NULL LIMIT 1",
			machine, d.Start, d.End, d.Text)
		if err != nil {
			return err
		}
		if added = len(known) == 0; added {
			known, err = n.insert(ctx, tx, id, machine, d)
		}
		if err == nil {
			kept = known[0].Note
		}
		return err
	})
	return kept, added && err == nil, err
}

// own returns the row of the account, locked: its notes are counted one after the other, and
// it is not erased meanwhile.
func own(ctx context.Context, tx pgx.Tx, d *Draft) (machine int32, err error) {
	type one struct{ ID int32 }
	list, err := db.Collect[one](ctx, tx, "looking for the account", `SELECT m.id FROM account a JOIN machine m ON m.id = a.machine
		WHERE a.person = $1 AND m.id = ANY($2) AND ($3 = '' OR m.machine_id = $3) ORDER BY m.id LIMIT 2`, d.Person, d.Scope.Machines, d.MachineID)
	switch {
	case err != nil:
		return 0, err
	case len(list) == 0:
		return 0, ErrNoAccount
	case len(list) > 1:
		return 0, ErrWhich
	}
	var erasedBefore *time.Time
	err = tx.QueryRow(ctx, "SELECT erased_before FROM machine WHERE id = $1 FOR NO KEY UPDATE", list[0].ID).Scan(&erasedBefore)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return 0, ErrNoAccount
	case err != nil:
		return 0, fmt.Errorf("locking the account: %w", err)
	case erasedBefore != nil && d.Start.Before(*erasedBefore):
		return 0, ErrErased
	}
	return list[0].ID, nil
}

// insert writes a note, unless the account has as many as it may.
func (n *Notes) insert(ctx context.Context, tx pgx.Tx, id ID, machine int32, d *Draft) ([]note, error) {
	day := d.Start.UTC().Truncate(24 * time.Hour)
	inserted, err := db.Exec(ctx, tx, "inserting", `INSERT INTO note (id, machine, start_at, end_at, body, made_at, made_by)
		SELECT $1, $2, $3, $4, $5, $6, nullif($7, '')
		WHERE (SELECT count(*) FROM note WHERE machine = $2 AND start_at >= $8 AND start_at < $9) < $10 AND (SELECT count(*) FROM note WHERE machine = $2) < $11`,
		id, machine, d.Start, d.End, d.Text, n.now().UTC().Truncate(time.Second), d.By, day, day.AddDate(0, 0, 1), maxOfDay, maxOfMachine)
	if err != nil {
		return nil, err
	}
	if inserted == 0 {
		return nil, ErrTooMany
	}
	return collect(ctx, tx, "WHERE n.id = $1", id)
}

// Delete deletes a note of one's own that nobody has answered, or returns db.ErrNotFound or
// ErrAnswered.
func (n *Notes) Delete(ctx context.Context, scope directory.Scope, person int64, id ID) error {
	return n.db.Write(ctx, "deleting a note", func(tx pgx.Tx) error {
		found, err := find(ctx, tx, scope, person, id)
		if err != nil {
			return err
		}
		if found.Answer != nil {
			return ErrAnswered
		}
		_, err = db.Exec(ctx, tx, "deleting", "DELETE FROM note WHERE id = $1", id)
		return err
	})
}

// The kinds of changes.
const (
	noteAnswered  = "note.answered"
	answerRemoved = "note.answer_removed"
)

// Reply is an answer to a note; an empty text takes the answer away.
type Reply struct {
	Scope  directory.Scope
	Person int64
	Note   ID
	Text   string
	// By names who answers.
	By string
}

// Answer answers a note, or takes its answer away; what is so already stays. It returns
// db.ErrNotFound, or ErrAnswered where there is another answer, which nobody should
// overwrite unawares.
func (n *Notes) Answer(ctx context.Context, r *Reply) error {
	return n.db.Write(ctx, "answering a note", func(tx pgx.Tx) error {
		found, err := find(ctx, tx, r.Scope, r.Person, r.Note)
		if err != nil {
			return err
		}
		change := audit.Change{What: noteAnswered, ID: found.ID, Name: found.MachineID}
		switch {
		case found.Answer == nil && r.Text == "", found.Answer != nil && *found.Answer == r.Text:
			return nil
		case r.Text == "":
			change.What = answerRemoved
			_, err = db.Exec(ctx, tx, "taking the answer away", "UPDATE note SET answer = NULL, answered_at = NULL, answered_by = NULL WHERE id = $1", r.Note)
		case found.Answer != nil:
			return ErrAnswered
		default:
			_, err = db.Exec(ctx, tx, "answering", "UPDATE note SET answer = $2, answered_at = $3, answered_by = $4 WHERE id = $1",
				r.Note, r.Text, n.now().UTC().Truncate(time.Second), r.By)
		}
		if err != nil {
			return err
		}
		return audit.Write(ctx, tx, change)
	})
}

// DropOld deletes notes whose spans end before what they explain is kept, and returns how
// many.
func (n *Notes) DropOld(ctx context.Context) (dropped int64, err error) {
	cutoff := n.keptFrom()
	for {
		var gone int64
		err := n.db.Write(ctx, "dropping old notes", func(tx pgx.Tx) (err error) {
			gone, err = db.Exec(ctx, tx, "deleting", `DELETE FROM note WHERE id = ANY(ARRAY(
				SELECT id FROM note WHERE start_at < $1 AND end_at < $1 ORDER BY start_at LIMIT $2 FOR UPDATE SKIP LOCKED))`, cutoff, deleteAtOnce)
			return err
		})
		if dropped += gone; err != nil || gone < deleteAtOnce {
			return dropped, err
		}
	}
}
