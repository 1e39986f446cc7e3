package dossier_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/dossier"
	"activity-tracker.example/server/internal/store/storetest"
)

// ofSomebody asks for the tables with a column that refers to an account or a person, or
// is called like one.
const ofSomebody = `SELECT DISTINCT c.relname::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
	LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'f' AND a.attnum = ANY(k.conkey)
	WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
	AND (a.attname IN ('machine', 'machines', 'machine_id', 'person', 'people', 'home', 'username', 'user_label')
		OR k.confrelid IN ('machine'::regclass, 'person'::regclass))`

// Every table is exported or stands there with a reason, and those with a column that is
// somebody's have none.
func TestEveryTableIsExportedOrExcused(t *testing.T) {
	s := storetest.Unprepared(t, storetest.NewDatabase(t))
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	names := func(sql string) []string {
		var list []string
		err := s.Read(t.Context(), "listing tables", func(tx pgx.Tx) error {
			rows, err := tx.Query(t.Context(), sql)
			if err != nil {
				return err
			}
			list, err = pgx.CollectRows(rows, pgx.RowTo[string])
			return err
		})
		if err != nil || len(list) == 0 {
			t.Fatal(list, err)
		}
		return list
	}
	known := dossier.Tables()
	for _, name := range names(ofSomebody) {
		if known[name].File == "" {
			t.Errorf("%s holds something of accounts or people: export it, and say so in Tables", name)
		}
	}
	for _, name := range names(`SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace
		AND relkind IN ('r', 'p') AND NOT relispartition`) {
		if what := known[name]; (what.File == "") == (what.Nobody == "") {
			t.Errorf("%s: Tables must have its file, or why there is nothing of anybody in it", name)
		}
		delete(known, name)
	}
	for name := range known {
		t.Errorf("there is no table %s", name)
	}
}
