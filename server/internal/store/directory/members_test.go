package directory_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/storetest"
)

// Setting a group's machines takes as long the tenth time as the first: from the
// sixth on PostgreSQL may keep a plan that knows nothing of the list.
func TestSettingMembersStaysFast(t *testing.T) {
	const n = 10_000
	url := storetest.NewDatabase(t)
	s := storetest.OpenAt(t, url, partition.Retention{}, time.Now())
	host := storetest.AddHost(t, s)
	conn := storetest.Connect(t, url)
	if _, err := conn.Exec(t.Context(), `INSERT INTO machine (machine_id, host, first_seen, last_seen, last_ts, last_interval, last_idle)
		SELECT 'vm-' || i, $1::bigint, now(), now(), now(), 60, false FROM generate_series(1, $2::int) i`, host, n); err != nil {
		t.Fatal(err)
	}
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprint("vm-", i+1)
	}
	if _, _, err := s.AddGroup(t.Context(), "fleet"); err != nil {
		t.Fatal(err)
	}
	var took []time.Duration
	for i := range 10 {
		begin := time.Now()
		// One leaves, the one before comes back.
		count, unknown, err := s.SetMembers(t.Context(), "fleet", slices.Delete(slices.Clone(ids), i, i+1))
		if err != nil || count != n-1 || len(unknown) > 0 {
			t.Fatal(count, unknown, err)
		}
		took = append(took, time.Since(begin))
		left := storetest.Ask[string](t, url, "SELECT machine_id FROM machine m WHERE NOT EXISTS (SELECT FROM group_member WHERE machine = m.id)")
		if left != ids[i] {
			t.Fatalf("%s is left out, not %s", left, ids[i])
		}
	}
	t.Log(took)
	if early, late := slices.Max(took[:4]), slices.Min(took[5:]); late > 5*early {
		t.Errorf("%v later on, %v in the beginning", late, early)
	}
}
