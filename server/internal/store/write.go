package store

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
)

// defaultIntervalSec is an event's interval where it does not say: the contract's
// default of collect_interval_sec.
const defaultIntervalSec = 60

// Written says what became of a batch.
type Written struct {
	Accepted   int
	Duplicates int
	// Foreign are the indexes of events whose machine belongs to another host;
	// nothing of them was stored.
	Foreign []int
}

// WriteEvents stores a host's events, each at most once by (machine_id,
// timestamp), and keeps their machines up to date. When it returns without an
// error all of it is durable. Events must have been validated: a NUL in a text
// would fail the whole batch.
//
// It cannot deadlock with another server that writes the same machines: new
// machines are inserted, then all are locked, each time in machine_id order,
// and nothing else is locked before.
func (s *Store) WriteEvents(ctx context.Context, host int64, events []api.Event) (Written, error) {
	var done Written
	err := s.write(ctx, "storing events", func(tx pgx.Tx) error {
		done = Written{}
		owned, err := lockMachines(ctx, tx, host, summarise(events))
		if err != nil {
			return err
		}
		var mine []api.Event
		for i := range events {
			if _, ok := owned[events[i].MachineID]; ok {
				mine = append(mine, events[i])
			} else {
				done.Foreign = append(done.Foreign, i)
			}
		}
		done.Accepted, err = insertEvents(ctx, tx, owned, mine)
		done.Duplicates = len(mine) - done.Accepted
		return err
	})
	return done, err
}

// newest is what a batch tells about one machine.
type newest struct {
	machineID, username string
	first, last, end    time.Time
	interval            int64
	idle                bool
}

// summarise gives one entry for each machine_id of the batch, sorted by it.
func summarise(events []api.Event) []newest {
	byID := make(map[string]*newest)
	for i := range events {
		e := &events[i]
		n := byID[e.MachineID]
		if n == nil {
			n = &newest{machineID: e.MachineID, first: e.Timestamp}
			byID[e.MachineID] = n
		}
		if e.Timestamp.Before(n.first) {
			n.first = e.Timestamp
		}
		if n.interval == 0 || !e.Timestamp.Before(n.last) {
			n.last, n.interval, n.idle = e.Timestamp, intervalOf(e), e.IsIdle
			n.end = e.Timestamp.Add(time.Duration(n.interval) * time.Second)
			if e.Username != "" {
				n.username = e.Username
			}
		}
	}
	list := make([]newest, 0, len(byID))
	for _, n := range byID {
		list = append(list, *n)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].machineID < list[j].machineID })
	return list
}

func intervalOf(e *api.Event) int64 {
	if e.IntervalSec != nil {
		return *e.IntervalSec
	}
	return defaultIntervalSec
}

// lockMachines makes the machines that are new, locks those that the host owns,
// and brings them up to date. It gives their rows by machine_id.
func lockMachines(ctx context.Context, tx pgx.Tx, host int64, list []newest) (map[string]int64, error) {
	if len(list) == 0 {
		return nil, nil
	}
	c := columnsOf(list)
	// The unlocked NOT EXISTS only spares sequence numbers; ON CONFLICT
	// decides between two hosts that report the same machine_id at once.
	_, err := exec(ctx, tx, "adding new machines", `
		INSERT INTO machine (machine_id, host, first_seen, last_seen, last_ts, last_interval, last_idle)
		SELECT n.machine_id, $1, least(n.first, now()), least(n.ended, now()), n.last, n.length, n.idle
		FROM unnest($2::text[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::int[], $7::bool[])
			AS n(machine_id, first, last, ended, length, idle)
		WHERE NOT EXISTS (SELECT FROM machine m WHERE m.machine_id = n.machine_id)
		ORDER BY n.machine_id COLLATE "C"
		ON CONFLICT (machine_id) DO NOTHING`, host, c.ids, c.first, c.last, c.end, c.interval, c.idle)
	if err != nil {
		return nil, err
	}
	owned, err := lockOwned(ctx, tx, host, c.ids)
	if err != nil {
		return nil, err
	}
	_, err = exec(ctx, tx, "updating machines", `
		UPDATE machine m SET
			first_seen = least(m.first_seen, n.first),
			last_seen = greatest(m.last_seen, least(n.ended, now())),
			username = CASE WHEN n.username <> '' AND n.last >= m.last_ts THEN n.username ELSE m.username END,
			last_interval = CASE WHEN n.last >= m.last_ts THEN n.length ELSE m.last_interval END,
			last_idle = CASE WHEN n.last >= m.last_ts THEN n.idle ELSE m.last_idle END,
			last_ts = greatest(m.last_ts, n.last)
		FROM unnest($2::text[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::int[], $7::bool[], $8::text[])
			AS n(machine_id, first, last, ended, length, idle, username)
		WHERE m.machine_id = n.machine_id AND m.host = $1`,
		host, c.ids, c.first, c.last, c.end, c.interval, c.idle, c.usernames)
	if err != nil {
		return nil, err
	}
	return owned, nil
}

