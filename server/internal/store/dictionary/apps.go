package dictionary

import (
	"context"
)

const (
	// MaxHostApps is how many applications a host may be the first to name, and how
	// many that are new to this server are looked for in one group of its batches.
	// The largest terminal servers have some hundreds, while a host that invents a
	// name for each focus entry would fill the roll-up of a quarter of an hour,
	// which each upload rewrites, and everybody's reports.
	MaxHostApps = 5000
	// OtherApps is what further applications are called.
	OtherApps = "(other applications)"
)

// AppUses are names of applications, each with the row of a host that uses it; 0
// stands for this server.
type AppUses struct {
	Names []string
	Hosts []int64
}

// AppIDs fills in the numbers of these applications, which the rows use, after
// making those that are new.
func (d *Dictionary) AppIDs(ctx context.Context, ids map[string]uint64, usesOf func(missing map[string]struct{}) AppUses, l *Pending) error {
	missing := map[string]struct{}{}
	for name := range ids {
		if id, ok := d.apps.Get(name); ok {
			ids[name] = id
		} else if name != "" {
			missing[name] = struct{}{}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if err := d.addApps(ctx, usesOf(missing), ids, l); err != nil {
		return err
	}
	var refused []string
	for name := range missing {
		if ids[name] == 0 {
			refused = append(refused, name)
		}
	}
	if len(refused) == 0 {
		return nil
	}
	other, ok := d.apps.Get(OtherApps)
	if !ok {
		made := map[string]uint64{}
		if err := d.addApps(ctx, AppUses{Names: []string{OtherApps}, Hosts: []int64{0}}, made, l); err != nil {
			return err
		}
		other = made[OtherApps]
	}
	for _, name := range refused {
		ids[name] = other
	}
	l.add(func() { d.joined.Add(float64(len(refused))) })
	return nil
}

// addApps makes applications that are new, but for hosts that have named enough,
// and adds the numbers of those that there are then to ids.
func (d *Dictionary) addApps(ctx context.Context, uses AppUses, ids map[string]uint64, l *Pending) error {
	var name string
	var id int32
	// NOT EXISTS only spares sequence numbers; ON CONFLICT decides. The order
	// keeps two servers from waiting for each other.
	return d.writeAhead(ctx, "adding applications", statement{`
		WITH used AS MATERIALIZED (SELECT * FROM unnest($1::text[], $2::bigint[]) AS n(name, host)),
			enough AS MATERIALIZED (SELECT h.host FROM (SELECT DISTINCT host FROM used) h
				WHERE (SELECT count(*) FROM (SELECT FROM app a WHERE a.host = h.host LIMIT $3) AS few) >= $3)
		INSERT INTO app (name, host) SELECT DISTINCT ON (n.name COLLATE "C") n.name, n.host FROM used n
		WHERE NOT EXISTS (SELECT FROM app a WHERE a.name = n.name)
			AND n.host <> ALL(ARRAY(SELECT host FROM enough))
		ORDER BY n.name COLLATE "C" ON CONFLICT (name) DO NOTHING`, []any{uses.Names, uses.Hosts, MaxHostApps}},
		statement{"SELECT name, id FROM app WHERE name = ANY($1)", []any{uses.Names}},
		[]any{&name, &id}, func() {
			name, id := name, uint64(id)
			ids[name] = id
			l.add(func() { d.apps.Put(name, id) })
		})
}
