package erasure

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/db"
)

const (
	// KeepTombstones is for how long events of before are refused: longer than a host
	// that was switched off keeps them.
	KeepTombstones = 400 * 24 * time.Hour
	// settle is for how long after somebody was erased it may still be written that they
	// were looked at: longer than any answer takes that was begun before.
	settle = 10 * time.Minute
	// lookEvery is how often a server looks for what others, or a command, erased.
	lookEvery = time.Minute
)

// Run deletes what is left of people who were erased, now and whenever somebody is, until
// ctx ends. Several servers may do so; each goes on where another left off.
func (e *Erasures) Run(ctx context.Context, log *slog.Logger) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		err := e.Finish(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errBusy):
			log.Info("erasing waits for others; trying again in a minute", "error", err)
		case err != nil:
			log.Error("deleting what is left of erased people failed; trying again in a minute", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-e.begun:
		}
	}
}

// Finish deletes what is left of all who were erased, as far as it is due, and tombstones
// that are too old. It goes on where another left off, whatever ended that.
func (e *Erasures) Finish(ctx context.Context) error {
	for {
		more, err := e.step(ctx)
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	if err := e.sweepTitles(ctx); err != nil {
		return err
	}
	// A folder that is away keeps nothing else waiting.
	files := e.screenshots.EraseFiles(ctx)
	if err := e.noteGone(ctx); err != nil {
		return err
	}
	return errors.Join(files, e.forget(ctx))
}

// due is an account of which something is left.
type due struct {
	Machine      int32
	Erasure      int64
	UnreadableAt time.Time
	LooksAfter   int64
}

// step deletes some of one account that nobody else is at, and reports whether there may
// be more.
func (e *Erasures) step(ctx context.Context) (more bool, err error) {
	now := e.now().UTC()
	err = e.db.Write(ctx, "deleting what is left of an erased account", func(tx pgx.Tx) error {
		list, err := db.Collect[due](ctx, tx, "looking for one", `SELECT m.key, m.erasure, e.unreadable_at, m.looks_after
			FROM erasure_machine m JOIN erasure e ON e.id = m.erasure WHERE m.next_at <= $1 ORDER BY m.key LIMIT 1 FOR UPDATE OF m SKIP LOCKED`, now)
		if more = len(list) > 0; err != nil || !more {
			return err
		}
		d := &list[0]
		// Who wrote of it has ended, but perhaps not on all nodes.
		if err := e.db.Settle(ctx, tx); err != nil {
			return err
		}
		for _, some := range parts(e.atOnce) {
			if n, err := some(ctx, tx, d); err != nil || n > 0 {
				return err
			}
		}
		if deleted, err := eraseLooks(ctx, tx, d, e.atOnce); err != nil || deleted {
			return err
		}
		return finished(ctx, tx, d, now)
	})
	return more && err == nil, err
}

// eraseLooks deletes some of who looked at an account, and reports whether there may be more.
// Looks at several are gone through in their order; after those comes another round, until
// it finds none.
func eraseLooks(ctx context.Context, tx pgx.Tx, d *due, atOnce limits) (more bool, err error) {
	n, err := access.Erase(ctx, tx, d.Machine, atOnce.rows)
	if err != nil {
		return false, err
	}
	if n == 0 {
		left, next, err := access.Leave(ctx, tx, d.Machine, d.LooksAfter, atOnce.looks)
		if err != nil || next == d.LooksAfter {
			return false, err
		}
		n = int64(left)
		if _, err := db.Exec(ctx, tx, "noting how far it is", "UPDATE erasure_machine SET looks_after = $2 WHERE key = $1", d.Machine, next); err != nil {
			return false, err
		}
	}
	return true, d.count(ctx, tx, "looks", n)
}

// count adds to what was deleted.
func (d *due) count(ctx context.Context, tx pgx.Tx, column string, n int64) error {
	_, err := db.Exec(ctx, tx, "counting", "UPDATE erasure SET "+column+" = "+column+" + $2 WHERE id = $1", d.Erasure, n)
	return err
}

// finished notes that nothing is left of an account, or that it is looked at once more.
func finished(ctx context.Context, tx pgx.Tx, d *due, now time.Time) error {
	if at := d.UnreadableAt.Add(settle); now.Before(at) {
		_, err := db.Exec(ctx, tx, "noting when to look again", "UPDATE erasure_machine SET next_at = $2 WHERE key = $1", d.Machine, at)
		return err
	}
	_, err := db.Exec(ctx, tx, "noting that nothing is left", "DELETE FROM erasure_machine WHERE key = $1", d.Machine)
	return err
}

// noteGone notes of which people nothing is left.
func (e *Erasures) noteGone(ctx context.Context) error {
	return e.db.Write(ctx, "noting that nothing is left", func(tx pgx.Tx) error {
		_, err := db.Exec(ctx, tx, "writing", `UPDATE erasure e SET gone_at = $1 WHERE gone_at IS NULL
			AND NOT EXISTS (SELECT FROM erasure_machine m WHERE m.erasure = e.id)
			AND NOT EXISTS (SELECT FROM erasure_title t WHERE t.erasure = e.id)
			AND NOT EXISTS (SELECT FROM erasure_file f WHERE f.erasure = e.id)`, e.now().UTC())
		return err
	})
}

// forget forgets tombstones that are too old.
func (e *Erasures) forget(ctx context.Context) error {
	return e.db.Write(ctx, "forgetting old erasures", func(tx pgx.Tx) error {
		before := e.now().Add(-KeepTombstones).UTC()
		n, err := db.Exec(ctx, tx, "deleting tombstones", "DELETE FROM tombstone WHERE erased_at < $1", before)
		if err != nil || n == 0 {
			return err
		}
		_, err = db.Exec(ctx, tx, "letting accounts forget", "UPDATE machine SET erased_before = NULL WHERE erased_before < $1", before)
		return err
	})
}
