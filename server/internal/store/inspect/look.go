package inspect

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/partition"
)

// lookTimeout bounds a look at the whole.
const lookTimeout = 10 * time.Second

// Look is what an operator asks of the database as a whole.
type Look struct {
	Machines int64
	// Hosts are numbers of hosts by how long nothing came from them; the first
	// holds those heard of within the hour, the last those never heard of.
	Hosts Silence
	// Newest is the start of the newest event; zero where there is none.
	Newest time.Time
	Tables []TableLook
	// Pictures is how many pictures of screens are kept, PictureBytes how much they take.
	Pictures, PictureBytes int64
}

// Silence are numbers of hosts.
type Silence struct {
	Hour, Day, Week, Longer, Never int64
}

// TableLook is a table that is partitioned by time.
type TableLook struct {
	Name string
	// Partitions counts those with a time of their own, From and Until are
	// where the first starts and the last ends; zero where there is none.
	Partitions  int
	From, Until time.Time
	// Strays estimates the rows that belong to none.
	Strays int64
	// Bytes is its size on disk with everything.
	Bytes int64
}

// Look looks at the whole: one pass over hosts and machines, of some 0.1 s with
// 100,000. An index by last_seen would make it faster and each upload slower,
// since a machine's row could no longer be written anew in its place.
func (in *Inspector) Look(ctx context.Context) (Look, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	var l Look
	err := in.db.Read(ctx, "looking at the whole", func(tx pgx.Tx) error {
		var newest *time.Time
		err := tx.QueryRow(ctx, `
			WITH heard AS (
				SELECT host, count(*) AS machines, max(last_seen) AS at, max(last_ts) AS newest FROM machine GROUP BY host)
			SELECT coalesce(sum(machines), 0)::bigint,
				count(*) FILTER (WHERE at >= now() - interval '1 hour'),
				count(*) FILTER (WHERE at < now() - interval '1 hour' AND at >= now() - interval '1 day'),
				count(*) FILTER (WHERE at < now() - interval '1 day' AND at >= now() - interval '7 days'),
				count(*) FILTER (WHERE at < now() - interval '7 days'),
				(SELECT count(*) FROM host) - count(*), max(newest)
			FROM heard`).Scan(&l.Machines, &l.Hosts.Hour, &l.Hosts.Day, &l.Hosts.Week, &l.Hosts.Longer, &l.Hosts.Never, &newest)
		if err != nil {
			return fmt.Errorf("counting hosts: %w", err)
		}
		if newest != nil {
			l.Newest = *newest
		}
		err = tx.QueryRow(ctx, "SELECT count(*), coalesce(sum(bytes), 0)::bigint FROM screenshot WHERE digest IS NOT NULL").Scan(&l.Pictures, &l.PictureBytes)
		if err != nil {
			return fmt.Errorf("counting pictures: %w", err)
		}
		for _, t := range partition.All() {
			look, err := lookAt(ctx, tx, t)
			if err == nil && in.db.Spread() && slices.Contains(db.SpreadTables(), t.Name) {
				look.Bytes, err = spreadBytes(ctx, tx, t)
			}
			if err != nil {
				return err
			}
			l.Tables = append(l.Tables, look)
		}
		return nil
	})
	return l, err
}

// lookAt asks the catalogue alone: it reads no row of the table.
func lookAt(ctx context.Context, tx pgx.Tx, t partition.Table) (TableLook, error) {
	look := TableLook{Name: t.Name}
	all, err := partition.List(ctx, tx, t)
	if err != nil {
		return look, err
	}
	look.Partitions = len(all)
	for _, p := range all {
		if look.From.IsZero() {
			look.From = p.From
		}
		if p.To.After(look.Until) {
			look.Until = p.To
		}
	}
	err = tx.QueryRow(ctx, `SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint,
			coalesce(sum(pg_stat_get_live_tuples(c.oid)) FILTER (WHERE c.relname = $1 || '_default'), 0)::bigint
		FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = to_regclass($1)`, t.Name).Scan(&look.Bytes, &look.Strays)
	if err != nil {
		return look, fmt.Errorf("asking for the size of %s: %w", t.Name, err)
	}
	return look, nil
}

// spreadBytes is the size of a table that Citus spreads, on all nodes.
func spreadBytes(ctx context.Context, tx pgx.Tx, t partition.Table) (bytes int64, err error) {
	err = tx.QueryRow(ctx, `SELECT coalesce(sum(s.size), 0)::bigint FROM citus_shard_sizes() s JOIN pg_dist_shard d ON d.shardid = s.shard_id
		WHERE d.logicalrelid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass($1))`, t.Name).Scan(&bytes)
	if err != nil {
		return 0, fmt.Errorf("asking the nodes for the size of %s: %w", t.Name, err)
	}
	return bytes, nil
}
