// Package db is the way to PostgreSQL: connections to the database and to a replica,
// transactions, what an error means, and the schema as embedded migrations.
package db

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// ConnectTimeout bounds the way to PostgreSQL, so that one that is away
	// without refusing (a lost network) is noticed quickly.
	ConnectTimeout = 3 * time.Second
	// pingTimeout bounds trying a connection that was idle for a second: one
	// whose other end vanished without a word would cost its request all the
	// time there is.
	pingTimeout = time.Second
	// StatementTimeout bounds one statement on PostgreSQL's side; callers
	// bound whole requests through their contexts.
	StatementTimeout = 30 * time.Second
	// idleInTransaction frees the machines that a server had locked which
	// vanished between two statements; nothing computes that long there.
	idleInTransaction = 10 * time.Second
	// usualConns is the size of the pool unless the URL has pool_max_conns:
	// several times the processors that PostgreSQL is likely to have, and few
	// enough for two servers on its default of 100.
	usualConns = 16
	// migrateRetry is how long Prepare waits between two tries.
	migrateRetry = time.Second
)

// DB is a pool of connections to one database, and to its replica where there is
// one. Its methods may be called from many goroutines.
type DB struct {
	pool     *Pool
	replica  *replica
	log      *slog.Logger
	migrated atomic.Bool
	// noMigrate leaves the schema to somebody else.
	noMigrate bool
	// questions and summaries bound what people's reading takes of the pool.
	questions, summaries limiter
	identity             identity
}

// Options are how connections are made and used.
type Options struct {
	Log *slog.Logger
	// NoMigrate leaves the schema alone: Migrate only checks that it is what
	// this program needs.
	NoMigrate bool
	// ReplicaURL names a streaming standby of the database that reports are
	// read from; empty means that there is none.
	ReplicaURL string
	// ReplicaLag is how far it may be behind; zero means UsualReplicaLag.
	ReplicaLag time.Duration
	// Name is by what name connections are known to PostgreSQL; empty means
	// ServerName.
	Name string
}

// Open reads the database URL and makes the pool. It does not connect: until
// Migrate has succeeded, every method returns ErrUnavailable.
func Open(ctx context.Context, databaseURL string, opts Options) (*DB, error) {
	d := &DB{log: opts.Log, noMigrate: opts.NoMigrate}
	var err error
	if d.pool, err = newPool(ctx, databaseURL, opts.Name, d.noticeReplaced); err != nil {
		return nil, err
	}
	connections := d.pool.Config().MaxConns
	d.questions, d.summaries = newLimiter(connections, questionsPart), newLimiter(connections, summariesPart)
	if opts.ReplicaURL != "" {
		standby, err := newPool(ctx, opts.ReplicaURL, opts.Name, nil)
		if err != nil {
			d.Close()
			return nil, fmt.Errorf("the replica: %w", err)
		}
		d.replica = &replica{Pool: standby, log: opts.Log, limit: cmp.Or(opts.ReplicaLag, UsualReplicaLag)}
	}
	return d, nil
}

// Close ends all connections, after the calls under way.
func (d *DB) Close() {
	if d.replica != nil {
		d.replica.stop()
		d.replica.Close()
	}
	d.pool.Close()
}

// Milliseconds returns a duration as PostgreSQL reads it in a setting.
func Milliseconds(d time.Duration) string { return fmt.Sprintf("%d", d.Milliseconds()) }

// Prepare calls Migrate until it succeeds: while PostgreSQL is away it tries
// again, until ctx ends; any other error is final. waiting is called at the first
// such failure.
func (d *DB) Prepare(ctx context.Context, waiting func(error)) error {
	for told := false; ; {
		err := d.Migrate(ctx)
		if err == nil {
			return nil
		}
		if !errors.Is(err, ErrUnavailable) || ctx.Err() != nil {
			return err
		}
		if !told {
			waiting(err)
			told = true
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the database: %w", err)
		case <-time.After(migrateRetry):
		}
	}
}

// Ready reports whether the database answers and has our schema.
func (d *DB) Ready(ctx context.Context) error {
	return d.Read(ctx, "asking whether the database answers", func(tx pgx.Tx) error {
		_, err := Exec(ctx, tx, "selecting 1", "SELECT 1")
		return err
	})
}

