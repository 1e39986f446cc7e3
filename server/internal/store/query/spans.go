package query

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/codec"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
)

// MachineSums is what one machine did in consecutive spans of time.
type MachineSums struct {
	directory.Machine
	Sums []Sums
}

// SumMachines sums up the machines that are asked for in consecutive spans of time, as
// Activity does for one, without applications. A machine without events in a span
// has zeros there. It returns ErrNotFound where one machine is asked for and is
// not there or in scope, and ErrNoGroup.
func (r *Reader) SumMachines(ctx context.Context, f directory.MachineFilter, bounds []time.Time) ([]MachineSums, error) {
	var list []MachineSums
	err := r.db.Summary(ctx, "summing up machines", func(tx pgx.Tx) error {
		machines, keys, err := askedFor(ctx, tx, f)
		if err != nil {
			return err
		}
		n := max(len(bounds)-1, 0)
		all := make([]codec.Sums, n*len(machines))
		if len(all) > 0 {
			place := placesOf(single(keys))
			q := spanQuery{machines: keys, bounds: bounds, counts: true}
			if err := q.sum(ctx, tx, func(machine int32, span int) *codec.Sums { return &all[place[machine]*n+span] }); err != nil {
				return err
			}
		}
		list = make([]MachineSums, len(machines))
		for i, m := range machines {
			list[i] = MachineSums{Machine: m, Sums: make([]Sums, n)}
			for j := range n {
				list[i].Sums[j] = totalsOf(&all[i*n+j])
			}
		}
		return nil
	}, db.KeepRollups)
	return list, err
}

// askedFor lists machines and their rows.
func askedFor(ctx context.Context, tx pgx.Tx, f directory.MachineFilter) ([]directory.Machine, []int32, error) {
	machines, err := directory.FindMachines(ctx, tx, &f)
	if err != nil {
		return nil, nil, err
	}
	if len(machines) == 0 && f.MachineID != "" && f.After == "" {
		return nil, nil, db.ErrNotFound
	}
	keys := make([]int32, len(machines))
	for i := range machines {
		keys[i] = machines[i].Key
	}
	return machines, keys, nil
}

// single returns a row for each machine.
func single(keys []int32) [][]int32 {
	rows := make([][]int32, len(keys))
	for i := range keys {
		rows[i] = keys[i : i+1]
	}
	return rows
}

// placesOf returns in which row each machine is.
func placesOf(rows [][]int32) map[int32]int {
	place := map[int32]int{}
	for i, row := range rows {
		for _, key := range row {
			place[key] = i
		}
	}
	return place
}
