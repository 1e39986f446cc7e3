package upkeep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/codec"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/events"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/walk"
)

const (
	// compactEvery is how often a server looks for days to compact: there is
	// one a day, and a look costs little.
	compactEvery = 15 * time.Minute
	// compactEvents bounds the events of one transaction, which holds a
	// machine's lock: more than a day at the contract's shortest interval,
	// some 100 ms.
	compactEvents = 20_000
	// compactRest is the longest rest after a transaction. It is otherwise as
	// long as the transaction was, so that compaction takes at most half of one
	// connection, and less where the database is busy.
	compactRest = time.Second
	// compactTell is how often a long round reports how far it is.
	compactTell = time.Minute
)

// Compacted is what a round of compaction did.
type Compacted struct {
	// Events were packed into Rows of that many Bytes, without what PostgreSQL
	// adds to a row.
	Events int64 `json:"events"`
	Rows   int64 `json:"rows"`
	Bytes  int64 `json:"bytes"`
	// Dropped are the partitions of events that became empty by it.
	Dropped []string `json:"dropped"`
}

// RunCompaction compacts days gone cold, now and every quarter of an hour, until
// ctx ends. Several servers may do so.
func (u *Upkeep) RunCompaction(ctx context.Context) error {
	if u.compactAfter == 0 {
		return nil
	}
	tick := time.NewTicker(compactEvery)
	defer tick.Stop()
	for {
		done, err := u.Compact(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			u.log.Error("compacting events failed; trying again in a quarter of an hour", "error", err)
		case done.Events > 0 || len(done.Dropped) > 0:
			u.log.Info("events compacted", "events", done.Events, "rows", done.Rows, "bytes", done.Bytes, "dropped", done.Dropped)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Compact packs the events of all days that have been over for Options.CompactAfter
// into event_hour, day by day and machine by machine, and drops the partitions
// that hold nothing else. It returns what it did also with an error.
func (u *Upkeep) Compact(ctx context.Context) (Compacted, error) {
	c := compaction{Upkeep: u, told: time.Now()}
	if u.compactAfter == 0 {
		return c.done, nil
	}
	var due []partition.Partition
	err := u.db.Read(ctx, "listing days to compact", func(tx pgx.Tx) (err error) {
		due, err = u.dueToCompact(ctx, tx)
		return err
	})
	if err != nil {
		return c.done, err
	}
	for _, p := range due {
		if err := c.partition(ctx, p); err != nil {
			return c.done, err
		}
	}
	if err := c.defaultRows(ctx, u.compactHorizon()); err != nil {
		return c.done, err
	}
	return c.done, u.noteEnd(ctx, compactionName)
}

// compactHorizon is up to when events are due to be compacted.
func (u *Upkeep) compactHorizon() time.Time { return partition.DayOf(u.now().Add(-u.compactAfter)) }

// dueToCompact lists the partitions whose events are all due.
func (u *Upkeep) dueToCompact(ctx context.Context, tx pgx.Tx) ([]partition.Partition, error) {
	return partition.Before(ctx, tx, partition.Events(), u.compactHorizon())
}

// compaction is a round of compaction.
type compaction struct {
	*Upkeep
	done Compacted
	told time.Time
}

// compactable is the condition of a machine that may have events between $2 and
// $3 which are not compacted.
const compactable = "m.compacted_before < $3 AND m.last_ts >= m.compacted_before AND m.last_ts >= $2 AND m.first_seen < $3"

// partition compacts all events of a partition, and drops it.
func (c *compaction) partition(ctx context.Context, p partition.Partition) error {
	for at := p.From; at.Before(p.To); at = partition.Hours().Next(partition.Hours().Start(at)) {
		if err := c.partitions.Ensure(ctx, partition.Hours(), at); err != nil {
			return err
		}
	}
	for last := int32(0); ; {
		var keys []struct{ Key int32 }
		err := c.db.Read(ctx, "listing machines to compact", func(tx pgx.Tx) (err error) {
			keys, err = db.Collect[struct{ Key int32 }](ctx, tx, "reading",
				"SELECT m.id FROM machine m WHERE m.id > $1 AND "+compactable+" ORDER BY m.id LIMIT $4", last, p.From, p.To, machinesAtOnce)
			return err
		})
		if err != nil {
			return err
		}
		for _, k := range keys {
			if err := c.machine(ctx, k.Key, p.To); err != nil {
				return err
			}
			last = k.Key
		}
		if len(keys) < machinesAtOnce {
			return c.drop(ctx, p)
		}
	}
}

// machine compacts a machine's events before a time.
func (c *compaction) machine(ctx context.Context, key int32, before time.Time) error {
	for {
		start := time.Now()
		more, err := c.step(ctx, key, before)
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(time.Since(start), compactRest)):
		}
		if time.Since(c.told) > compactTell {
			c.told = time.Now()
			c.log.Info("compacting events", "events", c.done.Events, "rows", c.done.Rows, "bytes", c.done.Bytes, "until", before)
		}
		if !more {
			return nil
		}
	}
}

// step compacts up to compactEvents events of a machine before a time, and returns
// whether there may be more. Rows stay where they are: from now on they are void, and go
// with their partition, or from the default one once nobody reads there.
func (c *compaction) step(ctx context.Context, key int32, before time.Time) (more bool, err error) {
	var events, rows, size int
	err = c.db.Write(ctx, "compacting events", func(tx pgx.Tx) error {
		// It may be lost with all that it wrote: then the events are where
		// they were.
		if _, err := db.Exec(ctx, tx, "not waiting for the disk", "SET LOCAL synchronous_commit = off"); err != nil {
			return err
		}
		from, until, err := lockToCompact(ctx, tx, key, before)
		if err != nil || !from.Before(until) {
			return err
		}
		if err := c.db.Settle(ctx, tx); err != nil {
			return err
		}
		list, err := db.Collect[codec.Packed](ctx, tx, "reading events",
			"SELECT ts, body FROM event WHERE machine = $1 AND ts >= $2 AND ts < $3 ORDER BY ts LIMIT $4", key, from, until, compactEvents)
		if err != nil {
			return err
		}
		if events = len(list); events == compactEvents {
			more, until = true, walk.After(list[events-1].TS)
		}
		if rows, size, err = c.pack(ctx, tx, key, list, from); err != nil {
			return err
		}
		_, err = db.Exec(ctx, tx, "noting until when it is compacted", "UPDATE machine SET compacted_before = $2 WHERE id = $1", key, until)
		return err
	})
	if err == nil {
		c.done.Events, c.done.Rows, c.done.Bytes = c.done.Events+int64(events), c.done.Rows+int64(rows), c.done.Bytes+int64(size)
	}
	return more && err == nil, err
}

// lockToCompact locks a machine, and returns from when on and until when it is to be
// compacted: never beyond its newest event, so that whatever is newer than that
// one is not of a compacted time.
func lockToCompact(ctx context.Context, tx pgx.Tx, key int32, before time.Time) (from, until time.Time, err error) {
	var last time.Time
	err = tx.QueryRow(ctx, "SELECT compacted_before, last_ts FROM machine WHERE id = $1 FOR NO KEY UPDATE", key).Scan(&from, &last)
	if errors.Is(err, pgx.ErrNoRows) {
		return from, from, nil
	}
	if err != nil {
		return from, until, fmt.Errorf("locking a machine: %w", err)
	}
	until = before
	if end := walk.After(last); end.Before(until) {
		until = end
	}
	return from, until, nil
}

// pack writes a locked machine's events, all of them from a time on, into event_hour. Where
// the database is spread that is committed on its node before anybody reads there: a
// transaction of several nodes is not seen on all of them at once. What an earlier try wrote
// that did not come to its end is replaced.
func (c *compaction) pack(ctx context.Context, tx pgx.Tx, key int32, list []codec.Packed, from time.Time) (rows, size int, err error) {
	unpacked, of := make([]api.Event, len(list)), make([]codec.Refs, len(list))
	for i := range list {
		if unpacked[i], of[i], err = codec.DecodeEvent(list[i].TS, list[i].Body); err != nil {
			return 0, 0, fmt.Errorf("event of machine %d at %v: %w", key, list[i].TS, err)
		}
	}
	batch := &pgx.Batch{}
	if c.db.Spread() {
		batch.Queue("DELETE FROM event_hour WHERE machine = $1 AND first_ts >= $2", key, from)
	}
	if len(unpacked) > 0 {
		rows, size = events.QueueHours(batch, key, unpacked, of)
	}
	write := func(tx pgx.Tx) error {
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return fmt.Errorf("writing compacted events: %w", err)
		}
		return nil
	}
	if !c.db.Spread() {
		return rows, size, write(tx)
	}
	if err := c.db.Write(ctx, "writing compacted events", write); err != nil {
		return 0, 0, err
	}
	return rows, size, c.db.Settle(ctx, tx)
}

