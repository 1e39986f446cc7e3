package db

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A database may be spread over several nodes by Citus: each of the big tables then lies in
// shards by machine. Citus' own tables have that written down, so that no server and no
// restored backup can be wrong about it; each new connection looks.

// SpreadTables are the tables that are spread, all by machine and a machine's rows of all of
// them on one node.
func SpreadTables() []string { return []string{"event", "event_hour", "rollup", "rollup_day"} }

const (
	// shardsPerWorker is how many shards a worker gets at first: shards move, so that there
	// may be as many workers as shards, while each statement about many machines visits all.
	shardsPerWorker = 4
	// leastPrepared is how many transactions a node must be able to prepare: one for each
	// connection and shard of two servers.
	leastPrepared = 2 * usualConns * shardsPerWorker
)

// spreadError is a refusal to spread a database.
type spreadError string

func (e spreadError) Error() string { return string(e) }

// Decided makes it a Decision.
func (spreadError) Decided() {}

const (
	errNoCitus   spreadError = "the database has no Citus: CREATE EXTENSION citus in it, on all nodes (README, How it grows)"
	errNoWorkers spreadError = "the database has no workers: SELECT citus_add_node(…) adds one (README, How it grows)"
)

// spreadSettings hold for sessions of a spread database, beside sessionSettings.
func spreadSettings(shards int32) []setting {
	return []setting{
		// Citus must see the arguments to know to which nodes a statement goes.
		{planMode, "auto"},
		// A statement uses a connection for each shard. By default all but one are closed
		// with the transaction, and making them anew takes longer than the statement.
		{"citus.max_cached_conns_per_worker", strconv.Itoa(int(shards))},
	}
}

// spreadBegin is what transactions of a spread database begin with. One that only reads has
// none on the workers, which have no state in common that it could keep; and its lock on
// partitions (Begin) is the coordinator's alone, by which they are dropped. Else each answer would
// ask each worker to begin, to lock and to commit, one after the other.
func spreadBegin(mode pgx.TxAccessMode) string {
	if mode != pgx.ReadOnly {
		return ""
	}
	return ";SET LOCAL citus.select_opens_transaction_block = off;SET LOCAL citus.enable_ddl_propagation = off"
}

// gather is for a transaction that sums up many machines. Citus gathers what workers answer before
// the first row of it is handed on, in memory up to work_mem and else in a file; this holds the
// packed days of 1,000 machines for two months. It comes after all locks: it fixes the state
// that the transaction sees.
const gather Begin = "SELECT set_config('work_mem', '64MB', true) WHERE pg_size_bytes(current_setting('work_mem')) < pg_size_bytes('64MB')"

// lookSpread notes whether the database is spread.
func (r *Pool) lookSpread(ctx context.Context, conn *pgx.Conn, citus bool) error {
	var shards int32
	if citus {
		err := conn.QueryRow(ctx, "SELECT count(*) FROM pg_dist_shard WHERE logicalrelid = to_regclass('event')", pgx.QueryExecModeSimpleProtocol).Scan(&shards)
		if err != nil {
			return fmt.Errorf("looking whether the database is spread: %w", err)
		}
	}
	r.spread.Store(shards)
	return nil
}

// Spread reports whether Citus spreads the big tables over several nodes. Then each
// statement about machines visits the nodes of their shards: few large statements are
// cheaper than many small ones.
func (d *DB) Spread() bool { return d.pool.spread.Load() > 0 }

// NoticeSpread has the next connections look anew where an error is of a statement that one
// node takes and several do not: the database was spread meanwhile. It reports whether it is.
func (d *DB) NoticeSpread(err error) bool {
	var pg *pgconn.PgError
	if d.Spread() || !errors.As(err, &pg) || pg.Code != featureNotSupported {
		return false
	}
	d.pool.Reset()
	return true
}

// featureNotSupported is the code with which Citus refuses a statement.
const featureNotSupported = "0A000"

// Distribute spreads the big tables over the workers that Citus knows, with what is in them,
// and reports in how many shards they lie; changed is false where they did already. All
// other connections end, so that servers look anew.
func (d *DB) Distribute(ctx context.Context) (shards int, changed bool, err error) {
	err = d.Write(ctx, "spreading the database", func(tx pgx.Tx) error {
		workers, err := workersOf(ctx, tx)
		if err != nil {
			return err
		}
		var tables []string
		err = tx.QueryRow(ctx, "SELECT coalesce(array_agg(logicalrelid::text), '{}') FROM pg_dist_partition WHERE logicalrelid = ANY($1::text[]::regclass[])", SpreadTables()).Scan(&tables)
		if err != nil {
			return fmt.Errorf("looking what is spread already: %w", err)
		}
		if changed = len(tables) < len(SpreadTables()); changed {
			if err := distribute(ctx, tx, tables, workers*shardsPerWorker); err != nil {
				return err
			}
		}
		if err := tx.QueryRow(ctx, "SELECT count(*) FROM pg_dist_shard WHERE logicalrelid = 'event'::regclass").Scan(&shards); err != nil {
			return fmt.Errorf("counting shards: %w", err)
		}
		return nil
	})
	if err != nil || !changed {
		return shards, false, err
	}
	// Sessions that planned before would go on as if there were one node.
	return shards, true, d.Write(ctx, "ending other connections", func(tx pgx.Tx) error {
		_, err := Exec(ctx, tx, "ending", `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid() AND application_name LIKE $1`, ServerName+"%")
		return err
	})
}

