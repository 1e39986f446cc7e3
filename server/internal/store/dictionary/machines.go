package dictionary

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/db"
)

// Owner is a machine's row, which never changes, and the host that owns it, which
// only an administrator changes.
type Owner struct {
	Key  int32
	Host int64
	// ErasedBefore is up to when events are refused, in Unix microseconds, since their
	// person was erased then; Key is 0 where nothing newer has come yet.
	ErasedBefore int64
}

const (
	// MaxHostMachines is how many machines a host may have. The largest terminal
	// servers have some hundreds of users, while a host that invents a name for
	// each event would fill lists and memory.
	MaxHostMachines = 10_000
	// MaxPersonMachines is how many one person may have who measures themselves:
	// their own, under a few names while they choose. Who comes first owns a
	// machine, so that more would let one person take those of everybody else.
	MaxPersonMachines = 3
)

// Owners returns the rows of machines by machine_id, after making those that are
// new. Who comes first owns a machine, also among several servers. A new machine of
// a host that has enough is not among them. One that was erased is made anew by an event
// of after that.
func (d *Dictionary) Owners(ctx context.Context, list []Newest, l *Pending) (map[string]Owner, error) {
	found := make(map[string]Owner, len(list))
	var missing []Newest
	var doubtful []string
	for i := range list {
		id := list[i].MachineID
		if o, ok := d.machines.Get(id); ok {
			found[id] = o
			if o.Host != list[i].Host {
				doubtful = append(doubtful, id)
			}
		} else if len(missing) == 0 || missing[len(missing)-1].MachineID != id {
			missing = append(missing, list[i])
		}
	}
	if err := d.lookAgain(ctx, doubtful, found); err != nil || len(missing) == 0 {
		return found, err
	}
	c := ColumnsOf(missing)
	var id string
	var o Owner
	var erased *time.Time
	// One statement looks for tombstones and for machines, so that an erasure comes before
	// both or after both. NOT EXISTS (machine) only spares sequence numbers; ON CONFLICT decides. The order
	// keeps two servers from waiting for each other.
	err := d.writeAhead(ctx, "adding machines", statement{`
		WITH room AS MATERIALIZED (SELECT h.id AS host, CASE h.kind WHEN $11 THEN $10::int ELSE $9::int END
				- (SELECT count(*) FROM (SELECT FROM machine m WHERE m.host = h.id LIMIT $9) AS few) AS places
			FROM host h WHERE h.id = ANY($2::bigint[]))
		INSERT INTO machine (machine_id, host, first_seen, last_seen, last_ts, last_interval, last_idle, last_connected, last_locked, erased_before, username, of_system)
		SELECT n.machine_id, host, greatest(least(n.first, now()), n.erased_at), least(n.ended, now()), n.last, n.length, n.idle, n.connected, n.locked, n.erased_at, n.username, n.system
		FROM (SELECT new.*, t.erased_at, row_number() OVER (PARTITION BY new.host ORDER BY new.machine_id COLLATE "C") AS nth
			FROM unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::int[], $7::bool[], $8::bool[], $12::text[], $13::bool[], $14::bool[])
				AS new(machine_id, host, first, last, ended, length, idle, connected, username, system, locked)
			LEFT JOIN tombstone t ON t.digest = tombstone_of(new.machine_id)
			WHERE (t.erased_at IS NULL OR new.last >= t.erased_at) AND NOT EXISTS (SELECT FROM machine m WHERE m.machine_id = new.machine_id)) n
		JOIN room USING (host)
		WHERE n.nth <= room.places
		ORDER BY n.machine_id COLLATE "C"
		ON CONFLICT (machine_id) DO NOTHING`, []any{
		c.ids, c.hosts, c.First, c.Last, c.End, c.Interval, c.Idle, c.Connected, MaxHostMachines, MaxPersonMachines, api.EnrollUser,
		c.Usernames, c.systems, c.Locked,
	}},
		statement{`SELECT machine_id, id, host, erased_before FROM machine WHERE machine_id = ANY($1)
			UNION ALL SELECT i, 0, 0, t.erased_at FROM unnest($1::text[]) i JOIN tombstone t ON t.digest = tombstone_of(i)
			WHERE NOT EXISTS (SELECT FROM machine m WHERE m.machine_id = i)`, []any{c.ids}},
		[]any{&id, &o.Key, &o.Host, &erased}, func() {
			o.ErasedBefore = 0
			if erased != nil {
				o.ErasedBefore = erased.UnixMicro()
			}
			found[id] = o
		})
	if err != nil {
		return nil, err
	}
	for i := range missing {
		o, ok := found[missing[i].MachineID]
		if !ok || o.Key == 0 {
			continue
		}
		id := strings.Clone(missing[i].MachineID)
		l.add(func() { d.machines.Put(id, o) })
	}
	return found, nil
}