// defaultRows compacts what lies in the default partition, and deletes it there.
func (c *compaction) defaultRows(ctx context.Context, horizon time.Time) error {
	type found struct {
		Machine int32
		TS      time.Time
	}
	var done []int32
	for last := int32(0); ; {
		var next []found
		err := c.db.Read(ctx, "looking for events without a partition", func(tx pgx.Tx) (err error) {
			next, err = db.Collect[found](ctx, tx, "reading",
				"SELECT machine, ts FROM event_default WHERE machine > $1 AND ts < $2 ORDER BY machine, ts LIMIT 1", last, horizon)
			return err
		})
		if err != nil {
			return err
		}
		if len(next) == 0 {
			return c.deleteVoid(ctx, done)
		}
		last = next[0].Machine
		// All of them: what is newer is compacted already, and what is between
		// is due as well.
		if err := c.machine(ctx, last, horizon); err != nil {
			return err
		}
		done = append(done, last)
	}
}

// deleteVoid deletes from the default partition what is compacted of these machines: nobody
// reads there meanwhile, as when a partition is dropped.
func (c *compaction) deleteVoid(ctx context.Context, keys []int32) error {
	if len(keys) == 0 {
		return nil
	}
	err := c.partitions.Alone(ctx, partition.Events(), func(tx pgx.Tx) error {
		type compacted struct {
			Machine int32
			Before  time.Time
		}
		list, err := db.Collect[compacted](ctx, tx, "asking until when machines are compacted", "SELECT id, compacted_before FROM machine WHERE id = ANY($1)", keys)
		if err != nil {
			return err
		}
		batch := &pgx.Batch{}
		for _, m := range list {
			batch.Queue("DELETE FROM event_default WHERE machine = $1 AND ts < $2", m.Machine, m.Before)
		}
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return fmt.Errorf("deleting: %w", err)
		}
		return nil
	})
	if errors.Is(err, partition.ErrBusy) {
		c.log.Info("events without a partition are in use; deleting what is compacted of them later")
		return nil
	}
	return err
}

