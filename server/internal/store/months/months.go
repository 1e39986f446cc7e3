// Package months closes months: what people of a group did on each of their days is kept as
// it stands then, whatever comes later.
package months

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/store/query"
)

// personDaysAtOnce bounds the days of people that are read at once: some 50 MB.
const personDaysAtOnce = 10_000

// refusal is a decision about months.
type refusal string

func (e refusal) Error() string { return string(e) }

// Decided makes it a db.Decision.
func (refusal) Decided() {}

// What is refused.
const (
	// ErrNone means that the month is not closed, or that the caller may not see it.
	ErrNone refusal = "the month is not closed"
	// ErrClosed means that it is closed already.
	ErrClosed refusal = "the month is closed already"
	// ErrNotOver means that it is not over in its time zone.
	ErrNotOver refusal = "the month is not over"
	// ErrNotKept means that not all that there was of it is kept any more.
	ErrNotKept refusal = "the month's sums are not kept any more"
)

// Months are those of one database.
type Months struct {
	db     *db.DB
	reader *query.Reader
	now    func() time.Time
	// turn has a place for one change: others wait without a connection.
	turn chan struct{}
}

// New returns the months of a database; now is the clock.
func New(d *db.DB, reader *query.Reader, now func() time.Time) *Months {
	return &Months{db: d, reader: reader, now: now, turn: make(chan struct{}, 1)}
}

// Of is one month of a group.
type Of struct {
	// First is its first date, as a midnight in UTC.
	First time.Time
	// Group is the group's name; empty: everybody.
	Group string
}

// Calendar is a month in a time zone.
type Calendar struct {
	Zone string
	// Dates are midnights in UTC. Bounds are when each begins, and one more: the last's end.
	Dates, Bounds []time.Time
}

// Closing is a month that was closed.
type Closing struct {
	ID    int64
	First time.Time
	// Group is the group's name now; empty: everybody.
	Group    string
	TZ       string
	ClosedAt time.Time
	// ActorKind, ActorID and ActorName are who closed it; the name is empty where nobody has
	// that id any more.
	ActorKind, ActorID, ActorName string
	People                        int64
	Digest                        []byte
}

// closingSQL selects closings m.
const closingSQL = `SELECT m.id, m.first_date, coalesce(g.name, ''), m.tz, m.closed_at, m.actor_kind, m.actor_ref,
		coalesce(CASE m.actor_kind WHEN 'user' THEN (SELECT login FROM app_user WHERE id = m.actor_ref) WHEN 'token' THEN (SELECT name FROM api_token WHERE id = m.actor_ref) END, ''),
		(SELECT count(*) FROM month_person WHERE month = m.id), m.digest
	FROM month m LEFT JOIN machine_group g ON g.id = m.grp`

// group returns the group's row, nil for everybody; or directory.ErrNoGroup where it is out of
// scope, as everybody is to who may not see all.
func (o *Of) group(ctx context.Context, tx pgx.Tx, scope directory.Scope) (*int32, error) {
	if o.Group == "" && !scope.Limited() {
		return nil, nil
	}
	g, err := directory.FindGroup(ctx, tx, scope, o.Group)
	return &g.Key, err
}

// find returns a closing in scope, or ErrNone or directory.ErrNoGroup.
func (o *Of) find(ctx context.Context, tx pgx.Tx, scope directory.Scope) (Closing, error) {
	grp, err := o.group(ctx, tx, scope)
	if err != nil {
		return Closing{}, err
	}
	list, err := db.Collect[Closing](ctx, tx, "looking for the closing", closingSQL+" WHERE m.first_date = $1 AND m.grp IS NOT DISTINCT FROM $2", o.First, grp)
	if err == nil && len(list) == 0 {
		err = ErrNone
	}
	if err != nil {
		return Closing{}, err
	}
	return list[0], nil
}