// settleEvery is how often it is looked whether transactions have ended, settlePatience for
// how long: usually they end within milliseconds, and those of a node that failed within a
// minute after it is back.
const (
	settleEvery    = 5 * time.Millisecond
	settlePatience = 5 * time.Second
)

// Settle waits, where the database is spread, until all nodes have what was committed
// before. A commit lets go of the rows that it had locked on the coordinator while workers
// may have yet to hear of it: whoever locks a machine then might not see all of its rows. Who
// writes such that equal rows meet in a key need not care; who reads rows and writes others
// in their place must.
func (d *DB) Settle(ctx context.Context, tx Asker) error {
	if !d.Spread() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, settlePatience)
	defer cancel()
	waiting, err := preparedOn(ctx, tx, nil)
	for err == nil && len(waiting) > 0 {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: transactions of before have not ended on all nodes", ErrUnavailable)
		case <-time.After(settleEvery):
		}
		waiting, err = preparedOn(ctx, tx, waiting)
	}
	return err
}

// Asker is a transaction or a connection.
type Asker interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// preparedOn returns the transactions that are prepared on workers; of some, where they are
// given.
func preparedOn(ctx context.Context, tx Asker, some []string) (gids []string, err error) {
	var away bool
	err = tx.QueryRow(ctx, `SELECT coalesce(array_agg(g.gid) FILTER (WHERE r.success AND g.gid <> '' AND ($1::text[] IS NULL OR g.gid = ANY($1))), '{}'), coalesce(bool_or(NOT r.success), false)
		FROM run_command_on_workers($$SELECT coalesce(string_agg(gid, ','), '') FROM pg_prepared_xacts WHERE database = current_database() AND gid LIKE 'citus_%'$$) r
		CROSS JOIN LATERAL string_to_table(r.result, ',') AS g(gid)`, some).Scan(&gids, &away)
	if err != nil {
		return nil, fmt.Errorf("asking the workers for prepared transactions: %w", err)
	}
	if away {
		return nil, fmt.Errorf("asking the workers for prepared transactions: %w: one does not answer", ErrUnavailable)
	}
	return gids, nil
}

// workersOf counts the nodes that may have shards, and refuses where they could not keep
// what is committed.
func workersOf(ctx context.Context, tx pgx.Tx) (int, error) {
	var citus bool
	if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')").Scan(&citus); err != nil {
		return 0, fmt.Errorf("looking for Citus: %w", err)
	}
	if !citus {
		return 0, errNoCitus
	}
	var workers int
	if err := tx.QueryRow(ctx, "SELECT count(*) FROM pg_dist_node WHERE isactive AND shouldhaveshards AND noderole = 'primary'").Scan(&workers); err != nil {
		return 0, fmt.Errorf("counting workers: %w", err)
	}
	if workers == 0 {
		return 0, errNoWorkers
	}
	return workers, checkWorkers(ctx, tx)
}

// checkWorkers refuses workers that could lose what was acknowledged.
func checkWorkers(ctx context.Context, tx pgx.Tx) error {
	for _, check := range []struct{ setting, bad, want string }{
		{"max_prepared_transactions", "r.result::int < " + strconv.Itoa(leastPrepared), "at least " + strconv.Itoa(leastPrepared)},
		{"synchronous_commit", "r.result = 'off'", "on"},
	} {
		var bad []string
		err := tx.QueryRow(ctx, `SELECT coalesce(array_agg(r.nodename || ':' || r.nodeport || ' (' || r.result || ')'), '{}')
			FROM run_command_on_workers('SHOW `+check.setting+`') r WHERE CASE WHEN r.success THEN `+check.bad+` ELSE true END`).Scan(&bad)
		if err != nil {
			return fmt.Errorf("asking the workers for %s: %w", check.setting, err)
		}
		if len(bad) > 0 {
			return spreadError(fmt.Sprintf("%s must be %s on each worker, so that a node that fails loses nothing: %s", check.setting, check.want, strings.Join(bad, ", ")))
		}
	}
	return nil
}

// distribute spreads those tables that are not spread yet.
func distribute(ctx context.Context, tx pgx.Tx, done []string, shards int) error {
	if len(done) > 0 {
		return spreadError("only some tables are spread, not by this command: " + strings.Join(done, ", "))
	}
	if _, err := Exec(ctx, tx, "setting the number of shards", "SET LOCAL statement_timeout = 0; SET LOCAL citus.shard_count = "+strconv.Itoa(shards)); err != nil {
		return err
	}
	for i, table := range SpreadTables() {
		with := "default"
		if i > 0 {
			with = SpreadTables()[0]
		}
		if _, err := Exec(ctx, tx, "spreading "+table, "SELECT create_distributed_table($1::text::regclass, 'machine', colocate_with => $2)", table, with); err != nil {
			return err
		}
	}
	return nil
}
