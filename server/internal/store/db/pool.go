package db

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The names by which connections are known to PostgreSQL.
const (
	// ServerName is a server's, which remembers rows.
	ServerName = "trackerd-server"
	// CommandName is that of a command that a person types.
	CommandName = "trackerd-server command"
)

// Pool is a pool of connections to one database, and what it learnt of the way
// there. Between us and PostgreSQL there may be a pooler, such as pgbouncer in
// transaction mode, that runs each transaction in another session of PostgreSQL.
// Then nothing of a session may be relied on: settings are made in each
// transaction, and statements are not kept prepared.
type Pool struct {
	*pgxpool.Pool
	// pooled means that a pooler was found.
	pooled atomic.Bool
	// spread is how many shards the big tables have where Citus spreads them; else 0.
	spread atomic.Int32
	// modeGiven means that the URL sets how statements are sent.
	modeGiven bool
	// look is called with each new connection, and may refuse it; nil where
	// nothing is to be looked at.
	look func(context.Context, *pgx.Conn) error
	// patience bounds a statement outside of transactions: a pooler keeps our
	// settings out of these.
	patience time.Duration
}

// errPooler means that a connection was made before a pooler was known of; the
// next one is made for it.
var errPooler = errors.New("a connection pooler was found on the way to PostgreSQL")

// newPool reads a database URL and makes the pool, whose connections PostgreSQL
// knows by that name (ServerName where it is empty). It does not connect.
func newPool(ctx context.Context, databaseURL, name string, look func(context.Context, *pgx.Conn) error) (*Pool, error) {
	config, err := pgxpool.ParseConfig(databaseURL)
	if err != nil {
		return nil, unreadableURL(err)
	}
	config.ConnConfig.ConnectTimeout = ConnectTimeout
	if !strings.Contains(databaseURL, "pool_max_conns") {
		config.MaxConns = usualConns
	}
	if !strings.Contains(databaseURL, "pool_ping_timeout") {
		config.PingTimeout = pingTimeout
	}
	r := &Pool{look: look, patience: StatementTimeout, modeGiven: strings.Contains(databaseURL, "default_query_exec_mode")}
	params := config.ConnConfig.RuntimeParams
	// These two poolers know; they refuse connections that ask for others.
	params["application_name"] = cmp.Or(name, ServerName)
	params["timezone"] = "UTC"
	for _, set := range sessionSettings() {
		delete(params, set.name)
	}
	config.BeforeConnect = r.beforeConnect
	config.AfterConnect = r.afterConnect
	if r.Pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, fmt.Errorf("making the connection pool: %w", err)
	}
	return r, nil
}

// setting is one of PostgreSQL's.
type setting struct{ name, value string }

// sessionSettings hold for all that we do, whatever PostgreSQL's defaults are.
func sessionSettings() []setting {
	return []setting{
		// What is acknowledged must be on disk.
		{"synchronous_commit", "on"},
		// Every statement is short: compiling one costs more than running it.
		{"jit", "off"},
		// What is written and asked for often is in memory: looking up some
		// machines by their key is cheaper than reading a table of a few pages,
		// which grows.
		{"random_page_cost", "1.1"},
		// Writing planned anew what a request or two bring takes longer than
		// the writing. Transactions that read go without: see options.
		{planMode, "force_generic_plan"},
		{"statement_timeout", Milliseconds(StatementTimeout)},
		{"idle_in_transaction_session_timeout", Milliseconds(idleInTransaction)},
	}
}

// planMode is whether PostgreSQL plans a prepared statement once or for each set of
// arguments, or guesses what will cost less.
const planMode = "plan_cache_mode"

