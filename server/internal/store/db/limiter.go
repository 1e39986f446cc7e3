package db

import (
	"context"
	"fmt"
	"slices"

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

// limiter is how many connections one kind of use may have at once. Who comes first
// is let in first.
type limiter struct{ *semaphore.Weighted }

func newLimiter(connections int32, part int64) limiter {
	return limiter{semaphore.NewWeighted(max(1, int64(connections)/part))}
}

// within runs do once there is room, or returns ErrUnavailable where there is none
// before ctx ends.
func (s limiter) within(ctx context.Context, what string, do func() error) error {
	if err := s.Acquire(ctx, 1); err != nil {
		return fmt.Errorf("%s: %w: waiting for others that ask: %w", what, ErrUnavailable, err)
	}
	defer s.Release(1)
	return do()
}

// Summary is report for what may read for many seconds.
func (d *DB) Summary(ctx context.Context, what string, do func(pgx.Tx) error, with ...Begin) error {
	if d.Spread() {
		with = slices.Concat(with, []Begin{gather})
	}
	return d.summaries.within(ctx, what, func() error { return d.Report(ctx, what, do, with...) })
}
