package erasure

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/codec"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/dictionary"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/walk"
)

// A title is kept once a month, whoever's records have it. Those that deleted records had
// are looked for in all that are left of their month, month by month, and deleted where
// none has them. Before that they are retired: no new record gets one.

const (
	// lockWait bounds the wait for those who write records; it is less than
	// deadlock_timeout, so that it never costs a writer.
	lockWait = 500 * time.Millisecond
	// lockNotAvailable is PostgreSQL's code for a lock that was not waited for longer.
	lockNotAvailable = "55P03"
	// machinesAtOnce is how many machines a sweep lists at a time.
	machinesAtOnce = 1000
	// longestRest is the longest rest after a machine. It is otherwise as long as looking
	// at it took, so that a sweep takes at most half of one connection.
	longestRest = time.Second
)

// titleUses are the titles that records have, by the month that they are of.
type titleUses struct {
	used map[dictionary.TitleKey]struct{}
	// whole are months of which all titles may be.
	whole map[int32]struct{}
}

// add adds those of a record.
func (t *titleUses) add(at time.Time, refs *codec.Refs) {
	eachTitle(refs, func(id uint64) {
		if t.used == nil {
			t.used = map[dictionary.TitleKey]struct{}{}
		}
		t.used[dictionary.TitleKey{Month: dictionary.MonthOf(at), ID: id}] = struct{}{}
	})
}

// addMonth adds all of the month of a time.
func (t *titleUses) addMonth(at time.Time) {
	if t.whole == nil {
		t.whole = map[int32]struct{}{}
	}
	t.whole[dictionary.MonthOf(at)] = struct{}{}
}

// eachTitle calls each with the titles that a record has.
func eachTitle(refs *codec.Refs, each func(uint64)) {
	if refs.Active.Title != 0 {
		each(refs.Active.Title)
	}
	for _, r := range refs.Focus {
		if r.Title != 0 {
			each(r.Title)
		}
	}
}

// note writes them down as an erasure's.
func (t *titleUses) note(ctx context.Context, tx pgx.Tx, erasure int64) error {
	var months, whole []time.Time
	var ids []int64
	for use := range t.used {
		months, ids = append(months, dictionary.MonthStart(use.Month)), append(ids, int64(use.ID))
	}
	for month := range t.whole {
		whole = append(whole, dictionary.MonthStart(month))
	}
	batch := &pgx.Batch{}
	if len(ids) > 0 {
		batch.Queue(`INSERT INTO erasure_title (month, title, erasure) SELECT month, title, $3 FROM unnest($1::date[], $2::bigint[]) AS t(month, title)
			ON CONFLICT DO NOTHING`, months, ids, erasure)
	}
	if len(whole) > 0 {
		batch.Queue("INSERT INTO erasure_title (month, title, erasure) SELECT month, id, $2 FROM title WHERE month = ANY($1::date[]) ON CONFLICT DO NOTHING", whole, erasure)
	}
	if batch.Len() == 0 {
		return nil
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("noting titles: %w", err)
	}
	return nil
}

// sweepTitles deletes the titles that nobody's records have any more, month by month. A
// month that fails keeps no other from it.
func (e *Erasures) sweepTitles(ctx context.Context) error {
	var months []struct{ Month time.Time }
	err := e.db.Read(ctx, "looking for titles to delete", func(tx pgx.Tx) (err error) {
		months, err = db.Collect[struct{ Month time.Time }](ctx, tx, "reading", "SELECT DISTINCT month FROM erasure_title ORDER BY month")
		return err
	})
	if err != nil {
		return err
	}
	var failed error
	for _, m := range months {
		failed = errors.Join(failed, e.sweepMonth(ctx, m.Month))
		if ctx.Err() != nil {
			break
		}
	}
	return failed
}

func (e *Erasures) sweepMonth(ctx context.Context, month time.Time) error {
	if err := e.retire(ctx, month); err != nil {
		return err
	}
	all := map[uint64]struct{}{}
	err := e.db.Read(ctx, "looking for retired titles", func(tx pgx.Tx) error {
		// Records of before they were retired may have yet to be seen on all nodes.
		if err := e.db.Settle(ctx, tx); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, "SELECT DISTINCT title FROM erasure_title WHERE month = $1 AND retired", month)
		if err != nil {
			return err
		}
		var id int64
		_, err = pgx.ForEachRow(rows, []any{&id}, func() error {
			all[uint64(id)] = struct{}{}
			return nil
		})
		return err
	})
	if err != nil {
		return err
	}
	unused := make(map[uint64]struct{}, len(all))
	for id := range all {
		unused[id] = struct{}{}
	}
	unreadable, err := e.markUsed(ctx, month, unused)
	if err != nil {
		return err
	}
	return e.deleteTitles(ctx, month, titles{all, unused, unreadable})
}

