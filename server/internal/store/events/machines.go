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
		for i := range batches[b].Events {
			e := &batches[b].Events[i]
			c := claim{e.MachineID, batches[b].Host}
			at, ok := index[c]
			if !ok {
				at = len(list)
				index[c] = at
				list = append(list, dictionary.Newest{MachineID: c.id, Host: c.host, First: e.Timestamp})
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
	return `UPDATE machine m SET
			first_seen = least(m.first_seen, n.first),
			last_seen = greatest(m.last_seen, least(n.ended, now())),
			username = CASE WHEN n.username <> '' AND n.last >= m.last_ts THEN n.username ELSE m.username END,
			last_interval = CASE WHEN n.last >= m.last_ts THEN n.length ELSE m.last_interval END,
			last_idle = CASE WHEN n.last >= m.last_ts THEN n.idle ELSE m.last_idle END,
			last_connected = CASE WHEN n.last >= m.last_ts THEN n.connected ELSE m.last_connected END,
			last_ts = greatest(m.last_ts, n.last)
		FROM ` + from + `unnest(` + args.add(c.Keys) + `::int[], ` + args.add(c.First) + `::timestamptz[], ` + args.add(c.Last) +
		`::timestamptz[], ` + args.add(c.End) + `::timestamptz[], ` + args.add(c.Interval) + `::int[], ` + args.add(c.Idle) + `::bool[], ` +
		args.add(c.Usernames) + `::text[], ` + args.add(c.Connected) + `::bool[]) AS n(id, first, last, ended, length, idle, username, connected)
		WHERE m.id = n.id`
}
