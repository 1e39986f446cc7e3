package testdb

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
)

// PretendSpread has servers take a migrated database on one node for one that Citus spreads:
// all that they do then is done on one node.
func PretendSpread(tb testing.TB, at string) {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), at)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(tb.Context())) }()
	if _, err := conn.Exec(tb.Context(), `
		CREATE TABLE pg_dist_shard (logicalrelid regclass, shardid bigint);
		INSERT INTO pg_dist_shard SELECT 'event'::regclass, n FROM generate_series(1, 8) n;
		CREATE FUNCTION run_command_on_workers(command text) RETURNS TABLE (nodename text, nodeport int, success boolean, result text)
			LANGUAGE sql AS $$ SELECT 'worker', 5432, true, '' $$;
		CREATE FUNCTION run_command_on_shards(of regclass, command text, OUT shardid bigint, OUT success boolean, OUT result text) RETURNS SETOF record
			LANGUAGE plpgsql AS $$ BEGIN shardid := 1; success := true; EXECUTE format(command, of) INTO result; RETURN NEXT; END $$;
		CREATE FUNCTION citus_shard_sizes(OUT shard_id int, OUT size bigint) RETURNS SETOF record LANGUAGE sql AS $$ SELECT 1, 0::bigint WHERE false $$`); err != nil {
		tb.Fatal(err)
	}
}
