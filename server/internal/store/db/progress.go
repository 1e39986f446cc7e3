package db

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Position is how far a database is in its log, and which one it is.
type Position struct {
	Standby bool
	// At counts the log's bytes.
	At int64
	// Cluster is made with a cluster and copied with it.
	Cluster  int64
	Database string
}

// positionSQL asks for a position. The log that is on disk counts: a standby gets
// no other.
const positionSQL = `SELECT pg_is_in_recovery(), coalesce(pg_wal_lsn_diff(
		CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END, '0/0'), 0)::bigint,
	(SELECT system_identifier FROM pg_control_system()), current_database()::text`

// PositionOf asks a database for its position.
func PositionOf(ctx context.Context, r *Pool) (Position, error) {
	var p Position
	err := pgx.BeginTxFunc(ctx, r, pgx.TxOptions{}, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, positionSQL).Scan(&p.Standby, &p.At, &p.Cluster, &p.Database)
	})
	return p, err
}

// mark means that the primary's log was that long then.
type mark struct {
	when time.Time
	at   int64
}

// progress is what is known of the primary's log, oldest first: a standby that has
// replayed up to a mark has all that was committed before the mark's time. So lag
// is measured by our clock alone, and is none while nothing is written.
type progress []mark

func (p *progress) mark(when time.Time, at int64) {
	list := *p
	if n := len(list); n > 0 && list[n-1].at > at {
		// The primary was restored: another log begins.
		list = nil
	} else if n > 0 && list[n-1].at == at {
		list = list[:n-1]
	}
	if len(list) >= replicaMarks {
		// Every second one will do.
		for i := range len(list) / 2 {
			list[i] = list[2*i]
		}
		list = list[:len(list)/2]
	}
	list = append(list, mark{when, at})
	*p = list
}

// behind returns for how long a standby that has replayed that much has been behind,
// and whether it was ever seen with all that there was. Marks that it has passed
// are forgotten but for the last.
func (p *progress) behind(now time.Time, replayed int64) (lag time.Duration, caught bool) {
	list := *p
	for len(list) > 1 && list[1].at <= replayed {
		list = list[1:]
	}
	*p = list
	return p.since(now), len(list) > 0 && list[0].at <= replayed
}

// since is for how long the oldest mark has been there.
func (p *progress) since(now time.Time) time.Duration {
	if len(*p) == 0 {
		return 0
	}
	return max(now.Sub((*p)[0].when), 0)
}
