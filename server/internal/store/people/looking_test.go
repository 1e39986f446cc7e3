package people_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
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