// retire has no new record get one of the titles, whatever servers remember: from its
// commit on they find other numbers for the same texts. Writers hold their machines while
// they look whether titles were retired, so that none is under way meanwhile.
func (e *Erasures) retire(ctx context.Context, month time.Time) error {
	err := e.db.Write(ctx, "retiring titles", func(tx pgx.Tx) error {
		var some bool
		if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM erasure_title WHERE month = $1 AND NOT retired)", month).Scan(&some); err != nil || !some {
			return err
		}
		if err := directory.HoldMachines(ctx, tx, lockWait); err != nil {
			return err
		}
		if _, err := db.Exec(ctx, tx, "noting that some are retired", "UPDATE title_sweep SET sweeps = sweeps + 1"); err != nil {
			return err
		}
		// A longer digest is no text's; with the number in it, no two are the same.
		_, err := db.Exec(ctx, tx, "taking them off", `UPDATE title SET digest = digest || int8send(id) WHERE month = $1 AND octet_length(digest) = $2
			AND id IN (SELECT title FROM erasure_title WHERE month = $1 AND NOT retired)`, month, dictionary.TitleDigestBytes)
		if err != nil {
			return err
		}
		_, err = db.Exec(ctx, tx, "noting it", "UPDATE erasure_title SET retired = true WHERE month = $1 AND NOT retired", month)
		return err
	})
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == lockNotAvailable {
		return fmt.Errorf("retiring titles: %w", errBusy)
	}
	return err
}

// markUsed takes the titles out of unused that a record of the month has. Rows that cannot
// be read have none: nobody sees what is in them either way, and one of them would else keep
// the titles of all who were erased for ever. It returns how many there are.
func (e *Erasures) markUsed(ctx context.Context, month time.Time, unused map[uint64]struct{}) (unreadable int, err error) {
	end := month.AddDate(0, 1, 0)
	for last := int32(0); ; {
		var keys []struct{ Key int32 }
		err := e.db.Read(ctx, "listing machines", func(tx pgx.Tx) (err error) {
			keys, err = db.Collect[struct{ Key int32 }](ctx, tx, "reading", "SELECT id FROM machine WHERE id > $1 AND last_ts >= $2 AND first_seen < $3 ORDER BY id LIMIT $4",
				last, month, end, machinesAtOnce)
			return err
		})
		if err != nil {
			return unreadable, err
		}
		for _, k := range keys {
			if len(unused) == 0 {
				return unreadable, nil
			}
			start := time.Now()
			n := 0
			err := e.db.Read(ctx, "looking for titles in use", func(tx pgx.Tx) (err error) {
				n, err = walk.Readable(ctx, tx, k.Key, month, end, func(_ *api.Event, refs *codec.Refs) error {
					eachTitle(refs, func(id uint64) { delete(unused, id) })
					return nil
				})
				return err
			}, db.KeepEvents)
			if err != nil {
				return unreadable, err
			}
			unreadable += n
			select {
			case <-ctx.Done():
				return unreadable, ctx.Err()
			case <-time.After(min(time.Since(start), longestRest)):
			}
			last = k.Key
		}
		if len(keys) < machinesAtOnce {
			return unreadable, nil
		}
	}
}

// titles are all retired ones of a month, and which of them nobody has; unreadable rows
// were not looked at.
type titles struct {
	all, unused map[uint64]struct{}
	unreadable  int
}

// titlesOverUnreadable is the kind of change by which it is known that rows could not be
// read.
const titlesOverUnreadable = "titles.deleted_over_unreadable"

// Unreadable is when titles were last deleted although rows could not be read, and how often
// within the time that it is reported.
type Unreadable struct {
	Times int
	Last  time.Time
}

// tellUnreadable is for how long it is reported.
const tellUnreadable = 90 * 24 * time.Hour

// LookForUnreadable returns it.
func LookForUnreadable(ctx context.Context, tx pgx.Tx) (u Unreadable, err error) {
	err = tx.QueryRow(ctx, "SELECT count(*), coalesce(max(at), 'epoch') FROM audit_log WHERE what = $1 AND at > now() - $2::interval",
		titlesOverUnreadable, tellUnreadable).Scan(&u.Times, &u.Last)
	return u, err
}

// deleteTitles deletes the unused ones of all that were looked for. Where rows could not be
// read it is written down.
func (e *Erasures) deleteTitles(ctx context.Context, month time.Time, t titles) error {
	if len(t.all) == 0 {
		return nil
	}
	return e.db.Write(ctx, "deleting titles", func(tx pgx.Tx) error {
		_, err := db.Exec(ctx, tx, "deleting", `WITH done AS (DELETE FROM erasure_title WHERE month = $1 AND title = ANY($2::bigint[]) AND retired RETURNING title, erasure),
				gone AS (DELETE FROM title WHERE month = $1 AND id = ANY($3::bigint[]) RETURNING id),
				n AS (SELECT done.erasure, count(*) AS n FROM done JOIN gone ON gone.id = done.title GROUP BY done.erasure)
			UPDATE erasure e SET titles = e.titles + n.n FROM n WHERE e.id = n.erasure`, month, idsOf(t.all), idsOf(t.unused))
		if err != nil || t.unreadable == 0 {
			return err
		}
		return audit.Write(ctx, tx, audit.Change{
			What: titlesOverUnreadable, ID: month.Format("2006-01"), Details: map[string]string{"unreadable_rows": strconv.Itoa(t.unreadable)},
		})
	})
}

func idsOf(set map[uint64]struct{}) []int64 {
	ids := make([]int64, 0, len(set))
	for id := range set {
		ids = append(ids, int64(id))
	}
	return ids
}
