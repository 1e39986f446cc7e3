package db

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrReplaced fails what was about to be written and relies on rows of another
// database.
var ErrReplaced = errors.New("the database was replaced, by a restore; asking again works")

// identity is which database it is that rows are remembered of.
type identity struct {
	mu sync.Mutex
	// table is the table machine's number in PostgreSQL, which a restored one does
	// not share.
	table uint32
	// started is when PostgreSQL was: files that go back to a snapshot or a base
	// backup, and a standby that takes over with less than there was, keep all
	// numbers, and assign those of lost rows to others.
	started time.Time
	// changes counts how often it was another one than before.
	changes uint64
	// forget are called when it is another one.
	forget []func()
}

// since is how often it has changed so far.
func (i *identity) since() uint64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.changes
}

// OnReplaced has forget called whenever the database has become another one: it
// forgets what is remembered of rows.
func (d *DB) OnReplaced(forget func()) {
	d.identity.mu.Lock()
	defer d.identity.mu.Unlock()
	d.identity.forget = append(d.identity.forget, forget)
}

// Changes is how often the database has become another one so far.
func (d *DB) Changes() uint64 { return d.identity.since() }

// RememberSince calls remember, unless the database has become another one since.
func (d *DB) RememberSince(since uint64, remember func()) {
	d.identity.mu.Lock()
	defer d.identity.mu.Unlock()
	if d.identity.changes == since {
		remember()
	}
}

// noticeReplaced looks at each new connection whether the database is still the
// same one. Where a backup was restored while this server had no connection,
// everything that it remembers is of tables that are gone.
func (d *DB) noticeReplaced(ctx context.Context, conn *pgx.Conn) error {
	var table uint32
	var started time.Time
	if err := conn.QueryRow(ctx, "SELECT coalesce(to_regclass('machine')::oid, 0), pg_postmaster_start_time()").Scan(&table, &started); err != nil {
		return fmt.Errorf("looking whether the database is the same: %w", err)
	}
	i := &d.identity
	i.mu.Lock()
	defer i.mu.Unlock()
	// Before the first migration there is no table.
	replaced := i.table != 0 && table != 0 && i.table != table
	restarted := !i.started.IsZero() && !i.started.Equal(started)
	i.table, i.started = cmp.Or(table, i.table), started
	if !replaced && !restarted {
		return nil
	}
	i.changes++
	for _, forget := range i.forget {
		forget()
	}
	if !replaced {
		d.log.Info("PostgreSQL was started anew; forgetting what was remembered of its rows")
		return nil
	}
	d.log.Warn("the database was replaced; forgetting what was remembered of it")
	return ErrReplaced
}

// Acquire returns a connection for writing what relies on rows that were learnt of or
// remembered since then. Connections that were made before such a change have ended
// with it, and making one notices it: so nothing is written by another's rows.
func (d *DB) Acquire(ctx context.Context, since uint64) (*pgxpool.Conn, error) {
	conn, err := d.pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("waiting for a connection: %w", err)
	}
	if d.identity.since() != since {
		conn.Release()
		return nil, ErrReplaced
	}
	return conn, nil
}
