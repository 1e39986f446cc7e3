// Package erasure erases people: at once nothing of them can be read, and what was kept is
// deleted after that, some at a time.
package erasure

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/store/screenshots"
)

// Erasures are those of one database.
type Erasures struct {
	db          *db.DB
	screenshots *screenshots.Screenshots
	now         func() time.Time
	// keepBackups is for how long backups are kept; zero: nobody said.
	keepBackups time.Duration
	// atOnce bounds what one transaction deletes.
	atOnce limits
	// begun has an entry where something was erased that Run has not looked for yet.
	begun chan struct{}
}

// New returns the erasures of a database, whose backups are kept for that long (zero: nobody
// said); now is the clock.
func New(d *db.DB, pictures *screenshots.Screenshots, keepBackups time.Duration, now func() time.Time) *Erasures {
	return &Erasures{
		db: d, screenshots: pictures, now: now, keepBackups: keepBackups, atOnce: limits{rows: rowsAtOnce, hours: hoursAtOnce, looks: looksAtOnce}, begun: make(chan struct{}, 1),
	}
}

// Certificate is that somebody was erased: nothing of who it was.
type Certificate struct {
	ID int64
	// UnreadableAt is since when nothing can be read, GoneAt since when nothing is left;
	// nil: some is.
	UnreadableAt time.Time
	GoneAt       *time.Time
	Accounts     int
	// How many rows were deleted so far: of events, packed hours, sums, packed days, times
	// in which nothing was collected, receipts, pictures, notes and titles, and how many looks.
	Events, Hours, Sums, Days, Spans, Receipts, Screenshots, Notes, Titles, Looks int64
	// Months are those closed of which figures were erased.
	Months int64
	// Texts of the audit log were erased, and user names in Policies; in PoliciesLeft they
	// stay, since these hold: without their name they would be measured.
	Texts, Policies, PoliciesLeft int64
	// BackupsUntil is until when backups hold it; nil: nobody knows.
	BackupsUntil *time.Time `db:"-"`
}

// Told returns it as the API shows it.
func (c *Certificate) Told() api.Erasure {
	return api.Erasure{
		ID: c.ID, UnreadableSince: c.UnreadableAt, GoneSince: c.GoneAt, BackupsUntil: c.BackupsUntil, Accounts: int64(c.Accounts), PoliciesLeft: c.PoliciesLeft,
		Deleted: api.Erased{
			Records: c.Events, Hours: c.Hours, Sums: c.Sums, Days: c.Days, NotCollected: c.Spans, Receipts: c.Receipts, Screenshots: c.Screenshots, Notes: c.Notes, Titles: c.Titles,
			Looks: c.Looks, Names: c.Texts, Policies: c.Policies, Months: c.Months,
		},
	}
}

const certificateColumns = "id, unreadable_at, gone_at, accounts, events, hours, sums, days, spans, receipts, screenshots, notes, titles, looks, months, texts, policies, policies_left"

// List lists certificates before that one, the newest first, at most so many.
func (e *Erasures) List(ctx context.Context, before int64, limit int) ([]Certificate, error) {
	var list []Certificate
	err := e.db.Read(ctx, "listing erasures", func(tx pgx.Tx) (err error) {
		list, err = e.certificates(ctx, tx, "SELECT "+certificateColumns+" FROM erasure WHERE id < $1 ORDER BY id DESC LIMIT $2", before, limit)
		return err
	})
	return list, err
}

// ByID returns a certificate, or db.ErrNotFound.
func (e *Erasures) ByID(ctx context.Context, id int64) (c Certificate, err error) {
	err = e.db.Read(ctx, "looking up an erasure", func(tx pgx.Tx) error {
		list, err := e.certificates(ctx, tx, "SELECT "+certificateColumns+" FROM erasure WHERE id = $1", id)
		if err == nil && len(list) == 0 {
			return db.ErrNotFound
		}
		if err == nil {
			c = list[0]
		}
		return err
	})
	return c, err
}

func (e *Erasures) certificates(ctx context.Context, tx pgx.Tx, sql string, args ...any) ([]Certificate, error) {
	list, err := db.Collect[Certificate](ctx, tx, "reading certificates", sql, args...)
	for i := range list {
		c := &list[i]
		c.UnreadableAt = c.UnreadableAt.UTC()
		if c.GoneAt != nil {
			at := c.GoneAt.UTC()
			c.GoneAt = &at
			if e.keepBackups > 0 {
				until := at.Add(e.keepBackups)
				c.BackupsUntil = &until
			}
		}
	}
	return list, err
}

// Erase makes it so that nothing of a person can be read any more, all of it or none, or
// returns people.ErrNone. What is left Run deletes, or Finish.
func (e *Erasures) Erase(ctx context.Context, person int64) (Certificate, error) {
	var done Certificate
	err := people.Change(ctx, e.db, "erasing a person", func(tx pgx.Tx) (err error) {
		done, err = e.erase(ctx, tx, person, e.now().UTC())
		return err
	})
	if err != nil {
		return Certificate{}, err
	}
	select {
	case e.begun <- struct{}{}:
	default:
	}
	return done, nil
}

// errBusy means that others hold what is to be locked; it is tried again later.
var errBusy = errors.New("others are writing; trying again")
