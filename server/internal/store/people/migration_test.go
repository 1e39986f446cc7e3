package people_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/store/storetest"
	"activity-tracker.example/server/internal/store/testdb"
)

// Machines that were there before people get theirs when the schema is brought up to
// date, and those that come after as well.
func TestMigrationMakesPeople(t *testing.T) {
	url := testdb.Empty(t)
	conn := storetest.Connect(t, url)
	exec := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE TABLE schema_migration (version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())")
	files, err := filepath.Glob("../db/migrations/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for i, file := range files {
		if filepath.Base(file)[4:] == "_people.sql" {
			break
		}
		sql, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		exec(string(sql))
		if _, err := conn.Exec(t.Context(), "INSERT INTO schema_migration (version, name) VALUES ($1, $2)", i+1, file); err != nil {
			t.Fatal(err)
		}
	}
	addMachines := func(from, to int) {
		t.Helper()
		_, err := conn.Exec(t.Context(), `INSERT INTO machine (machine_id, host, first_seen, last_seen, last_ts, last_interval, last_idle)
			SELECT 'vm-' || i, 1, now(), now(), now(), 60, false FROM generate_series($1::int, $2::int) i`, from, to)
		if err != nil {
			t.Fatal(err)
		}
	}
	exec("INSERT INTO host (host_id, hostname, enrollment) VALUES ('h', 'h', 'e')")
	addMachines(1, 1000)
	s := storetest.Prepared(t, url, storetest.Options{Now: time.Now})
	addMachines(1001, 1010)
	list, err := s.People.List(t.Context(), people.Filter{Limit: 2000})
	if err != nil || len(list) != 1010 {
		t.Fatalf("%d people, %v", len(list), err)
	}
	for i, p := range list {
		if p.ID != int64(i+1) || len(p.Accounts) != 1 || p.Accounts[0].Key != int32(i+1) {
			t.Fatalf("%+v", p)
		}
	}
}
