// Package store is all of the server's SQL: its schema as embedded migrations,
// and one method for each thing that the other packages ask or tell. It alone
// imports pgx.
package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	// connectTimeout bounds the way to PostgreSQL, so that one that is away
	// without refusing (a lost network) is noticed quickly.
	connectTimeout = 3 * time.Second
	// pingTimeout bounds trying a connection that was idle for a second: one
	// whose other end vanished without a word would cost its request all the
	// time there is.
	pingTimeout = time.Second
	// statementTimeout bounds one statement on PostgreSQL's side; callers
	// bound whole requests through their contexts.
	statementTimeout = 30 * time.Second
	// idleInTransaction frees the machines that a server had locked which
	// vanished between two statements; nothing computes that long there.
	idleInTransaction = 10 * time.Second
	// usualConns is the size of the pool unless the URL says pool_max_conns:
	// several times the processors that PostgreSQL is likely to have, and few
	// enough for two servers on its default of 100.
	usualConns = 16
	// migrateRetry is how long Prepare waits between two tries.
	migrateRetry = time.Second
)

// Errors that callers tell apart.
var (
	// ErrUnavailable says that PostgreSQL is away, starting, stopping or too
	// slow: whatever was asked may be asked again.
	ErrUnavailable = errors.New("the database is unavailable")
	// ErrNoAccess says that PostgreSQL has no such database, or does not let us
	// into it: somebody has to do something.
	ErrNoAccess = errors.New("PostgreSQL does not let the server in")
	// ErrNotFound says that there is no such row.
	ErrNotFound = errors.New("not found")
)

// Store is a pool of connections to one database. Its methods may be called
// from many goroutines.
type Store struct {
	pool     *route
	replica  *replica
	log      *slog.Logger
	migrated atomic.Bool
	// noMigrate leaves the schema to somebody else.
	noMigrate bool
	keep      Retention
	// compactAfter is Options.CompactAfter.
	compactAfter time.Duration
	now          func() time.Time
	group        *group
	// questions and summaries bound what people's reading takes of the pool.
	questions, summaries share
	// attachAgain is from when on partitions may be made again, in nanoseconds
	// since 1970.
	attachAgain atomic.Int64
	metrics     *metrics
	joined      prometheus.Counter
	identity    identity

	// What is known of rows that never change.
	hosts      *cache[string, knownHost]
	machines   *cache[string, owner]
	apps       *cache[string, uint64]
	titles     *cache[titleKey, uint64]
	partitions *cache[string, struct{}]
	// indirect are names of partitions that rows can't be written to.
	indirect *cache[string, struct{}]
}