// MarkSystem notes of machines, of which an event said it, that they are system users',
// for good. They have their rows and are their hosts'.
func (d *Dictionary) MarkSystem(ctx context.Context, list []Newest) error {
	var keys []int32
	for i := range list {
		if list[i].system {
			keys = append(keys, list[i].Key)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	return d.db.Write(ctx, "noting system users", func(tx pgx.Tx) error {
		_, err := db.Exec(ctx, tx, "updating", `UPDATE machine m SET of_system = true
			FROM (SELECT id FROM machine WHERE id = ANY($1) AND NOT of_system ORDER BY id FOR NO KEY UPDATE) AS new WHERE m.id = new.id`, keys)
		return err
	})
}

// lookAgain looks up machines that are remembered as another host's than the one that
// reports them: an administrator may have moved them.
func (d *Dictionary) lookAgain(ctx context.Context, ids []string, found map[string]Owner) error {
	if len(ids) == 0 {
		return nil
	}
	return d.db.Read(ctx, "looking up the owners of machines", func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, "SELECT machine_id, id, host, coalesce((extract(epoch FROM erased_before) * 1000000)::bigint, 0) FROM machine WHERE machine_id = ANY($1)", ids)
		if err != nil {
			return fmt.Errorf("asking: %w", err)
		}
		var id string
		var o Owner
		_, err = pgx.ForEachRow(rows, []any{&id, &o.Key, &o.Host, &o.ErasedBefore}, func() error {
			if found[id] != o {
				d.machines.Put(strings.Clone(id), o)
				found[id] = o
			}
			return nil
		})
		return err
	})
}

// Newest is what some batches report of one machine, if the host owns it.
type Newest struct {
	MachineID, username string
	Host                int64
	// Key is the machine's row.
	Key               int32
	First, last, end  time.Time
	interval          int64
	idle              bool
	connected, locked *bool
	system            bool
}

// See takes an event of the machine into account.
func (n *Newest) See(e *api.Event) {
	n.system = n.system || e.SystemUser
	if e.Timestamp.Before(n.First) {
		n.First = e.Timestamp
	}
	if n.interval == 0 || !e.Timestamp.Before(n.last) {
		n.last, n.interval, n.idle = e.Timestamp, e.Interval(), e.IsIdle
		n.connected, n.locked = e.Connected, e.Locked
		n.end = e.Timestamp.Add(time.Duration(n.interval) * time.Second)
		if e.Username != "" {
			n.username = e.Username
		}
	}
}

// MachineColumns are machines as arrays for unnest.
type MachineColumns struct {
	ids, Usernames    []string
	hosts             []int64
	Keys              []int32
	First, Last, End  []time.Time
	Interval          []int64
	Idle, systems     []bool
	Connected, Locked []*bool
}

// ColumnsOf returns machines as arrays for unnest.
func ColumnsOf(list []Newest) (c MachineColumns) {
	for i := range list {
		n := &list[i]
		c.ids = append(c.ids, n.MachineID)
		c.hosts = append(c.hosts, n.Host)
		c.Keys = append(c.Keys, n.Key)
		c.Usernames = append(c.Usernames, n.username)
		c.First = append(c.First, n.First)
		c.Last = append(c.Last, n.last)
		c.End = append(c.End, n.end)
		c.Interval = append(c.Interval, n.interval)
		c.Idle = append(c.Idle, n.idle)
		c.systems = append(c.systems, n.system)
		c.Connected = append(c.Connected, n.connected)
		c.Locked = append(c.Locked, n.locked)
	}
	return c
}
