package dossier

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/db"
)

// ClosedDay is what a closed month has of one of its days. Seconds add up to the day's length.
type ClosedDay struct {
	Month    string    `json:"month"`
	Group    string    `json:"group"`
	TZ       string    `json:"tz"`
	ClosedAt time.Time `json:"closed_at"`
	// Label is what the person was called then; empty where the accounts were another's.
	Label string `json:"label"`
	// Mixed means that an account that is not the person's now has a part in the month's
	// figures: they are left out, as are its days but for the first.
	Mixed               bool       `json:"mixed"`
	Date                string     `json:"date"`
	FirstActivity       *time.Time `json:"first_activity"`
	LastActivity        *time.Time `json:"last_activity"`
	ActiveSeconds       *float64   `json:"active_seconds"`
	NoInputSeconds      *float64   `json:"no_input_seconds"`
	LockedSeconds       *float64   `json:"locked_seconds"`
	DisconnectedSeconds *float64   `json:"disconnected_seconds"`
	NotCollectedSeconds *float64   `json:"not_collected_seconds"`
	UnknownSeconds      *float64   `json:"unknown_seconds"`
}

// monthsAtOnce is how many closed months a page has, of some 31 days each.
const monthsAtOnce = 50

const closedDaysSQL = `SELECT m.id, to_char(m.first_date, 'YYYY-MM') AS month, coalesce(g.name, '') AS grp, m.tz, m.closed_at,
		CASE WHEN own AND p.person = $2 THEN p.label ELSE '' END, NOT own, to_char(d.date, 'YYYY-MM-DD') AS date,
		CASE WHEN own THEN d.first_at END, CASE WHEN own THEN d.last_at END, CASE WHEN own THEN d.active / 1000.0::float8 END,
		CASE WHEN own THEN d.no_input / 1000.0::float8 END, CASE WHEN own THEN d.locked / 1000.0::float8 END, CASE WHEN own THEN d.disconnected / 1000.0::float8 END,
		CASE WHEN own THEN d.not_collected / 1000.0::float8 END, CASE WHEN own THEN d.unknown / 1000.0::float8 END
	FROM month_person p JOIN month m ON m.id = p.month LEFT JOIN machine_group g ON g.id = m.grp
	CROSS JOIN LATERAL (SELECT p.machines <@ $1::int[] AS own) o
	CROSS JOIN LATERAL unnest(m.dates, p.first_at, p.last_at, p.active_ms, p.no_input_ms, p.locked_ms, p.disconnected_ms, p.not_collected_ms, p.unknown_ms)
		WITH ORDINALITY AS d(date, first_at, last_at, active, no_input, locked, disconnected, not_collected, unknown, place)
	WHERE p.machines && $1::int[] AND (own OR d.place = 1)
		AND p.month IN (SELECT DISTINCT month FROM month_person WHERE machines && $1::int[] AND month > $3 ORDER BY month LIMIT $4)
	ORDER BY m.id, p.person, d.place`

// ClosedDays returns the days of closed months in which accounts of a person have a part, of a
// page of months after that one, and after which the next begins; 0: none follows.
func (d *Dossier) ClosedDays(ctx context.Context, person int64, keys []int32, after int64) (list []ClosedDay, next int64, err error) {
	type row struct {
		ID int64
		ClosedDay
	}
	err = d.db.Report(ctx, "reading closed months", func(tx pgx.Tx) error {
		rows, err := db.Collect[row](ctx, tx, "reading", closedDaysSQL, keys, person, after, monthsAtOnce)
		list, next = nil, 0
		for i := range rows {
			one := rows[i].ClosedDay
			one.ClosedAt, one.FirstActivity, one.LastActivity = one.ClosedAt.UTC(), inUTC(one.FirstActivity), inUTC(one.LastActivity)
			list, next = append(list, one), rows[i].ID
		}
		return err
	})
	return list, next, err
}

func inUTC(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	utc := t.UTC()
	return &utc
}
