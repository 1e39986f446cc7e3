package inspect

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/db"
)

// Contents is what a restore needs to know of a database.
type Contents struct {
	// ServerVersion is PostgreSQL's, as 150013.
	ServerVersion int
	// SchemaName is where tables are made.
	SchemaName string
	// Servers are the connections of running servers.
	Servers int
	// Clear are the statements that remove all tables and whatever else is in
	// the schema, other than what extensions keep there; none where it is empty.
	Clear []string
}

// clearStatements drops what a dump can hold. Partitions go with their tables,
// owned sequences with their columns.
const clearStatements = `
	WITH home AS (SELECT oid, nspname FROM pg_namespace WHERE nspname = current_schema()),
	kept AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e')
	SELECT format('DROP %s IF EXISTS %I.%I CASCADE', CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
			WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, home.nspname, relname)
		FROM pg_class c JOIN home ON relnamespace = home.oid
		WHERE relkind IN ('r', 'p', 'v', 'm', 'S') AND NOT relispartition
			AND NOT EXISTS (SELECT FROM kept WHERE classid = 'pg_class'::regclass AND objid = c.oid)
			AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid
				AND deptype IN ('a', 'i') AND relkind = 'S')
	UNION ALL SELECT format('DROP ROUTINE IF EXISTS %s CASCADE', p.oid::regprocedure)
		FROM pg_proc p JOIN home ON pronamespace = home.oid
		WHERE NOT EXISTS (SELECT FROM kept WHERE classid = 'pg_proc'::regclass AND objid = p.oid)
	UNION ALL SELECT format('DROP TYPE IF EXISTS %I.%I CASCADE', home.nspname, typname)
		FROM pg_type t JOIN home ON typnamespace = home.oid
		WHERE typtype IN ('e', 'd') AND NOT EXISTS (SELECT FROM kept WHERE classid = 'pg_type'::regclass AND objid = t.oid)`

// Contents looks at a database before something is put there. It works on any
// database and changes nothing.
func (in *Inspector) Contents(ctx context.Context) (Contents, error) {
	var o Contents
	const what = "looking at what the database holds"
	err := in.db.ReadAnySchema(ctx, what, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, coalesce(current_schema(), ''),
			(SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1)`, db.ServerName).
			Scan(&o.ServerVersion, &o.SchemaName, &o.Servers)
		if err != nil {
			return fmt.Errorf("asking: %w", err)
		}
		list, err := db.Collect[struct{ Statement string }](ctx, tx, "listing", clearStatements)
		for _, one := range list {
			o.Clear = append(o.Clear, one.Statement)
		}
		return err
	})
	return o, err
}

// RefuseServers is a statement that fails where a server is connected.
const RefuseServers = `DO $$ BEGIN
	IF EXISTS (SELECT FROM pg_catalog.pg_stat_activity
			WHERE datname = pg_catalog.current_database() AND application_name = '` + db.ServerName + `') THEN
		RAISE EXCEPTION 'a server has connected meanwhile: stop it and restore again';
	END IF;
END $$`