func lockOwned(ctx context.Context, tx pgx.Tx, host int64, ids []string) (map[string]int64, error) {
	rows, err := tx.Query(ctx, `SELECT machine_id, id FROM machine
		WHERE machine_id = ANY($1) AND host = $2 ORDER BY machine_id FOR NO KEY UPDATE`, ids, host)
	if err != nil {
		return nil, fmt.Errorf("locking machines: %w", err)
	}
	owned := make(map[string]int64, len(ids))
	var id string
	var row int64
	if _, err := pgx.ForEachRow(rows, []any{&id, &row}, func() error {
		owned[id] = row
		return nil
	}); err != nil {
		return nil, fmt.Errorf("locking machines: %w", err)
	}
	return owned, nil
}

// machineColumns are machines as arrays for unnest.
type machineColumns struct {
	ids, usernames   []string
	first, last, end []time.Time
	interval         []int64
	idle             []bool
}

func columnsOf(list []newest) (c machineColumns) {
	for i := range list {
		n := &list[i]
		c.ids = append(c.ids, n.machineID)
		c.usernames = append(c.usernames, n.username)
		c.first = append(c.first, n.first)
		c.last = append(c.last, n.last)
		c.end = append(c.end, n.end)
		c.interval = append(c.interval, n.interval)
		c.idle = append(c.idle, n.idle)
	}
	return c
}

// eventColumns are events as arrays for unnest.
type eventColumns struct {
	machine                        []int64
	ts                             []time.Time
	keys, clicks, distance, scroll []int64
	synthetic, interval            []*int64
	active                         []*float64
	idle                           []bool
	connected                      []*bool
	kind, window, app              []string
	focus                          []*string
	cpu, ram, disk, userCPU        []*float64
	userRAM                        []*int64
}

// insertEvents stores events of machines that are locked, and says how many
// were new.
func insertEvents(ctx context.Context, tx pgx.Tx, owned map[string]int64, events []api.Event) (int, error) {
	if len(events) == 0 {
		return 0, nil
	}
	var c eventColumns
	for i := range events {
		if err := c.add(owned[events[i].MachineID], &events[i]); err != nil {
			return 0, err
		}
	}
	n, err := exec(ctx, tx, "inserting events", `
		INSERT INTO event (machine, ts, key_count, mouse_clicks, mouse_distance_px, scroll_count,
			synthetic_count, interval_sec, active_seconds, is_idle, connected, session_kind,
			active_window, active_app, focus,
			cpu_percent, ram_used_percent, disk_used_percent, user_cpu_percent, user_ram_bytes)
		SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
			$7::bigint[], $8::int[], $9::float8[], $10::bool[], $11::bool[], $12::text[],
			$13::text[], $14::text[], $15::jsonb[],
			$16::float8[], $17::float8[], $18::float8[], $19::float8[], $20::bigint[])
		ON CONFLICT (machine, ts) DO NOTHING`,
		c.machine, c.ts, c.keys, c.clicks, c.distance, c.scroll,
		c.synthetic, c.interval, c.active, c.idle, c.connected, c.kind,
		c.window, c.app, c.focus,
		c.cpu, c.ram, c.disk, c.userCPU, c.userRAM)
	return int(n), err
}

func (c *eventColumns) add(machine int64, e *api.Event) error {
	var focus *string
	if len(e.Focus) > 0 {
		b, err := json.Marshal(e.Focus)
		if err != nil {
			return fmt.Errorf("encoding the focus list: %w", err)
		}
		text := string(b)
		focus = &text
	}
	c.machine = append(c.machine, machine)
	c.ts = append(c.ts, e.Timestamp)
	c.keys = append(c.keys, e.KeyCount)
	c.clicks = append(c.clicks, e.MouseClicks)
	c.distance = append(c.distance, e.MouseDistancePx)
	c.scroll = append(c.scroll, e.ScrollCount)
	c.synthetic = append(c.synthetic, e.SyntheticCount)
	c.interval = append(c.interval, e.IntervalSec)
	c.active = append(c.active, e.ActiveSeconds)
	c.idle = append(c.idle, e.IsIdle)
	c.connected = append(c.connected, e.Connected)
	c.kind = append(c.kind, string(e.SessionKind))
	c.window = append(c.window, e.ActiveWindow)
	c.app = append(c.app, e.ActiveApp)
	c.focus = append(c.focus, focus)
	c.cpu = append(c.cpu, e.CPUPercent)
	c.ram = append(c.ram, e.RAMUsedPercent)
	c.disk = append(c.disk, e.DiskUsedPercent)
	c.userCPU = append(c.userCPU, e.UserCPUPercent)
	c.userRAM = append(c.userRAM, e.UserRAMBytes)
	return nil
}