// List lists closings in scope, of months that begin in from ≤ t < to, the newest closing
// first, before that one, at most so many.
func (m *Months) List(ctx context.Context, scope directory.Scope, from, to time.Time, before int64, limit int) ([]Closing, error) {
	var list []Closing
	err := m.db.Read(ctx, "listing closed months", func(tx pgx.Tx) (err error) {
		list, err = db.Collect[Closing](ctx, tx, "reading", closingSQL+` WHERE m.id < $1 AND m.first_date >= $2 AND m.first_date < $3
			AND (NOT $4 OR m.grp = ANY($5)) ORDER BY m.id DESC LIMIT $6`, before, from, to, scope.Limited(), scope.Groups, limit)
		return err
	})
	return list, err
}

// inTurn runs do while nobody else of this server closes or opens a month.
func (m *Months) inTurn(ctx context.Context, do func() error) error {
	select {
	case m.turn <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("waiting for others that close months: %w: %w", db.ErrUnavailable, ctx.Err())
	}
	defer func() { <-m.turn }()
	return do()
}

// Close keeps what people did in a month as it stands now: one state of the database. It
// returns ErrNotOver, ErrClosed, ErrNotKept or directory.ErrNoGroup.
func (m *Months) Close(ctx context.Context, scope directory.Scope, o Of, c Calendar) (closed Closing, err error) {
	if c.Bounds[len(c.Bounds)-1].After(m.now()) {
		return closed, ErrNotOver
	}
	err = m.inTurn(ctx, func() error {
		return m.db.Write(ctx, "closing a month", func(tx pgx.Tx) (err error) {
			closed, err = m.close(ctx, tx, scope, o, c)
			return err
		}, db.CloseMonths)
	})
	return closed, err
}

func (m *Months) close(ctx context.Context, tx pgx.Tx, scope directory.Scope, o Of, c Calendar) (closed Closing, err error) {
	grp, err := o.group(ctx, tx, scope)
	if err != nil {
		return closed, err
	}
	if grp != nil {
		// Nobody removes it before it has a closed month.
		left, err := db.Exec(ctx, tx, "keeping the group", "SELECT FROM machine_group WHERE id = $1 FOR KEY SHARE", grp)
		if err == nil && left == 0 {
			err = directory.ErrNoGroup
		}
		if err != nil {
			return closed, err
		}
	}
	there, err := db.Exec(ctx, tx, "looking whether it is closed", "SELECT FROM month WHERE first_date = $1 AND grp IS NOT DISTINCT FROM $2", o.First, grp)
	if err == nil && there > 0 {
		err = ErrClosed
	}
	if err != nil {
		return closed, err
	}
	actor := audit.ActorOf(ctx)
	var id int64
	err = tx.QueryRow(ctx, `INSERT INTO month (first_date, grp, tz, dates, bounds, closed_at, actor_kind, actor_ref, digests, digest)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '', '') RETURNING id`, o.First, grp, c.Zone, c.Dates, c.Bounds, m.now().UTC(), actor.Kind, actor.ID).Scan(&id)
	if err != nil {
		return closed, fmt.Errorf("noting the closing: %w", err)
	}
	digests, err := m.freeze(ctx, tx, freezing{id, grp, o.First, c})
	if err != nil {
		return closed, err
	}
	all := sha256.Sum256(digests)
	if _, err := db.Exec(ctx, tx, "noting the digest", "UPDATE month SET digests = $2, digest = $3 WHERE id = $1", id, digests, all[:]); err != nil {
		return closed, err
	}
	if closed, err = o.find(ctx, tx, scope); err != nil {
		return closed, err
	}
	return closed, audit.Write(ctx, tx, closed.become("month.closed"))
}

// stillWait bounds the wait for those who write events; it is less than the time that they have,
// since others wait behind.
const stillWait = 3 * time.Second

