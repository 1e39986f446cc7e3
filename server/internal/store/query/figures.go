package query

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/codec"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/minutes"
	"activity-tracker.example/server/internal/store/partition"
)

// Figures is for how long some accounts of one person were in each state in a span of time:
// together that is as long as the span. Of minutes with activity the rest counts as without
// input.
type Figures struct {
	// First and Last are as in Sums.
	First, Last *time.Time
	// ActiveMS and the others are in milliseconds.
	ActiveMS, NoInputMS, LockedMS, DisconnectedMS, NotCollectedMS, UnknownMS int64
}

// PersonFigures is what some accounts did in consecutive spans of time.
type PersonFigures struct {
	Spans     []Figures
	Estimated bool
}

// FiguresWithin returns what people did, whose accounts are given, in consecutive spans of
// time, in a transaction that begins with db.KeepEvents and db.KeepRollups.
func (r *Reader) FiguresWithin(ctx context.Context, tx pgx.Tx, accounts [][]int32, bounds []time.Time) ([]PersonFigures, error) {
	n := len(bounds) - 1
	list := make([]PersonFigures, len(accounts))
	if len(accounts) == 0 || n < 1 {
		return list, nil
	}
	all, place := make([]codec.Sums, n*len(accounts)), placesOf(accounts)
	q := spanQuery{machines: slices.Concat(accounts...), bounds: bounds, counts: true}
	at := func(machine int32, span int) *codec.Sums { return &all[place[machine]*n+span] }
	err := r.eachGrid(ctx, tx, q, accounts, at, func(i int, g *minutes.Grid, estimated bool) {
		list[i] = PersonFigures{Spans: make([]Figures, n), Estimated: estimated}
		for j := range n {
			list[i].Spans[j] = figuresOf(g, bounds[j], bounds[j+1])
			t := &all[i*n+j]
			list[i].Spans[j].First, list[i].Spans[j].Last = codec.Instant(t.First), codec.Instant(t.Last)
		}
	})
	return list, err
}

// FiguresNow is FiguresWithin in a transaction of its own. kept is false where not all that
// there was of the time is kept any more.
func (r *Reader) FiguresNow(ctx context.Context, accounts [][]int32, bounds []time.Time) (list []PersonFigures, kept bool, err error) {
	err = r.db.Summary(ctx, "reading what people did", func(tx pgx.Tx) error {
		if kept, err = r.SumsKept(ctx, tx, bounds); err != nil || !kept {
			return err
		}
		list, err = r.FiguresWithin(ctx, tx, accounts, bounds)
		return err
	}, db.KeepEvents, db.KeepRollups)
	return list, kept, err
}

// SumsKept reports whether all sums of spans of time are kept that there were: by this
// server's settings, and by those of another that has dropped more.
func (r *Reader) SumsKept(ctx context.Context, tx pgx.Tx, bounds []time.Time) (bool, error) {
	first := bounds[0].Add(-longestRecord)
	t := partition.Rollups()
	// Partitions are dropped whole, with one to spare.
	if since := r.partitions.KeptSince(t); !since.IsZero() && first.Before(t.Next(t.Start(since))) {
		return false, nil
	}
	var before *time.Time
	if err := tx.QueryRow(ctx, "SELECT max(rollups_before) FROM dropped").Scan(&before); err != nil {
		return false, fmt.Errorf("asking which sums were dropped: %w", err)
	}
	return before == nil || !first.Before(t.Next(t.Start(*before))), nil
}

// figuresOf adds up the minutes from one time to before another.
func figuresOf(g *minutes.Grid, from, to time.Time) (f Figures) {
	var in [minutes.Active + 1]int64
	for _, m := range g.Part(from, to) {
		in[m.State] += minutes.LengthMS
		f.ActiveMS += int64(m.ActiveMS)
	}
	f.NoInputMS = in[minutes.NoInput] + in[minutes.Active] - f.ActiveMS
	f.LockedMS, f.DisconnectedMS = in[minutes.Locked], in[minutes.Disconnected]
	f.NotCollectedMS, f.UnknownMS = in[minutes.NotCollected], in[minutes.Unknown]
	return f
}
