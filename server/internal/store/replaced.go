package store

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

// errReplaced fails what was about to be written and relies on rows of another
// database.
var errReplaced = errors.New("the database was replaced, by a restore; asking again works")

// identity is which database it is that rows are remembered of.
type identity struct {
	mu sync.Mutex
	// table is the table machine's number in PostgreSQL, which a restored one does
	// not share.
	table uint32
	// started is when PostgreSQL was: files that go back to a snapshot or a base
	// backup, and a standby that takes over with less than there was, keep all
	// numbers, and give those of lost rows to others.
	started time.Time
	// changes counts how often it was another one than before.
	changes uint64
}

// since is how often it has changed so far.
func (i *identity) since() uint64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.changes
}

// changes is how often the database has become another one so far.
func (s *Store) changes() uint64 { return s.identity.since() }

// rememberSince calls remember, unless the database has become another one since.
func (s *Store) rememberSince(since uint64, remember func()) {
	s.identity.mu.Lock()
	defer s.identity.mu.Unlock()
	if s.identity.changes == since {
		remember()
	}
}

// noticeReplaced looks at each new connection whether the database is still the
// same one. Where a backup was restored while this server had no connection,
// everything that it remembers is of tables that are gone.
func (s *Store) noticeReplaced(ctx context.Context, conn *pgx.Conn) error {
	var table uint32
	var started time.Time
	if err := conn.QueryRow(ctx, "SELECT coalesce(to_regclass('machine')::oid, 0), pg_postmaster_start_time()").Scan(&table, &started); err != nil {
		return fmt.Errorf("looking whether the database is the same: %w", err)
	}
	i := &s.identity
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
	s.hosts.forget()
	s.forget()
	if !replaced {
		s.log.Info("PostgreSQL was started anew; forgetting what was remembered of its rows")
		return nil
	}
	s.log.Warn("the database was replaced; forgetting what was remembered of it")
	return errReplaced
}

// acquire gives a connection for writing what relies on rows that were learnt of or
// remembered since then. Connections that were made before such a change have ended
// with it, and making one notices it: so nothing is written by another's rows.
func (s *Store) acquire(ctx context.Context, since uint64) (*pgxpool.Conn, error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("waiting for a connection: %w", err)
	}
	if s.identity.since() != since {
		conn.Release()
		return nil, errReplaced
	}
	return conn, nil
}
