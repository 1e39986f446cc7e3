package inspect

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// PostgresSettings are settings of PostgreSQL that matter where events are written
// all the time, and what came of them.
type PostgresSettings struct {
	// SharedBuffers and MaxWALSize are in bytes.
	SharedBuffers, MaxWALSize int64
	CheckpointTimeout         time.Duration
	// WALCompression is the setting, LZ4 means that it could be lz4.
	WALCompression string
	LZ4            bool
	// Timed checkpoints came after CheckpointTimeout, Forced ones before that
	// time: as the log had grown, or somebody asked for one.
	Timed, Forced int64
	// LogBytes is how much was logged since the figures began, LogPages how many
	// pages whole: each at its first change after a checkpoint.
	LogBytes, LogPages int64
	// Here means that PostgreSQL runs on this machine.
	Here bool
}

// checkpointsInBackground is PostgreSQL's version up to which checkpoints are
// counted in pg_stat_bgwriter; from there on in pg_stat_checkpointer.
const checkpointsInBackground = 170_000

func examineSettings(ctx context.Context, tx pgx.Tx, version int, pooled bool) (PostgresSettings, error) {
	var p PostgresSettings
	var timeout float64
	// By a socket of its machine or its loopback, we are on that machine, unless a
	// pooler is.
	err := tx.QueryRow(ctx, `SELECT pg_size_bytes(current_setting('shared_buffers')), pg_size_bytes(current_setting('max_wal_size')),
		extract(epoch FROM current_setting('checkpoint_timeout')::interval)::float8, current_setting('wal_compression'),
		(SELECT 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'wal_compression'),
		coalesce(inet_server_addr() << '127.0.0.0/8' OR inet_server_addr() = '::1', true)`).
		Scan(&p.SharedBuffers, &p.MaxWALSize, &timeout, &p.WALCompression, &p.LZ4, &p.Here)
	if err != nil {
		return p, fmt.Errorf("asking for settings of writing: %w", err)
	}
	p.CheckpointTimeout = time.Duration(timeout * float64(time.Second))
	p.Here = p.Here && !pooled
	counted := "SELECT checkpoints_timed, checkpoints_req FROM pg_stat_bgwriter"
	if version >= checkpointsInBackground {
		counted = "SELECT num_timed, num_requested FROM pg_stat_checkpointer"
	}
	if err := tx.QueryRow(ctx, counted).Scan(&p.Timed, &p.Forced); err != nil {
		return p, fmt.Errorf("asking for checkpoints: %w", err)
	}
	if err := tx.QueryRow(ctx, "SELECT wal_bytes::bigint, wal_fpi FROM pg_stat_wal").Scan(&p.LogBytes, &p.LogPages); err != nil {
		return p, fmt.Errorf("asking for the log's figures: %w", err)
	}
	return p, nil
}
