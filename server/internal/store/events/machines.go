package events

import (
	"sort"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/dictionary"
)

// summarise returns one entry for each machine_id and host that sent it, sorted by
// machine_id; the host that came first is first.
func summarise(batches []Batch) []dictionary.Newest {
	type claim struct {
		id   string
		host int64
	}
	index := make(map[claim]int)
	var list []dictionary.Newest
	for b := range batches {
		at := -1
		for i := range batches[b].Events {
			e := &batches[b].Events[i]
			// A machine's events come together.
			if at < 0 || list[at].MachineID != e.MachineID {
				c := claim{e.MachineID, batches[b].Host}
				var ok bool
				if at, ok = index[c]; !ok {
					at = len(list)
					index[c] = at
					list = append(list, dictionary.Newest{MachineID: c.id, Host: c.host, First: e.Timestamp})
				}
			}
			list[at].See(e)
		}
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].MachineID < list[j].MachineID })
	return list
}

// queueMachines queues the statement that brings locked machines up to date.
func queueMachines(batch *pgx.Batch, list []dictionary.Newest) {
	var args arguments
	batch.Queue(updateMachines("", &args, dictionary.ColumnsOf(list)), args...)
}

// updateMachines brings locked machines up to date. from are more tables of FROM,
// each with its comma: where they are empty nothing happens.
func updateMachines(from string, args *arguments, c dictionary.MachineColumns) string {
	keys, last, usernames := args.add(c.Keys), args.add(c.Last), args.add(c.Usernames)
	connected, locked := args.add(c.Connected), args.add(c.Locked)
	return `UPDATE machine m SET
			first_seen = greatest(least(m.first_seen, ` + args.nth(c.First, "timestamptz") + `), m.erased_before),
			last_seen = greatest(m.last_seen, least(` + args.nth(c.End, "timestamptz") + `, now())),
			username = CASE WHEN n.username <> '' AND n.last >= m.last_ts THEN n.username ELSE m.username END,
			last_interval = CASE WHEN n.last >= m.last_ts THEN ` + args.nth(c.Interval, "int") + ` ELSE m.last_interval END,
			last_idle = CASE WHEN n.last >= m.last_ts THEN ` + args.nth(c.Idle, "bool") + ` ELSE m.last_idle END,
			last_connected = CASE WHEN n.last >= m.last_ts THEN n.connected ELSE m.last_connected END,
			last_locked = CASE WHEN n.last >= m.last_ts THEN n.locked ELSE m.last_locked END,
			last_ts = greatest(m.last_ts, n.last)
		FROM ` + from + `unnest(` + keys + `::int[], ` + last + `::timestamptz[], ` + usernames + `::text[], ` + connected + `::bool[], ` + locked + `::bool[])
			WITH ORDINALITY AS n(id, last, username, connected, locked, nth)
		WHERE m.id = n.id`
}
