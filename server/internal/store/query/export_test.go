package query

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/people"
)

// For tests.
const (
	MaxPageBytes = maxPageBytes
	StreamEvents = streamEvents
)

// NeedMinutes returns the people whose times are not known without their minutes.
func (r *Reader) NeedMinutes(ctx context.Context, f people.Filter, bounds []time.Time) (ids []int64, err error) {
	err = r.db.Summary(ctx, "testing", func(tx pgx.Tx) error {
		found, _, err := people.Within(ctx, tx, f)
		if err != nil {
			return err
		}
		list := make([]PersonSums, len(found))
		for i := range found {
			list[i] = PersonSums{Person: found[i]}
		}
		left, err := r.timesFirst(ctx, tx, list, bounds)
		for _, p := range left {
			ids = append(ids, p.ID)
		}
		return err
	}, db.KeepEvents, db.KeepRollups)
	return ids, err
}
