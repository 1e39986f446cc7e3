package bench

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

const (
	// panelDays is how far back those report whose hours of a month are asked for.
	panelDays = 35
	// panelQuestions are asked of each panel: it takes longer than a page.
	panelQuestions, panelWarm = 40, 4
	// panelPeople are on a page of hours.
	panelPeople = 100
)

// panel is a question of one picture, as a tool for dashboards puts it to PostgreSQL.
type panel struct {
	name, sql string
	args      []any
}

// panels prints what the same pages' figures take where a tool for dashboards, as Grafana is
// one, asks a table of events for them: from the question to the last row read. What the
// tool itself and its pictures in the browser take comes on top, so this is less than it takes.
// It has only the events that the questions are about: an index finds them beside more.
func (p *pages) panels(b *testing.B, machines int) {
	b.Helper()
	makePlainTable(b, p.connection)
	p.reportPlain(b, machines)
	day := p.today.AddDate(0, 0, -2)
	names := func(n int) (list []string) {
		for i := range n {
			list = append(list, name(i+1))
		}
		return list
	}
	for _, q := range []panel{
		{fmt.Sprintf("Now, %d machines", machines), `SELECT DISTINCT ON (machine_id) machine_id, ts, is_idle, connected, active_app
			FROM plain WHERE ts >= $1 ORDER BY machine_id, ts DESC`, []any{p.today.Add(-10 * time.Minute)}},
		{"Day, 50 people", `SELECT machine_id, ts, active_seconds, is_idle, connected FROM plain
			WHERE machine_id = ANY($1) AND ts >= $2 AND ts < $3 ORDER BY machine_id, ts`, []any{names(dayPeople), day, day.AddDate(0, 0, 1)}},
		{
			"Person", `SELECT ts, active_seconds, is_idle, connected, key_count, mouse_clicks, scroll_count, active_app, active_window, focus,
			cpu_percent, ram_used_percent FROM plain WHERE machine_id = $1 AND ts >= $2 AND ts < $3 ORDER BY ts`,
			[]any{name(2), day, day.AddDate(0, 0, 1)},
		},
		{
			"Hours, a month, 100", `SELECT machine_id, date_trunc('day', ts), min(ts), max(ts), sum(active_seconds), count(*) FROM plain
			WHERE machine_id = ANY($1) AND ts >= $2 AND ts < $3 GROUP BY 1, 2 ORDER BY 1, 2`,
			[]any{names(panelPeople), p.today.AddDate(0, 0, -panelDays), p.today},
		},
	} {
		p.askPanel(b, q)
	}
}

// askPanel prints how long one panel takes.
func (p *pages) askPanel(b *testing.B, q panel) {
	b.Helper()
	var took []time.Duration
	n := 0
	for i := range panelWarm + panelQuestions {
		start := time.Now()
		rows, err := p.Query(b.Context(), q.sql, q.args...)
		if err != nil {
			b.Fatal(err)
		}
		for n = 0; rows.Next(); n++ {
			if _, err := rows.Values(); err != nil {
				b.Fatal(err)
			}
		}
		if err := rows.Err(); err != nil {
			b.Fatal(err)
		}
		if i >= panelWarm {
			took = append(took, time.Since(start))
		}
	}
	slices.Sort(took)
	fmt.Fprintf(p.out, "%-22s p50 %8v, p99 %8v by SQL over single events, %d rows read\n", q.name, p50(took), p99(took), n)
	_ = p.out.Flush()
}

// reportPlain makes the events of the two days that are asked for, and a month of those whose
// hours are.
func (p *pages) reportPlain(b *testing.B, machines int) {
	b.Helper()
	const insert = `INSERT INTO plain (machine_id, ts, key_count, mouse_clicks, mouse_distance_px, scroll_count, active_window, active_app,
			is_idle, cpu_percent, ram_used_percent, disk_used_percent, active_seconds, connected, session_kind, focus, username)
		SELECT m.machine_id, t, 80, 12, 9000, 20, 'Report of week ' || extract(week FROM t) || ' - LibreOffice Writer', 'LibreOffice Writer',
			false, 12.5, 40.0, 55.0, 42, true, 'rdp',
			'[{"app":"LibreOffice Writer","title":"Report","seconds":40},{"app":"Firefox","title":"News","seconds":20}]', 'user'
		FROM machine m, generate_series($1::timestamptz, $2::timestamptz - interval '1 minute', interval '1 minute') t
		WHERE m.machine_id BETWEEN $3 AND $4`
	for _, part := range []struct {
		from, to time.Time
		first    int
		last     int
	}{
		{p.today.AddDate(0, 0, -panelDays), p.today, 1, panelPeople},
		{p.today.AddDate(0, 0, -2), p.today, panelPeople + 1, machines},
	} {
		if part.last < part.first {
			continue
		}
		if _, err := p.Exec(b.Context(), insert, part.from, part.to, name(part.first), name(part.last)); err != nil {
			b.Fatal(err)
		}
	}
	p.run(b, "VACUUM ANALYZE plain")
	p.awaitWritten(b)
}