// Options say how a store works.
type Options struct {
	// Keep is for how long data is kept.
	Keep Retention
	// CompactAfter is for how long a day must be over until its events are
	// compacted; zero means never.
	CompactAfter time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
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
func Open(ctx context.Context, databaseURL string, opts Options) (*Store, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	s := &Store{
		log: opts.Log, keep: opts.Keep, compactAfter: opts.CompactAfter, now: opts.Now, noMigrate: opts.NoMigrate,
		hosts: newCache[string, knownHost](hostsKnown), machines: newCache[string, owner](machinesKnown), apps: newCache[string, uint64](appsKnown),
		titles: newCache[titleKey, uint64](titlesKnown), partitions: newCache[string, struct{}](partitionsKnown),
		indirect: newCache[string, struct{}](partitionsKnown),
	}
	s.metrics = newMetrics()
	s.group = newGroup(s.metrics.measured(s.writeBatches))
	var err error
	if s.pool, err = newRoute(ctx, databaseURL, opts.Name, s.noticeReplaced); err != nil {
		return nil, err
	}
	connections := s.pool.Config().MaxConns
	s.questions, s.summaries = newShare(connections, questionsPart), newShare(connections, summariesPart)
	if opts.ReplicaURL != "" {
		away, err := newRoute(ctx, opts.ReplicaURL, opts.Name, nil)
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("the replica: %w", err)
		}
		s.replica = &replica{route: away, log: opts.Log, limit: cmp.Or(opts.ReplicaLag, UsualReplicaLag)}
	}
	return s, nil
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%d", d.Milliseconds()) }

// Close ends all connections, after the calls under way.
func (s *Store) Close() {
	if s.replica != nil {
		s.replica.stop()
		s.replica.Close()
	}
	s.pool.Close()
}

// Prepare calls Migrate until it succeeds: while PostgreSQL is away it tries
// again, until ctx ends; any other error is final. waiting is called at the first
// such failure.
func (s *Store) Prepare(ctx context.Context, waiting func(error)) error {
	for told := false; ; {
		err := s.Migrate(ctx)
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

// Ready says whether the database answers and has our schema.
func (s *Store) Ready(ctx context.Context) error {
	return s.read(ctx, "asking whether the database answers", func(tx pgx.Tx) error {
		_, err := exec(ctx, tx, "selecting 1", "SELECT 1")
		return err
	})
}

// write runs do in a transaction and commits it. The commit is durable when
// write returns nil.
func (s *Store) write(ctx context.Context, what string, do func(pgx.Tx) error) error {
	return s.transact(ctx, pgx.TxOptions{}, what, do)
}

// read runs do in a read-only transaction that sees the present state of the
// database. What people ask for goes through report.
func (s *Store) read(ctx context.Context, what string, do func(pgx.Tx) error) error {
	return s.transact(ctx, snapshot(), what, do)
}

// exec runs a statement that gives no rows and says how many it changed.
func exec(ctx context.Context, tx pgx.Tx, what, sql string, args ...any) (int64, error) {
	tag, err := tx.Exec(ctx, sql, args...)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	return tag.RowsAffected(), nil
}

// collect runs a query and gives its rows, column by column as T's fields.
func collect[T any](ctx context.Context, tx pgx.Tx, what, sql string, args ...any) ([]T, error) {
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

// readAnySchema runs do in a read-only transaction on a database of any schema.
func (s *Store) readAnySchema(ctx context.Context, what string, do func(pgx.Tx) error) error {
	return classify(what, pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, do))
}

// queueTransaction queues what begins a transaction that writes; COMMIT ends it.
func (s *Store) queueTransaction(batch *pgx.Batch) { s.pool.queueBegin(batch) }

// sendBatch sends statements in one message. A connection that comes back within a
// transaction is closed by the pool.
func (s *Store) sendBatch(ctx context.Context, what string, batch *pgx.Batch) error {
	if err := s.opened(what); err != nil {
		return err
	}
	return classify(what, s.pool.SendBatch(ctx, batch).Close())
}

// resetIfLost closes all idle connections after an error that means that PostgreSQL
// was away: they are likely dead as well, and would each cost the next caller a while.
func (s *Store) resetIfLost(err error) {
	if errors.Is(err, ErrUnavailable) && lost(err) {
		s.pool.Reset()
	}
}

// maxConns is how many connections there may be.
func (s *Store) maxConns() int32 { return s.pool.Config().MaxConns }

// isPooled reports whether a connection pooler was found on the way to PostgreSQL.
func (s *Store) isPooled() bool { return s.pool.pooled.Load() }

// primary returns the connections to the database itself.
func (s *Store) primary() *route { return s.pool }

// standby returns the connections to the replica, nil where there is none.
func (s *Store) standby() *route {
	if s.replica == nil {
		return nil
	}
	return s.replica.route
}

func (s *Store) transact(ctx context.Context, opts pgx.TxOptions, what string, do func(pgx.Tx) error) error {
	if err := s.opened(what); err != nil {
		return err
	}
	return classify(what, pgx.BeginTxFunc(ctx, s.pool, opts, do))
}

// opened says whether the database has our schema.
func (s *Store) opened(what string) error {
	if !s.migrated.Load() {
		return fmt.Errorf("%s: %w: its schema is not ready yet", what, ErrUnavailable)
	}
	return nil
}

// classify wraps err with what was being done, and with ErrUnavailable unless
// it tells of a mistake of ours or of a decision of this package.
func classify(what string, err error) error {
	if err == nil {
		return nil
	}
	var decided decision
	if errors.As(err, &decided) || errors.Is(err, ErrNotFound) {
		return fmt.Errorf("%s: %w", what, err)
	}
	var pg *pgconn.PgError
	switch {
	case !errors.As(err, &pg) || !ours(pg.Code):
		return fmt.Errorf("%s: %w: %w", what, ErrUnavailable, err)
	case strings.HasPrefix(pg.Code, "28") || strings.HasPrefix(pg.Code, "3D"):
		return fmt.Errorf("%s: %w: %w", what, ErrNoAccess, err)
	default:
		return fmt.Errorf("%s: %w", what, err)
	}
}

// decision marks errors that this package decided on inside a transaction.
type decision interface {
	error
	decided()
}

// ours says whether a SQLSTATE means that a statement is wrong rather than that
// the database is away, full, stopping or overloaded. A wrong password is among
// them: waiting does not mend it.
func ours(code string) bool {
	if len(code) != 5 {
		return false
	}
	switch code[:2] {
	case "0A", "21", "22", "23", "26", "28", "2B", "34", "3D", "3F", "42", "44":
		return true
	}
	return false
}