// Write runs do in a transaction and commits it. The commit is durable when
// write returns nil.
func (d *DB) Write(ctx context.Context, what string, do func(pgx.Tx) error, with ...Begin) error {
	return d.transact(ctx, pgx.TxOptions{BeginQuery: beginSQL(with)}, what, do)
}

// deadlockTries is how often a transaction is begun that PostgreSQL ends.
const deadlockTries = 3

// WriteAgain is Write for what locks many rows that others lock in another order: where
// PostgreSQL ends it since each waits for the other, it begins anew. So do may run several
// times, each time from nothing.
func (d *DB) WriteAgain(ctx context.Context, what string, do func(pgx.Tx) error, with ...Begin) error {
	err := d.Write(ctx, what, do, with...)
	for try := 1; try < deadlockTries && Deadlocked(err); try++ {
		err = d.Write(ctx, what, do, with...)
	}
	return err
}

// Read runs do in a read-only transaction that sees the present state of the
// database. What people ask for goes through report.
func (d *DB) Read(ctx context.Context, what string, do func(pgx.Tx) error, with ...Begin) error {
	return d.transact(ctx, snapshot(with), what, do)
}

// Exec runs a statement that returns no rows, and returns how many it changed.
func Exec(ctx context.Context, tx pgx.Tx, what, sql string, args ...any) (int64, error) {
	tag, err := tx.Exec(ctx, sql, args...)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	return tag.RowsAffected(), nil
}

// Collect runs a query and returns its rows, column by column as T's fields.
func Collect[T any](ctx context.Context, tx pgx.Tx, what, sql string, args ...any) ([]T, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[T])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return list, nil
}

// ReadAnySchema runs do in a read-only transaction on a database of any schema.
func (d *DB) ReadAnySchema(ctx context.Context, what string, do func(pgx.Tx) error) error {
	return Classify(what, pgx.BeginTxFunc(ctx, d.pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, do))
}

// QueueTransaction queues what begins a transaction that writes; COMMIT ends it.
func (d *DB) QueueTransaction(batch *pgx.Batch) { d.pool.queueBegin(batch) }

// SendBatch sends statements in one message. A connection that comes back within a
// transaction is closed by the pool.
func (d *DB) SendBatch(ctx context.Context, what string, batch *pgx.Batch) error {
	if err := d.Opened(what); err != nil {
		return err
	}
	return Classify(what, d.pool.SendBatch(ctx, batch).Close())
}

// ResetIfLost closes all idle connections after an error that means that PostgreSQL
// was away: they are likely dead as well, and would each cost the next caller a while.
func (d *DB) ResetIfLost(err error) {
	if errors.Is(err, ErrUnavailable) && lost(err) {
		d.pool.Reset()
	}
}

// MaxConns is how many connections there may be.
func (d *DB) MaxConns() int32 { return d.pool.Config().MaxConns }

// Pooled reports whether a connection pooler was found on the way to PostgreSQL.
func (d *DB) Pooled() bool { return d.pool.pooled.Load() }

// Primary returns the connections to the database itself.
func (d *DB) Primary() *Pool { return d.pool }

// Standby returns the connections to the replica, nil where there is none.
func (d *DB) Standby() *Pool {
	if d.replica == nil {
		return nil
	}
	return d.replica.Pool
}

func (d *DB) transact(ctx context.Context, opts pgx.TxOptions, what string, do func(pgx.Tx) error) error {
	if err := d.Opened(what); err != nil {
		return err
	}
	return Classify(what, pgx.BeginTxFunc(ctx, d.pool, opts, do))
}

// Opened reports whether the database has our schema.
func (d *DB) Opened(what string) error {
	if !d.migrated.Load() {
		return fmt.Errorf("%s: %w: its schema is not ready yet", what, ErrUnavailable)
	}
	return nil
}

// AskOnce reads the one row that a credential's id finds, or returns ErrNotFound.
// Not in a transaction: every request asks, and one statement sees one state
// anyway.
func (d *DB) AskOnce(ctx context.Context, what, sql, id string, into ...any) error {
	if err := d.Opened(what); err != nil {
		return err
	}
	return Classify(what, found(d.pool.askRow(ctx, sql, id, into...)))
}
