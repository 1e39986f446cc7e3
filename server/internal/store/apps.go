package store

import (
	"context"
)

const (
	// maxHostApps is how many applications a host may be the first to name, and how
	// many that are new to this server are looked for in one group of its batches.
	// The largest terminal servers have some hundreds, while a host that invents a
	// name for each focus entry would fill the roll-up of a quarter of an hour,
	// which each upload rewrites, and everybody's reports.
	maxHostApps = 5000
	// otherApps is what further applications are called.
	otherApps = "(other applications)"
)

// appUses are names of applications, each with the row of a host that uses it; 0
// stands for this server.
type appUses struct {
	names []string
	hosts []int64
}

// appIDs fills in the numbers of these applications, which the rows use, after
// making those that are new.
func (s *Store) appIDs(ctx context.Context, ids map[string]uint64, usesOf func(missing map[string]struct{}) appUses, l *learnt) error {
	missing := map[string]struct{}{}
	for name := range ids {
		if id, ok := s.apps.get(name); ok {
			ids[name] = id
		} else if name != "" {
			missing[name] = struct{}{}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if err := s.addApps(ctx, usesOf(missing), ids, l); err != nil {
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
	other, ok := s.apps.get(otherApps)
	if !ok {
		made := map[string]uint64{}
		if err := s.addApps(ctx, appUses{names: []string{otherApps}, hosts: []int64{0}}, made, l); err != nil {
			return err
		}
		other = made[otherApps]
	}
	for _, name := range refused {
		ids[name] = other
	}
	l.add(func() { s.joined.Add(float64(len(refused))) })
	return nil
}

// newApps gives the uses of missing applications, of each host as many as it may
// name.
func newApps(batches []Batch, rows []row, missing map[string]struct{}) (list appUses) {
	type use struct {
		host int64
		name string
	}
	seen, named := map[use]struct{}{}, map[int64]int{}
	note := func(host int64, name string) {
		if _, ok := missing[name]; !ok || named[host] == maxHostApps {
			return
		}
		u := use{host, name}
		if _, ok := seen[u]; ok {
			return
		}
		seen[u] = struct{}{}
		named[host]++
		list.names, list.hosts = append(list.names, name), append(list.hosts, host)
	}
	for i := range rows {
		host, e := batches[rows[i].batch].Host, rows[i].event
		note(host, e.ActiveApp)
		for j := range e.Focus {
			note(host, e.Focus[j].App)
		}
	}
	return list
}

// addApps makes applications that are new, but for hosts that have named enough,
// and adds the numbers of those that there are then to ids.
func (s *Store) addApps(ctx context.Context, uses appUses, ids map[string]uint64, l *learnt) error {
	var name string
	var id int32
	// NOT EXISTS only spares sequence numbers; ON CONFLICT decides. The order
	// keeps two servers from waiting for each other.
	return s.writeAhead(ctx, "adding applications", statement{`
		WITH used AS MATERIALIZED (SELECT * FROM unnest($1::text[], $2::bigint[]) AS n(name, host)),
			enough AS MATERIALIZED (SELECT h.host FROM (SELECT DISTINCT host FROM used) h
				WHERE (SELECT count(*) FROM (SELECT FROM app a WHERE a.host = h.host LIMIT $3) AS few) >= $3)
		INSERT INTO app (name, host) SELECT DISTINCT ON (n.name COLLATE "C") n.name, n.host FROM used n
		WHERE NOT EXISTS (SELECT FROM app a WHERE a.name = n.name)
			AND n.host <> ALL(ARRAY(SELECT host FROM enough))
		ORDER BY n.name COLLATE "C" ON CONFLICT (name) DO NOTHING`, []any{uses.names, uses.hosts, maxHostApps}},
		statement{"SELECT name, id FROM app WHERE name = ANY($1)", []any{uses.names}},
		[]any{&name, &id}, func() {
			name, id := name, uint64(id)
			ids[name] = id
			l.add(func() { s.apps.put(name, id) })
		})
}
