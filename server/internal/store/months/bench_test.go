package months_test

import (
	"fmt"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/months"
	"activity-tracker.example/server/internal/store/storetest"
)

const (
	benchPeople   = 1000
	benchAccounts = 3
)

// BenchmarkClose closes a month of 1,000 people with 3 accounts, 8 h a working day of which two
// accounts share one, and reads it.
func BenchmarkClose(b *testing.B) {
	url := storetest.NewDatabase(b)
	s := storetest.OpenCompacting(b, url, now)
	fill(b, s, url)
	of := months.Of{First: march}
	var closing, reading time.Duration
	for b.Loop() {
		begun := time.Now()
		if c, err := s.Months.Close(b.Context(), all, of, calendar(b, march, "Europe/Moscow")); err != nil || c.People != benchPeople {
			b.Fatal(c, err)
		}
		closing += time.Since(begun)
		begun = time.Now()
		p, err := s.Months.Page(b.Context(), all, of, 0, 100)
		if err != nil || len(p.People) != 100 || p.Now == nil || !p.Intact {
			b.Fatal(err)
		}
		reading += time.Since(begun)
		if err := s.Months.Open(b.Context(), all, of); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := s.Months.Close(b.Context(), all, of, calendar(b, march, "Europe/Moscow")); err != nil {
		b.Fatal(err)
	}
	var bytes, index int64
	err := storetest.Connect(b, url).QueryRow(b.Context(), "SELECT sum(pg_column_size(p.*)), pg_relation_size('month_person_machines') + pg_relation_size('month_person_pkey') FROM month_person p").Scan(&bytes, &index)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(closing.Milliseconds())/float64(b.N), "ms/closing")
	b.ReportMetric(float64(reading.Milliseconds())/float64(b.N), "ms/100-people")
	b.ReportMetric(float64(bytes)/benchPeople, "bytes/person")
	b.ReportMetric(float64(index)/benchPeople, "index-bytes/person")
}

// fill sends what the first person did, and copies their roll-ups to the others.
func fill(b *testing.B, s *storetest.Store, url string) {
	b.Helper()
	host := storetest.AddHost(b, s)
	hours := [benchAccounts][2]int{{9, 12}, {11, 15}, {15, 17}}
	for account, h := range hours {
		var list []api.Event
		for day := march; day.Month() == march.Month(); day = day.AddDate(0, 0, 1) {
			if day.Weekday() == time.Saturday || day.Weekday() == time.Sunday {
				continue
			}
			for minute := h[0] * 60; minute < h[1]*60; minute++ {
				active := float64(minute % 7 * 10)
				list = append(list, api.Event{
					MachineID: fmt.Sprintf("person-000001-%d", account), Timestamp: day.Add(time.Duration(minute) * time.Minute), KeyCount: int64(minute % 5), ActiveSeconds: &active,
				})
			}
		}
		for i := 0; i < len(list); i += api.MaxBatchEvents {
			if _, err := s.WriteEvents(b.Context(), storetest.Batch{Host: host, Events: list[i:min(i+api.MaxBatchEvents, len(list))]}); err != nil {
				b.Fatal(err)
			}
		}
	}
	if _, err := s.PackRollups(b.Context()); err != nil {
		b.Fatal(err)
	}
	for _, sql := range []string{
		fmt.Sprintf(`INSERT INTO machine (machine_id, host, first_seen, last_seen, last_ts, last_interval, last_idle)
			SELECT 'person-' || lpad(n::text, 6, '0') || right(m.machine_id, 2), m.host, m.first_seen, m.last_seen, m.last_ts, m.last_interval, m.last_idle
			FROM machine m, generate_series(2, %d) n ORDER BY n, m.id`, benchPeople),
		`UPDATE account a SET person = f.person FROM machine m, machine n, account f WHERE a.machine = m.id AND n.machine_id = left(m.machine_id, -1) || '0' AND f.machine = n.id`,
		`INSERT INTO rollup_day (machine, day, body, minutes) SELECT m.id, t.day, t.body, t.minutes FROM rollup_day t JOIN machine o ON o.id = t.machine
			JOIN machine m ON m.id <> o.id AND right(m.machine_id, 2) = right(o.machine_id, 2) WHERE o.machine_id LIKE 'person-000001-%' ORDER BY t.day, m.id`,
		"VACUUM ANALYZE",
	} {
		if _, err := storetest.Connect(b, url).Exec(b.Context(), sql); err != nil {
			b.Fatalf("%v: %s", err, sql)
		}
	}
	if left := leftUnpacked(b, url); left != 0 {
		b.Fatal(left, "roll-ups are not packed")
	}
}

// leftUnpacked counts quarters of an hour that are not packed.
func leftUnpacked(b *testing.B, url string) (n int) {
	b.Helper()
	if err := storetest.Connect(b, url).QueryRow(b.Context(), "SELECT count(*) FROM rollup WHERE bucket < $1", march.AddDate(0, 0, 30)).Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}
