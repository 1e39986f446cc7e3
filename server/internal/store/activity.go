package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
)

// maxPageBytes ends a page of events early, so that 5,000 events of the largest
// size don't have to fit into memory; 8 MiB is over 20,000 usual events.
const maxPageBytes = 8 << 20

// Page is a run of one machine's events.
type Page struct {
	Events []api.Event
	// More says that there are events after these.
	More bool
}

// Events gives a machine's events with from ≤ timestamp < to, oldest first, at
// most limit, or ErrNotFound where there is no such machine.
func (s *Store) Events(ctx context.Context, machineID string, from, to time.Time, limit int) (Page, error) {
	var page Page
	err := s.read(ctx, "reading events", func(tx pgx.Tx) error {
		page = Page{Events: []api.Event{}}
		m, err := machineByID(ctx, tx, machineID)
		if err != nil {
			return err
		}
		// One more than asked for tells whether there is a next page.
		rows, err := tx.Query(ctx, `
			SELECT ts, key_count, mouse_clicks, mouse_distance_px, scroll_count,
				synthetic_count, interval_sec, active_seconds, is_idle, connected, session_kind,
				active_window, active_app, focus,
				cpu_percent, ram_used_percent, disk_used_percent, user_cpu_percent, user_ram_bytes
			FROM event WHERE machine = $1 AND ts >= $2 AND ts < $3 ORDER BY ts LIMIT $4`,
			m.Key, from, to, limit+1)
		if err != nil {
			return fmt.Errorf("asking for events: %w", err)
		}
		defer rows.Close()
		return page.fill(rows, m, limit)
	})
	return page, err
}

func (p *Page) fill(rows pgx.Rows, m Machine, limit int) error {
	size := 0
	for rows.Next() {
		if len(p.Events) == limit || size > maxPageBytes {
			p.More = true
			return nil
		}
		for _, raw := range rows.RawValues() {
			size += len(raw)
		}
		e := api.Event{MachineID: m.MachineID, Username: m.Username}
		err := rows.Scan(&e.Timestamp, &e.KeyCount, &e.MouseClicks, &e.MouseDistancePx, &e.ScrollCount,
			&e.SyntheticCount, &e.IntervalSec, &e.ActiveSeconds, &e.IsIdle, &e.Connected, &e.SessionKind,
			&e.ActiveWindow, &e.ActiveApp, &e.Focus,
			&e.CPUPercent, &e.RAMUsedPercent, &e.DiskUsedPercent, &e.UserCPUPercent, &e.UserRAMBytes)
		if err != nil {
			return fmt.Errorf("reading an event: %w", err)
		}
		e.Timestamp = e.Timestamp.UTC()
		p.Events = append(p.Events, e)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading events: %w", err)
	}
	return nil
}

// Sums are totals over some of a machine's events.
type Sums struct {
	KeyCount, MouseClicks, MouseDistancePx, ScrollCount, SyntheticCount int64
	ActiveSeconds, IdleSeconds                                          float64
	// First and Last are the timestamps of the first and last event with any
	// activity; nil where there is none.
	First, Last *time.Time
}

// AppSeconds is for how long an application had the focus.
type AppSeconds struct {
	App     string
	Seconds float64
}

// Span is what a machine did in one span of time.
type Span struct {
	Sums
	// Apps are the applications longest in focus, longest first.
	Apps []AppSeconds
}

// Activity sums up a machine's events in consecutive spans of time: span i
// reaches from bounds[i] up to before bounds[i+1]. An event belongs where its
// timestamp lies. Each span names at most apps applications. It returns
// ErrNotFound where there is no such machine.
//
// An event's active seconds are those it tells, else its whole interval unless
// it is idle. Its focus list tells the applications, else its active one counts
// for the interval.
func (s *Store) Activity(ctx context.Context, machineID string, bounds []time.Time, apps int) ([]Span, error) {
	spans := make([]Span, max(len(bounds)-1, 0))
	err := s.read(ctx, "summing up activity", func(tx pgx.Tx) error {
		clear(spans)
		m, err := machineByID(ctx, tx, machineID)
		if err != nil || len(spans) == 0 {
			return err
		}
		if err := sumCounts(ctx, tx, m.Key, bounds, spans); err != nil {
			return err
		}
		return sumApps(ctx, tx, m.Key, bounds, spans, apps)
	})
	return spans, err
}

