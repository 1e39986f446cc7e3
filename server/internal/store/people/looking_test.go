package people_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/store/storetest"
)

// looking returns what counts rows that must not be there.
func looking(t *testing.T) func(pgx.Tx) error {
	t.Helper()
	return func(tx pgx.Tx) error {
		for what, sql := range map[string]string{
			"machines without a person":   "SELECT count(*) FROM machine m WHERE NOT EXISTS (SELECT FROM account a WHERE a.machine = m.id)",
			"accounts lacking in groups":  "SELECT count(*) FROM account a JOIN group_person p ON p.person = a.person WHERE NOT EXISTS (SELECT FROM group_member g WHERE g.grp = p.grp AND g.machine = a.machine)",
			"accounts too many in groups": "SELECT count(*) FROM group_member g WHERE NOT direct AND NOT EXISTS (SELECT FROM account a JOIN group_person p ON p.person = a.person WHERE a.machine = g.machine AND p.grp = g.grp)",
			"groups counted wrong":        "SELECT count(*) FROM machine_group g WHERE members <> (SELECT count(*) FROM group_member m WHERE m.grp = g.id)",
			"people who are home to two":  "SELECT count(*) FROM (SELECT home FROM account GROUP BY home HAVING count(*) > 1) AS t",
		} {
			var n int
			if err := tx.QueryRow(t.Context(), sql).Scan(&n); err != nil {
				return err
			}
			if n > 0 {
				t.Errorf("%s: %d", what, n)
			}
		}
		return nil
	}
}

// Somebody out of scope is looked up as nobody is, however many accounts they have: how long
// it takes would tell.
func TestForeignIsLookedUpAsUnknown(t *testing.T) {
	o := newOffice(t, 11)
	o.send("h0", "m0", "ann", false)
	o.send("h1", "m1", "ann", false)
	o.set("A", new(true), "h0", "h1")
	o.load()
	tx, err := storetest.Connect(t, o.url).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []int64{o.person["m0"], 1 << 40} {
		if _, err := people.Find(t.Context(), tx, directory.OfGroups([]int32{1 << 30}), id); !errors.Is(err, people.ErrNone) {
			t.Errorf("person %d: %v", id, err)
		}
		var read int64
		err := tx.QueryRow(t.Context(), "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables WHERE relname IN ('machine', 'host')").Scan(&read)
		if err != nil || read != 0 {
			t.Errorf("person %d: %d rows of accounts and hosts were read (%v), want none", id, read, err)
		}
	}
}