// still has whoever writes events wait, until the transaction ends, where nodes have no state in
// common: a record that arrives while figures are read would be in one person's and not in
// another's.
func (m *Months) still(ctx context.Context, tx pgx.Tx) error {
	if !m.db.Spread() {
		return nil
	}
	if err := directory.HoldMachines(ctx, tx, stillWait); err != nil {
		return err
	}
	return m.db.Settle(ctx, tx)
}

// freezing is a closing that is being made, of a group's row, or of everybody.
type freezing struct {
	id    int64
	group *int32
	first time.Time
	Calendar
}

// freeze keeps the figures of all people, and returns their digests. They are read in a
// transaction of their own: the one that writes must see what others change meanwhile, for the
// audit log. Nobody is erased between the two, since the table is locked.
func (m *Months) freeze(ctx context.Context, tx pgx.Tx, of freezing) (digests []byte, err error) {
	f := people.Filter{Limit: max(1, personDaysAtOnce/max(1, len(of.Dates)))}
	if of.group != nil {
		f.Scope = directory.OfGroups([]int32{*of.group})
	}
	digests = []byte{} // of nobody, too
	err = m.db.Read(ctx, "reading what people did", func(read pgx.Tx) error {
		// Who waits has a connection: the one that reads comes first. It sees what is there at
		// its first question.
		if err := m.still(ctx, tx); err != nil {
			return err
		}
		if kept, err := m.reader.SumsKept(ctx, read, of.Bounds); err != nil || !kept {
			return cmp.Or(err, error(ErrNotKept))
		}
		for more := true; more; {
			list, others, err := people.Within(ctx, read, f)
			if err != nil {
				return err
			}
			more = others
			batch, err := m.figures(ctx, read, of, list, &digests)
			if err != nil {
				return err
			}
			if err := tx.SendBatch(ctx, batch).Close(); err != nil {
				return fmt.Errorf("keeping figures: %w", err)
			}
			if len(list) > 0 {
				f.After = list[len(list)-1].ID
			}
		}
		return nil
	}, db.KeepEvents, db.KeepRollups)
	return digests, err
}

// figures returns what keeps the figures of some people, and adds their digests.
func (m *Months) figures(ctx context.Context, read pgx.Tx, of freezing, list []people.Person, digests *[]byte) (*pgx.Batch, error) {
	accounts := make([][]int32, len(list))
	for i := range list {
		accounts[i] = list[i].Keys()
	}
	figures, err := m.reader.FiguresWithin(ctx, read, accounts, of.Bounds)
	if err != nil {
		return nil, err
	}
	batch := &pgx.Batch{}
	for i := range list {
		p := Person{Person: list[i].ID, Label: list[i].Label, Machines: accounts[i], Partial: list[i].Partial, Estimated: figures[i].Estimated}
		p.set(figures[i].Spans)
		*digests = append(*digests, p.seal(of.first, of.Calendar)...)
		p.queue(batch, of.id)
	}
	return batch, nil
}

// Open forgets a closing with its figures, in scope; or returns ErrNone or
// directory.ErrNoGroup.
func (m *Months) Open(ctx context.Context, scope directory.Scope, o Of) error {
	return m.inTurn(ctx, func() error {
		return m.db.Write(ctx, "opening a month", func(tx pgx.Tx) error {
			c, err := o.find(ctx, tx, scope)
			if err != nil {
				return err
			}
			n, err := db.Exec(ctx, tx, "deleting", "DELETE FROM month WHERE id = $1", c.ID)
			if err == nil && n == 0 {
				err = ErrNone
			}
			if err != nil {
				return err
			}
			return audit.Write(ctx, tx, c.become("month.opened"))
		})
	})
}

// become is what happened to a closing.
func (c *Closing) become(what string) audit.Change {
	return audit.Change{What: what, ID: c.First.Format("2006-01"), Name: c.Group, Details: map[string]string{
		"tz": c.TZ, "closed_at": c.ClosedAt.UTC().Format(time.RFC3339), "people": strconv.FormatInt(c.People, 10), "digest": hex.EncodeToString(c.Digest),
	}}
}