func sumCounts(ctx context.Context, tx pgx.Tx, machine int64, bounds []time.Time, spans []Span) error {
	rows, err := tx.Query(ctx, `
		WITH e AS (
			SELECT *, coalesce(interval_sec, 60)::float8 AS length,
				CASE WHEN active_seconds IS NOT NULL THEN least(active_seconds, coalesce(interval_sec, 60))
					WHEN is_idle THEN 0 ELSE coalesce(interval_sec, 60) END AS active
			FROM event WHERE machine = $1 AND ts >= $3 AND ts < $4
		), e2 AS (
			SELECT *, coalesce(active_seconds, 0) > 0
				OR key_count + mouse_clicks + mouse_distance_px + scroll_count > 0 AS any_activity FROM e
		)
		SELECT width_bucket(ts, $2::timestamptz[]) - 1,
			sum(key_count)::bigint, sum(mouse_clicks)::bigint, sum(mouse_distance_px)::bigint,
			sum(scroll_count)::bigint, coalesce(sum(synthetic_count), 0)::bigint,
			sum(active)::float8, sum(length - active)::float8,
			min(ts) FILTER (WHERE any_activity), max(ts) FILTER (WHERE any_activity)
		FROM e2 GROUP BY 1`, machine, bounds, bounds[0], bounds[len(bounds)-1])
	if err != nil {
		return fmt.Errorf("summing counts: %w", err)
	}
	var i int
	var t Sums
	_, err = pgx.ForEachRow(rows, []any{
		&i, &t.KeyCount, &t.MouseClicks, &t.MouseDistancePx, &t.ScrollCount,
		&t.SyntheticCount, &t.ActiveSeconds, &t.IdleSeconds, &t.First, &t.Last,
	}, func() error {
		spans[i].Sums = t
		return nil
	})
	if err != nil {
		return fmt.Errorf("summing counts: %w", err)
	}
	return nil
}

func sumApps(ctx context.Context, tx pgx.Tx, machine int64, bounds []time.Time, spans []Span, limit int) error {
	rows, err := tx.Query(ctx, `
		WITH used AS (
			SELECT width_bucket(e.ts, $2::timestamptz[]) - 1 AS span, f.app, f.seconds
			FROM event e CROSS JOIN LATERAL (
				SELECT r.app, r.seconds FROM jsonb_to_recordset(e.focus) AS r(app text, seconds float8)
				UNION ALL
				SELECT e.active_app, coalesce(e.interval_sec, 60)::float8 WHERE e.focus IS NULL
			) f
			WHERE e.machine = $1 AND e.ts >= $3 AND e.ts < $4 AND f.app <> '' AND f.seconds > 0
		), ranked AS (
			SELECT span, app, sum(seconds) AS seconds,
				row_number() OVER (PARTITION BY span ORDER BY sum(seconds) DESC, app COLLATE "C") AS place
			FROM used GROUP BY span, app
		)
		SELECT span, app, seconds FROM ranked WHERE place <= $5 ORDER BY span, place`,
		machine, bounds, bounds[0], bounds[len(bounds)-1], limit)
	if err != nil {
		return fmt.Errorf("summing applications: %w", err)
	}
	var i int
	var a AppSeconds
	_, err = pgx.ForEachRow(rows, []any{&i, &a.App, &a.Seconds}, func() error {
		spans[i].Apps = append(spans[i].Apps, a)
		return nil
	})
	if err != nil {
		return fmt.Errorf("summing applications: %w", err)
	}
	return nil
}
