package partition_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/storetest"
)

// Partitions may be dropped, by another server too, in the moment that they are
// listed.
func TestPartitionsDroppedWhileListed(t *testing.T) {
	url := storetest.NewDatabase(t)
	s := storetest.OpenAt(t, url, partition.Retention{}, time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC))
	const partitions = 300
	conn := storetest.Connect(t, url)
	all, ctx := errgroup.WithContext(t.Context())
	listing, stop := context.WithCancel(ctx)
	all.Go(func() error {
		defer stop()
		for i := range partitions {
			from := time.Date(2050, time.Month(1+i), 1, 0, 0, 0, 0, time.UTC)
			_, err := conn.Exec(ctx, fmt.Sprintf("CREATE TABLE gone_%d PARTITION OF title FOR VALUES FROM ('%s') TO ('%s')",
				i, from.Format(time.DateOnly), from.AddDate(0, 1, 0).Format(time.DateOnly)))
			if err != nil {
				return err
			}
		}
		for i := range partitions {
			if _, err := conn.Exec(ctx, fmt.Sprintf("DROP TABLE gone_%d", i)); err != nil {
				return err
			}
		}
		return nil
	})
	for range 2 {
		all.Go(func() error {
			for listing.Err() == nil {
				if err := s.Read(ctx, "listing", func(tx pgx.Tx) error {
					_, err := partition.List(ctx, tx, partition.Titles())
					return err
				}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		t.Error(err)
	}
}