// beforeConnect keeps statements from being prepared by name where a pooler is:
// the session that knows the name would be another's next time.
func (r *Pool) beforeConnect(_ context.Context, config *pgx.ConnConfig) error {
	if r.pooled.Load() && !r.modeGiven {
		config.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	return nil
}

// afterConnect makes the settings for the whole session, unless a pooler is in
// between: it answers with a process id of its own making.
func (r *Pool) afterConnect(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, ConnectTimeout)
	defer cancel()
	var pid uint32
	var citus bool
	err := conn.QueryRow(ctx, "SELECT pg_backend_pid(), to_regclass('pg_dist_shard') IS NOT NULL", pgx.QueryExecModeSimpleProtocol).Scan(&pid, &citus)
	if err != nil {
		return fmt.Errorf("asking for the session's process: %w", err)
	}
	if err := r.lookSpread(ctx, conn, citus); err != nil {
		return err
	}
	if pid != conn.PgConn().PID() {
		r.pooled.Store(true)
		if !r.modeGiven && conn.Config().DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
			return errPooler
		}
	} else if _, err := conn.Exec(ctx, r.settingsSQL("SET")); err != nil {
		return fmt.Errorf("setting up the session: %w", err)
	}
	if r.look == nil {
		return nil
	}
	return r.look(ctx, conn)
}

// settings hold for this pool's sessions.
func (r *Pool) settings() []setting {
	if shards := r.spread.Load(); shards > 0 {
		return append(sessionSettings(), spreadSettings(shards)...)
	}
	return sessionSettings()
}

// settingsSQL makes the settings by several statements in one text.
func (r *Pool) settingsSQL(set string) string {
	var sql strings.Builder
	for _, s := range r.settings() {
		fmt.Fprintf(&sql, "%s %s = '%s';", set, s.name, s.value)
	}
	return sql.String()
}

// Begin begins a transaction that our settings hold for.
func (r *Pool) Begin(ctx context.Context) (pgx.Tx, error) {
	return r.BeginTx(ctx, pgx.TxOptions{})
}

// BeginTx begins a transaction that our settings hold for.
func (r *Pool) BeginTx(ctx context.Context, opts pgx.TxOptions) (pgx.Tx, error) {
	known := r.pooled.Load()
	tx, err := r.Pool.BeginTx(ctx, r.options(opts))
	if err == nil && !known && r.pooled.Load() {
		// Found on the way: this transaction began without the settings.
		if err = tx.Rollback(ctx); err == nil {
			err = errPooler
		}
	}
	if errors.Is(err, errPooler) {
		return r.Pool.BeginTx(ctx, r.options(opts))
	}
	return tx, err
}

// askRow scans the one row that a statement returns.
func (r *Pool) askRow(ctx context.Context, sql string, arg any, into ...any) error {
	ctx, cancel := context.WithTimeout(ctx, r.patience)
	defer cancel()
	err := r.QueryRow(ctx, sql, arg).Scan(into...)
	if errors.Is(err, errPooler) {
		err = r.QueryRow(ctx, sql, arg).Scan(into...)
	}
	return err
}

// options have a transaction begin with our settings. It asks more than it writes,
// and PostgreSQL may plan that for each range of time: there are many partitions. What
// its BeginQuery holds is appended.
func (r *Pool) options(opts pgx.TxOptions) pgx.TxOptions {
	// Empty parts are left out by SQL's own rules.
	begin := "BEGIN"
	if opts.IsoLevel != "" {
		begin += " ISOLATION LEVEL " + string(opts.IsoLevel)
	}
	begin += " " + string(opts.AccessMode) + ";"
	if r.pooled.Load() {
		begin += r.settingsSQL("SET LOCAL")
	}
	if r.spread.Load() > 0 {
		opts.BeginQuery = spreadBegin(opts.AccessMode) + strings.ReplaceAll(opts.BeginQuery, beginSQL([]Begin{PlanOnce}), "")
	}
	opts.BeginQuery = begin + "SET LOCAL " + planMode + " = auto" + opts.BeginQuery
	return opts
}

// queueBegin queues what begins a transaction that writes, and that our settings
// hold for.
func (r *Pool) queueBegin(batch *pgx.Batch) {
	batch.Queue("BEGIN")
	if !r.pooled.Load() {
		return
	}
	calls := make([]string, 0, len(r.settings()))
	for _, s := range r.settings() {
		calls = append(calls, fmt.Sprintf("set_config('%s', '%s', true)", s.name, s.value))
	}
	// A batch takes one statement at a time.
	batch.Queue("SELECT " + strings.Join(calls, ", "))
}
