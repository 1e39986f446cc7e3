package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/semaphore"
)

const (
	// questionsPart and summariesPart are which part of the connections people's
	// questions, and among them those that add up many machines, may have at
	// once: a half and a quarter. The rest is left to events, credentials and
	// upkeep, however many ask for however much.
	questionsPart = 2
	summariesPart = 4
)

// share is how many connections one kind of use may have at once. Who comes first
// is let in first.
type share struct{ *semaphore.Weighted }

func newShare(connections int32, part int64) share {
	return share{semaphore.NewWeighted(max(1, int64(connections)/part))}
}

// within runs do once there is room, or returns ErrUnavailable where there is none
// before ctx ends.
func (s share) within(ctx context.Context, what string, do func() error) error {
	if err := s.Acquire(ctx, 1); err != nil {
		return fmt.Errorf("%s: %w: waiting for others that ask: %w", what, ErrUnavailable, err)
	}
	defer s.Release(1)
	return do()
}

// summary is report for what may read for many seconds.
func (s *Store) summary(ctx context.Context, what string, do func(pgx.Tx) error) error {
	return s.summaries.within(ctx, what, func() error { return s.report(ctx, what, do) })
}
