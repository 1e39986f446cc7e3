package dossier

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/codec"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/minutes"
	"activity-tracker.example/server/internal/store/query"
)

const (
	// sumDays is of how many days sums are read at a time: at most 672 of them.
	sumDays = 7
	day     = 24 * time.Hour
	// reach is more than the records of a quarter of an hour last.
	reach = 2 * time.Hour
)

// Sum is what an account did in a quarter of an hour, as it is kept after its records
// are gone.
type Sum struct {
	MachineID string    `json:"machine_id"`
	Start     time.Time `json:"start"`
	// Events is of how many records it is.
	Events int64 `json:"events"`

	api.Totals

	ActiveSeconds float64    `json:"active_seconds"`
	IdleSeconds   float64    `json:"idle_seconds"`
	FirstActivity *time.Time `json:"first_activity"`
	LastActivity  *time.Time `json:"last_activity"`
	Apps          []AppTime  `json:"apps"`
	// Minutes are the states of whole minutes of UTC, as far as they are known.
	Minutes []api.Segment `json:"minutes"`
}

// AppTime is for how long an application had the focus, and somebody was there.
type AppTime struct {
	App           string  `json:"app"`
	Seconds       float64 `json:"seconds"`
	ActiveSeconds float64 `json:"active_seconds"`
}

// firstSumSQL asks for the day of the first sum from a time on.
const firstSumSQL = `SELECT least(
	(SELECT min(bucket) FROM rollup WHERE machine = $1 AND bucket >= $2),
	(SELECT min(day)::timestamp AT TIME ZONE 'UTC' FROM rollup_day WHERE machine = $1 AND day >= ($2::timestamptz AT TIME ZONE 'UTC')::date))`

// Sums returns an account's sums of some days, the first that there are from a day on,
// and on which day the next may be; the zero time at the end.
func (d *Dossier) Sums(ctx context.Context, key int32, machineID string, from time.Time) (list []Sum, next time.Time, err error) {
	err = d.db.Report(ctx, "reading sums", func(tx pgx.Tx) error {
		list, next = nil, time.Time{}
		var first *time.Time
		if err := tx.QueryRow(ctx, firstSumSQL, key, from).Scan(&first); err != nil {
			return fmt.Errorf("looking for the first: %w", err)
		}
		if first == nil {
			return nil
		}
		start := first.UTC().Truncate(day)
		next = start.Add(sumDays * day)
		have, err := query.ReadSums(ctx, tx, key, start, next)
		if err != nil {
			return err
		}
		names, err := appNames(ctx, tx, have)
		if err != nil {
			return err
		}
		for _, k := range have.Keys() {
			list = append(list, sumOf(machineID, k.Bucket, have[k], names))
		}
		return nil
	}, db.KeepRollups)
	return list, next, err
}

func appNames(ctx context.Context, tx pgx.Tx, of codec.Buckets) (map[uint64]string, error) {
	names := map[uint64]string{}
	for _, t := range of {
		for _, a := range t.Apps {
			names[a.App] = ""
		}
	}
	ids := []int64{}
	for id := range maps.Keys(names) {
		ids = append(ids, int64(id))
	}
	slices.Sort(ids)
	type app struct {
		ID   int64
		Name string
	}
	list, err := db.Collect[app](ctx, tx, "reading applications", "SELECT id, name FROM app WHERE id = ANY($1)", ids)
	for _, a := range list {
		names[uint64(a.ID)] = a.Name
	}
	return names, err
}

func sumOf(machineID string, bucket int64, t *codec.Sums, names map[uint64]string) Sum {
	s := Sum{
		MachineID: machineID, Start: time.UnixMicro(bucket).UTC(), Events: t.Events, Totals: t.Counts.Totals(),
		ActiveSeconds: codec.Seconds(t.ActiveMS), IdleSeconds: codec.Seconds(t.IdleMS),
		FirstActivity: codec.Instant(t.First), LastActivity: codec.Instant(t.Last), Apps: []AppTime{}, Minutes: []api.Segment{},
	}
	for _, a := range t.Apps {
		s.Apps = append(s.Apps, AppTime{names[a.App], codec.Seconds(a.Focus), codec.Seconds(a.Active)})
	}
	// Damaged ones are shown as far as they were read; rollups check finds them.
	runs, _, _ := minutes.AppendRuns(nil, t.Minutes)
	grid := minutes.NewGrid(s.Start, s.Start.Add(reach))
	grid.AddRuns(bucket, runs)
	for m := range grid.Segments() {
		if m.State != minutes.Unknown {
			s.Minutes = append(s.Minutes, api.Segment{State: m.State.String(), Start: m.Start, End: m.End, ActiveSeconds: codec.Seconds(m.ActiveMS)})
		}
	}
	return s
}
