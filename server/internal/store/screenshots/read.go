package screenshots

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/people"
)

const columns = "s.id, s.machine, m.machine_id, s.taken_at, s.received_at, s.kind, s.width, s.height, s.bytes, s.deleted_at, s.deleted_by, s.digest"

// collect reads pictures; where follows the query.
func collect(ctx context.Context, tx pgx.Tx, where string, args ...any) ([]Screenshot, error) {
	rows, err := tx.Query(ctx, "SELECT "+columns+" FROM screenshot s JOIN machine m ON m.id = s.machine "+where, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (s Screenshot, err error) {
		err = row.Scan(&s.ID, &s.Machine, &s.MachineID, &s.TakenAt, &s.ReceivedAt, &s.Kind, &s.Width, &s.Height, &s.Bytes, &s.DeletedAt, &s.DeletedBy, &s.digest)
		s.TakenAt, s.ReceivedAt = s.TakenAt.UTC(), s.ReceivedAt.UTC()
		if s.DeletedAt != nil {
			at := s.DeletedAt.UTC()
			s.DeletedAt = &at
		}
		return s, err
	})
}

// Filter is which pictures of a person are asked for.
type Filter struct {
	Scope  directory.Scope
	Person int64
	// From ≤ when they were taken < To.
	From, To time.Time
	// After and AfterID are the last of the page before; zero: there is none.
	After   time.Time
	AfterID ID
	Limit   int
}

// Of lists the pictures of a person's accounts that are in scope, the oldest first, with
// those that were deleted; or people.ErrNone.
func (s *Screenshots) Of(ctx context.Context, f *Filter) (list []Screenshot, err error) {
	err = s.db.Report(ctx, "listing pictures", func(tx pgx.Tx) error {
		p, err := people.Find(ctx, tx, f.Scope, f.Person)
		if err != nil {
			return err
		}
		list, err = collect(ctx, tx, `WHERE s.machine = ANY($1) AND s.taken_at >= $2 AND s.taken_at < $3 AND (s.taken_at, s.id) > ($4, $5)
			ORDER BY s.taken_at, s.id LIMIT $6`, p.Keys(), f.From, f.To, f.After, f.AfterID, f.Limit)
		return err
	})
	return list, err
}

// Newest lists the newest pictures of a person's accounts that are in scope, the newest
// first, with those that were deleted; or people.ErrNone.
func (s *Screenshots) Newest(ctx context.Context, scope directory.Scope, person int64, limit int) (list []Screenshot, err error) {
	err = s.db.Report(ctx, "listing the newest pictures", func(tx pgx.Tx) error {
		p, err := people.Find(ctx, tx, scope, person)
		if err != nil {
			return err
		}
		list, err = collect(ctx, tx, "WHERE s.machine = ANY($1) ORDER BY s.taken_at DESC, s.id DESC LIMIT $2", p.Keys(), limit)
		return err
	})
	return list, err
}

// OfMachine lists the pictures of an account from a time on, the oldest first.
func (s *Screenshots) OfMachine(ctx context.Context, machine int32, from time.Time, limit int) (list []Screenshot, err error) {
	err = s.db.Report(ctx, "listing an account's pictures", func(tx pgx.Tx) (err error) {
		list, err = collect(ctx, tx, "WHERE s.machine = $1 AND s.taken_at >= $2 ORDER BY s.taken_at LIMIT $3", machine, from, limit)
		return err
	})
	return list, err
}

// Find returns what is known of a picture in scope, or db.ErrNotFound.
func (s *Screenshots) Find(ctx context.Context, scope directory.Scope, id ID) (found Screenshot, err error) {
	err = s.db.Read(ctx, "looking up a picture", func(tx pgx.Tx) (err error) {
		found, err = find(ctx, tx, scope, id, "")
		return err
	})
	return found, err
}

// find notes that the answer is about whose picture it is.
func find(ctx context.Context, tx pgx.Tx, scope directory.Scope, id ID, lock string) (Screenshot, error) {
	list, err := collect(ctx, tx, `WHERE s.id = $1 AND (NOT $2 OR EXISTS (SELECT FROM group_member g WHERE g.machine = s.machine AND g.grp = ANY($3))
		OR s.machine = ANY($4)) `+lock, id, scope.Limited(), scope.Groups, scope.Machines)
	if err != nil {
		return Screenshot{}, err
	}
	if len(list) == 0 {
		return Screenshot{}, db.ErrNotFound
	}
	access.See(ctx, list[0].Machine)
	return list[0], nil
}

// Picture returns the picture itself, db.ErrNotFound where it was deleted, or ErrLost.
func (s *Screenshots) Picture(ctx context.Context, of *Screenshot) ([]byte, error) {
	if of.digest == nil {
		return nil, db.ErrNotFound
	}
	return s.folder.read(ctx, of)
}
