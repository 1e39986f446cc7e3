package store

import (
	"sort"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
)

// newest is what some batches tell about one machine, if the host owns it.
type newest struct {
	machineID, username string
	host                int64
	// key is the machine's row.
	key              int32
	first, last, end time.Time
	interval         int64
	idle             bool
	connected        *bool
}

// summarise gives one entry for each machine_id and host that sent it, sorted by
// machine_id; the host that came first is first.
func summarise(batches []Batch) []newest {
	type claim struct {
		id   string
		host int64
	}
	index := make(map[claim]int)
	var list []newest
	for b := range batches {
		for i := range batches[b].Events {
			e := &batches[b].Events[i]
			c := claim{e.MachineID, batches[b].Host}
			at, ok := index[c]
			if !ok {
				at = len(list)
				index[c] = at
				list = append(list, newest{machineID: c.id, host: c.host, first: e.Timestamp})
			}
			list[at].see(e)
		}
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].machineID < list[j].machineID })
	return list
}

func (n *newest) see(e *api.Event) {
	if e.Timestamp.Before(n.first) {
		n.first = e.Timestamp
	}
	if n.interval == 0 || !e.Timestamp.Before(n.last) {
		n.last, n.interval, n.idle, n.connected = e.Timestamp, e.Interval(), e.IsIdle, e.Connected
		n.end = e.Timestamp.Add(time.Duration(n.interval) * time.Second)
		if e.Username != "" {
			n.username = e.Username
		}
	}
}

// queueMachines queues the statement that brings locked machines up to date.
func queueMachines(batch *pgx.Batch, list []newest) {
	var args arguments
	batch.Queue(updateMachines("", &args, columnsOf(list)), args...)
}

// updateMachines brings locked machines up to date. from are more tables of FROM,
// each with its comma: where they are empty nothing happens.
func updateMachines(from string, args *arguments, c machineColumns) string {
	return `UPDATE machine m SET
			first_seen = least(m.first_seen, n.first),
			last_seen = greatest(m.last_seen, least(n.ended, now())),
			username = CASE WHEN n.username <> '' AND n.last >= m.last_ts THEN n.username ELSE m.username END,
			last_interval = CASE WHEN n.last >= m.last_ts THEN n.length ELSE m.last_interval END,
			last_idle = CASE WHEN n.last >= m.last_ts THEN n.idle ELSE m.last_idle END,
			last_connected = CASE WHEN n.last >= m.last_ts THEN n.connected ELSE m.last_connected END,
			last_ts = greatest(m.last_ts, n.last)
		FROM ` + from + `unnest(` + args.add(c.keys) + `::int[], ` + args.add(c.first) + `::timestamptz[], ` + args.add(c.last) +
		`::timestamptz[], ` + args.add(c.end) + `::timestamptz[], ` + args.add(c.interval) + `::int[], ` + args.add(c.idle) + `::bool[], ` +
		args.add(c.usernames) + `::text[], ` + args.add(c.connected) + `::bool[]) AS n(id, first, last, ended, length, idle, username, connected)
		WHERE m.id = n.id`
}

// machineColumns are machines as arrays for unnest.
type machineColumns struct {
	ids, usernames   []string
	hosts            []int64
	keys             []int32
	first, last, end []time.Time
	interval         []int64
	idle             []bool
	connected        []*bool
}

func columnsOf(list []newest) (c machineColumns) {
	for i := range list {
		n := &list[i]
		c.ids = append(c.ids, n.machineID)
		c.hosts = append(c.hosts, n.host)
		c.keys = append(c.keys, n.key)
		c.usernames = append(c.usernames, n.username)
		c.first = append(c.first, n.first)
		c.last = append(c.last, n.last)
		c.end = append(c.end, n.end)
		c.interval = append(c.interval, n.interval)
		c.idle = append(c.idle, n.idle)
		c.connected = append(c.connected, n.connected)
	}
	return c
}