// drop drops a partition in which no event is left that is not compacted.
// Writers are kept out while it looks for the last time, so that none is lost;
// where they don't make room at once, a later round tries again.
func (c *compaction) drop(ctx context.Context, p partition.Partition) error {
	done := false
	// First without keeping anybody waiting; nobody drops it meanwhile.
	err := c.db.Read(ctx, "looking whether a partition is compacted", func(tx pgx.Tx) (err error) {
		done, err = compactedWhole(ctx, tx, p)
		return err
	}, db.KeepEvents)
	if err != nil || !done {
		return err
	}
	dropped, err := c.partitions.Drop(ctx, partition.Events(), p.Name, func(tx pgx.Tx) (bool, error) { return compactedWhole(ctx, tx, p) })
	if errors.Is(err, partition.ErrBusy) {
		c.log.Info("a compacted partition is in use; dropping it later", "partition", p.Name)
		return nil
	}
	if dropped {
		c.done.Dropped = append(c.done.Dropped, p.Name)
	}
	return err
}

// compactedWhole reports whether a partition is there and no machine may have events in it
// that are not compacted.
func compactedWhole(ctx context.Context, tx pgx.Tx, p partition.Partition) (whole bool, err error) {
	if there, err := partition.Exists(ctx, tx, p.Name); err != nil || !there {
		return false, err
	}
	err = tx.QueryRow(ctx, "SELECT NOT EXISTS (SELECT FROM machine m WHERE m.id > $1 AND "+compactable+")", 0, p.From, p.To).Scan(&whole)
	if err != nil {
		return false, fmt.Errorf("looking whether all of %s is compacted: %w", p.Name, err)
	}
	return whole, nil
}
