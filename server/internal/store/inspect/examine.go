package inspect

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/erasure"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/upkeep"
)

// countedRows bounds the rows of a default partition that an examination counts:
// beyond it the number shows nothing more.
const countedRows = 100_000

// Examination is what can be seen of a database and its PostgreSQL, for people
// who look after it.
type Examination struct {
	Schema db.Schema
	// VersionText is PostgreSQL's version, Version the same as 150013.
	VersionText string
	Version     int
	Encoding    string
	// Durability are the settings fsync, full_page_writes and
	// synchronous_commit.
	Durability map[string]string
	// MaxConnections may be made by all, less Reserved ones for
	// administrators; Used are, by anybody. Pool is how many we may make.
	MaxConnections, Reserved, Used, Pool int
	// Pooled means that a pooler such as pgbouncer is in between.
	Pooled bool
	// Skew is how far the database's clock is ahead of ours.
	Skew time.Duration
	// DataDirectory is where its files lie, on its machine; empty where we may
	// not know.
	DataDirectory string
	SizeBytes     int64
	Settings      PostgresSettings

	// What follows is only known where the schema is up to date.
	Admins, Viewers, Hosts int
	// GoodEnrollments are enrolment tokens that still enrol.
	GoodEnrollments int
	Partitions      []PartitionState
	Compaction      upkeep.CompactionState
	Unreadable      erasure.Unreadable
}

// PartitionState is how a partitioned table does.
type PartitionState struct {
	Table string
	// Missing are the partitions that should have been made ahead.
	Missing int
	// DefaultRows lie in no partition of their own; at most countedRows are
	// counted.
	DefaultRows int64
}

// Examine looks at the database. It works with any schema and changes nothing.
func (in *Inspector) Examine(ctx context.Context) (Examination, error) {
	var e Examination
	schema, err := in.db.Schema(ctx)
	if err != nil {
		return e, err
	}
	e.Schema, e.Pool, e.Pooled = schema, int(in.db.MaxConns()), in.db.Pooled()
	const what = "examining the database"
	err = in.db.ReadAnySchema(ctx, what, func(tx pgx.Tx) error {
		if err := examineServer(ctx, tx, &e); err != nil {
			return err
		}
		if e.Settings, err = examineSettings(ctx, tx, e.Version, e.Pooled); err != nil || schema.Version != schema.Known {
			return err
		}
		err := tx.QueryRow(ctx, `SELECT (SELECT count(*) FROM api_token WHERE role = 'admin'),
			(SELECT count(*) FROM api_token WHERE role = 'viewer'), (SELECT count(*) FROM host_credential),
			(SELECT count(*) FROM enrollment WHERE uses_left > 0 AND expires_at > now())`).
			Scan(&e.Admins, &e.Viewers, &e.Hosts, &e.GoodEnrollments)
		if err != nil {
			return fmt.Errorf("counting tokens: %w", err)
		}
		for _, t := range partition.All() {
			state, err := in.examineTable(ctx, tx, t)
			if err != nil {
				return err
			}
			e.Partitions = append(e.Partitions, state)
		}
		if e.Compaction, err = in.upkeep.CompactionState(ctx, tx); err != nil {
			return err
		}
		e.Unreadable, err = erasure.LookForUnreadable(ctx, tx)
		return err
	})
	return e, err
}

func examineServer(ctx context.Context, tx pgx.Tx, e *Examination) error {
	var fsync, fullPages, commit string
	var clock time.Time
	before := time.Now()
	err := tx.QueryRow(ctx, `SELECT clock_timestamp(), current_setting('server_version'), current_setting('server_version_num')::int,
		pg_encoding_to_char((SELECT encoding FROM pg_database WHERE datname = current_database())),
		current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit'),
		current_setting('max_connections')::int, current_setting('superuser_reserved_connections')::int,
		(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
		CASE WHEN pg_has_role('pg_read_all_settings', 'USAGE') THEN current_setting('data_directory') ELSE '' END,
		pg_database_size(current_database())`).
		Scan(&clock, &e.VersionText, &e.Version, &e.Encoding, &fsync, &fullPages, &commit,
			&e.MaxConnections, &e.Reserved, &e.Used, &e.DataDirectory, &e.SizeBytes)
	if err != nil {
		return fmt.Errorf("asking for settings: %w", err)
	}
	// Half of the way there and back.
	e.Skew = clock.Sub(before) - time.Since(before)/2
	e.Durability = map[string]string{"fsync": fsync, "full_page_writes": fullPages, "synchronous_commit": commit}
	return nil
}

func (in *Inspector) examineTable(ctx context.Context, tx pgx.Tx, t partition.Table) (PartitionState, error) {
	state := PartitionState{Table: t.Name}
	var err error
	// The newest day is made within the hour.
	if state.Missing, err = in.partitions.Missing(ctx, tx, t, upkeep.AheadDays-1); err != nil {
		return state, err
	}
	err = tx.QueryRow(ctx, fmt.Sprintf("SELECT count(*) FROM (SELECT 1 FROM %s_default LIMIT %d) r", t.Name, countedRows)).Scan(&state.DefaultRows)
	if err != nil {
		return state, fmt.Errorf("counting rows of %s_default: %w", t.Name, err)
	}
	return state, nil
}
