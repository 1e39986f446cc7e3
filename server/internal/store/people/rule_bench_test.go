package people_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/policies"
	"activity-tracker.example/server/internal/store/storetest"
)

// What the rule of equal user names costs ingest: of accounts that are there, of new ones on
// hosts under no rule, and of new ones under one. Each is measured in turn with the triggers
// of before the rule and with those of now, in one database.
func BenchmarkRule(b *testing.B) {
	now := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
	url := storetest.NewDatabase(b)
	s := storetest.OpenAt(b, url, partition.Retention{}, now.AddDate(0, 1, 0))
	conn := storetest.Connect(b, url)
	exec := func(sql string) {
		if _, err := conn.Exec(b.Context(), sql); err != nil {
			b.Fatal(err)
		}
	}
	var hosts [2]int64
	for i, id := range []string{"free", "ruled"} {
		if err := conn.QueryRow(b.Context(), "INSERT INTO host (host_id, hostname, enrollment) VALUES ($1, '', '') RETURNING id", id).Scan(&hosts[i]); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Policies.SetHostGroup(b.Context(), policies.HostGroupChange{Name: "A", Hosts: []string{"ruled"}, SameDirectory: new(true)}); err != nil {
		b.Fatal(err)
	}
	exec(`CREATE FUNCTION people_before() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		WITH made AS (SELECT id AS machine, nextval(pg_get_serial_sequence('person', 'id')) AS person FROM added ORDER BY id),
		     people AS (INSERT INTO person (id) SELECT person FROM made)
		INSERT INTO account (machine, home, person) SELECT machine, person, person FROM made;
		RETURN NULL; END $$;
		CREATE TRIGGER machine_person_before AFTER INSERT ON machine
		REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION people_before()`)
	const before, rule = "ALTER TABLE machine DISABLE TRIGGER machine_person, DISABLE TRIGGER machine_named, ENABLE TRIGGER machine_person_before",
		"ALTER TABLE machine ENABLE TRIGGER machine_person, ENABLE TRIGGER machine_named, DISABLE TRIGGER machine_person_before"
	minute, made := 0, 0
	// write stores an event of each of some accounts, and returns for how long it took.
	write := func(host int64, accounts int, fresh bool) time.Duration {
		if fresh {
			made += accounts
		}
		minute++
		batch := storetest.Batch{Host: host}
		for i := range accounts {
			id := made - accounts + i
			batch.Events = append(batch.Events, api.Event{MachineID: fmt.Sprintf("m%07d", id), Username: fmt.Sprintf("user%d", id/2), Timestamp: now.Add(time.Duration(minute) * time.Second)})
		}
		start := time.Now()
		if w, err := s.WriteEvents(b.Context(), batch); err != nil || w.Accepted != accounts {
			b.Fatal(w, err)
		}
		return time.Since(start)
	}
	for _, each := range []struct {
		name  string
		host  int64
		fresh bool
	}{{"old", hosts[0], false}, {"new", hosts[0], true}, {"new-ruled", hosts[1], true}} {
		b.Run(each.name, func(b *testing.B) {
			const accounts = 20
			exec(rule)
			write(each.host, accounts, true)
			var times [2][]time.Duration
			for i := range 2 * b.N {
				exec([]string{before, rule}[i%2])
				if !each.fresh {
					write(each.host, accounts, false)
				}
				times[i%2] = append(times[i%2], write(each.host, accounts, each.fresh))
			}
			for i := range times {
				slices.Sort(times[i])
			}
			was, is := float64(times[0][b.N/2]), float64(times[1][b.N/2])
			b.ReportMetric(was/accounts/1000, "µs/event-before")
			b.ReportMetric(is/accounts/1000, "µs/event-with")
			b.ReportMetric(is/was, "ratio")
		})
	}
}
