package notes

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/people"
)

// columns are a note's. Who answered is called as they are called now.
const columns = `n.id, n.machine, m.machine_id, n.start_at, n.end_at, n.body, n.made_at, coalesce(n.made_by, 'self'), n.answer, n.answered_at, n.answered_by,
	coalesce((SELECT login FROM app_user WHERE id = substring(n.answered_by FROM '^user (.*)$')), (SELECT name FROM api_token WHERE id = substring(n.answered_by FROM '^token (.*)$')))`

// note is a note and the row of its account.
type note struct {
	id      ID
	machine int32
	api.Note
}

// collect reads notes; where follows the query.
func collect(ctx context.Context, tx pgx.Tx, where string, args ...any) ([]note, error) {
	rows, err := tx.Query(ctx, "SELECT "+columns+" FROM note n JOIN machine m ON m.id = n.machine "+where, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (one note, err error) {
		err = row.Scan(&one.id, &one.machine, &one.MachineID, &one.Start, &one.End, &one.Text, &one.MadeAt, &one.MadeBy,
			&one.Answer, &one.AnsweredAt, &one.AnsweredBy, &one.AnsweredByName)
		one.ID = one.id.String()
		one.Start, one.End, one.MadeAt = one.Start.UTC(), one.End.UTC(), one.MadeAt.UTC()
		if one.AnsweredAt != nil {
			at := one.AnsweredAt.UTC()
			one.AnsweredAt = &at
		}
		return one, err
	})
}

// Place is a note's place among others, by when its span begins; zero: before all.
type Place struct {
	Start time.Time
	ID    ID
}

// Filter is which notes of a person are asked for.
type Filter struct {
	Scope  directory.Scope
	Person int64
	// From and To are the time that their spans have a part of.
	From, To time.Time
	// After is the last of the page before.
	After Place
	Limit int
}

// Page is some of them, those first that begin first.
type Page struct {
	Notes []api.Note
	// Next is the place of the last if others follow; zero: none do.
	Next Place
	// Partial means that the person has other accounts, which are not in scope.
	Partial bool
}

// Of lists the notes of a person's accounts that are in scope, or returns people.ErrNone. It
// is asked of the primary: whoever wrote one wants to see it.
func (n *Notes) Of(ctx context.Context, f *Filter) (page Page, err error) {
	err = n.db.Read(ctx, "listing notes", func(tx pgx.Tx) error {
		p, err := people.Find(ctx, tx, f.Scope, f.Person)
		if err != nil {
			return err
		}
		page.Partial = p.Partial
		page.Notes, page.Next, err = list(ctx, tx, p.Keys(), f)
		return err
	})
	return page, err
}

func list(ctx context.Context, tx pgx.Tx, keys []int32, f *Filter) ([]api.Note, Place, error) {
	found, err := collect(ctx, tx, `WHERE n.machine = ANY($1) AND n.start_at > $2 AND n.start_at < $3 AND n.end_at > $4 AND (n.start_at, n.id) > ($5, $6)
		ORDER BY n.start_at, n.id LIMIT $7`, keys, f.From.Add(-longest-1), f.To, f.From, f.After.Start, f.After.ID, f.Limit+1)
	if err != nil {
		return nil, Place{}, err
	}
	var next Place
	if len(found) > f.Limit {
		found = found[:f.Limit]
		next = Place{Start: found[f.Limit-1].Start, ID: found[f.Limit-1].id}
	}
	notes := make([]api.Note, len(found))
	for i := range found {
		notes[i] = found[i].Note
	}
	return notes, next, nil
}

// OfMachines lists all notes of accounts, page by page.
func (n *Notes) OfMachines(ctx context.Context, keys []int32, after Place) (notes []api.Note, next Place, err error) {
	err = n.db.Read(ctx, "listing notes of accounts", func(tx pgx.Tx) (err error) {
		notes, next, err = list(ctx, tx, keys, &Filter{From: time.Unix(0, 0), To: n.now().AddDate(1, 0, 0), After: after, Limit: readAtOnce})
		return err
	})
	return notes, next, err
}

// find returns a note of a person's accounts in scope and locks it, or returns
// db.ErrNotFound.
func find(ctx context.Context, tx pgx.Tx, scope directory.Scope, person int64, id ID) (note, error) {
	found, err := collect(ctx, tx, `JOIN account a ON a.machine = n.machine WHERE n.id = $1 AND a.person = $2
		AND (NOT $3 OR EXISTS (SELECT FROM group_member g WHERE g.machine = n.machine AND g.grp = ANY($4)) OR n.machine = ANY($5)) FOR UPDATE OF n`,
		id, person, scope.Limited(), scope.Groups, scope.Machines)
	if err != nil {
		return note{}, err
	}
	if len(found) == 0 {
		return note{}, db.ErrNotFound
	}
	access.See(ctx, found[0].machine)
	return found[0], nil
}
