package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/internal/store/codec"
)

// How many entries of each kind are remembered: some 10 MB each when full of
// usual names, and over the names of a day in a large fleet.
const (
	machinesKnown = 200_000
	appsKnown     = 20_000
	titlesKnown   = 200_000
)

// hostsKnown is how many hosts' credentials are remembered: some 10 MB when full.
const hostsKnown = 50_000

// partitionsKnown is how many names of partitions are remembered: all there are.
const partitionsKnown = 10_000

// owner is a machine's row and the host that owns it; neither ever changes.
type owner struct {
	key  int32
	host int64
}

// titleKey names a title of a month: a title itself may have 4 KiB.
type titleKey struct {
	// month counts from the year 0.
	month  int32
	digest [sha256.Size / 2]byte
}

func keyOfTitle(month int32, name string) titleKey {
	k := titleKey{month: month}
	full := sha256.Sum256([]byte(name))
	copy(k.digest[:], full[:])
	return k
}

func monthNumber(t time.Time) int32 {
	y, m, _ := t.UTC().Date()
	return int32(y*12 + int(m) - 1)
}

func monthStart(number int32) time.Time {
	return time.Date(int(number)/12, time.Month(number%12)+1, 1, 0, 0, 0, 0, time.UTC)
}

// statement is SQL and what it is given.
type statement struct {
	sql  string
	args []any
}

// writeAhead adds rows and reads back what there is then, row by row into the
// pointers to, all in one message. It is not waited for to reach the disk: what
// refers to the rows is written by a later transaction, which is waited for, and
// the log is written in order.
func (s *Store) writeAhead(ctx context.Context, what string, add, read statement, to []any, each func()) error {
	batch := &pgx.Batch{}
	s.queueTransaction(batch)
	batch.Queue("SET LOCAL synchronous_commit = off")
	batch.Queue(add.sql, add.args...)
	batch.Queue(read.sql, read.args...).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, to, func() error {
			each()
			return nil
		})
		return err
	})
	batch.Queue("COMMIT")
	return s.sendBatch(ctx, what, batch)
}

// learnt are what is to be remembered once it is certain to be on disk: a crash of
// PostgreSQL could take back what was written ahead, and give its number to another.
type learnt []func()

func (l *learnt) add(remember func()) { *l = append(*l, remember) }

func (l *learnt) remember() {
	for _, f := range *l {
		f()
	}
}

const (
	// maxHostMachines is how many machines a host may have. The largest terminal
	// servers have some hundreds of users, while a host that invents a name for
	// each event would fill lists and memory.
	maxHostMachines = 10_000
	// maxPersonMachines is how many one person may have who measures themselves:
	// their own, under a few names while they choose. Who comes first owns a
	// machine, so that more would let one person take those of everybody else.
	maxPersonMachines = 3
)

// owners gives the rows of machines by machine_id, after making those that are
// new. Who comes first owns a machine, also among several servers. A new machine of
// a host that has enough is not among them.
func (s *Store) owners(ctx context.Context, list []newest, l *learnt) (map[string]owner, error) {
	found := make(map[string]owner, len(list))
	var missing []newest
	for i := range list {
		id := list[i].machineID
		if o, ok := s.machines.get(id); ok {
			found[id] = o
		} else if len(missing) == 0 || missing[len(missing)-1].machineID != id {
			missing = append(missing, list[i])
		}
	}
	if len(missing) == 0 {
		return found, nil
	}
	c := columnsOf(missing)
	var id string
	var o owner
	// NOT EXISTS only spares sequence numbers; ON CONFLICT decides. The order
	// keeps two servers from waiting for each other.
	err := s.writeAhead(ctx, "adding machines", statement{`
		WITH room AS MATERIALIZED (SELECT h.id AS host, CASE h.kind WHEN $11 THEN $10::int ELSE $9::int END
				- (SELECT count(*) FROM (SELECT FROM machine m WHERE m.host = h.id LIMIT $9) AS few) AS places
			FROM host h WHERE h.id = ANY($2::bigint[]))
		INSERT INTO machine (machine_id, host, first_seen, last_seen, last_ts, last_interval, last_idle, last_connected)
		SELECT n.machine_id, host, least(n.first, now()), least(n.ended, now()), n.last, n.length, n.idle, n.connected
		FROM (SELECT new.*, row_number() OVER (PARTITION BY new.host ORDER BY new.machine_id COLLATE "C") AS nth
			FROM unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::int[], $7::bool[], $8::bool[])
				AS new(machine_id, host, first, last, ended, length, idle, connected)
			WHERE NOT EXISTS (SELECT FROM machine m WHERE m.machine_id = new.machine_id)) n
		JOIN room USING (host)
		WHERE n.nth <= room.places
		ORDER BY n.machine_id COLLATE "C"
		ON CONFLICT (machine_id) DO NOTHING`, []any{
		c.ids, c.hosts, c.first, c.last, c.end, c.interval, c.idle, c.connected, maxHostMachines, maxPersonMachines, EnrollsUser,
	}},
		statement{"SELECT machine_id, id, host FROM machine WHERE machine_id = ANY($1)", []any{c.ids}},
		[]any{&id, &o.key, &o.host}, func() { found[id] = o })
	if err != nil {
		return nil, err
	}
	for i := range missing {
		o, ok := found[missing[i].machineID]
		if !ok {
			continue
		}
		id := strings.Clone(missing[i].machineID)
		l.add(func() { s.machines.put(id, o) })
	}
	return found, nil
}

// titleUse is a title in a month, as an event uses it.
type titleUse struct {
	month int32
	name  string
}

// titleIDs fills in the numbers of these titles, after making those that are new.
func (s *Store) titleIDs(ctx context.Context, ids map[titleUse]uint64, l *learnt) error {
	missing := make(map[titleKey]titleUse)
	var order []titleKey
	for use := range ids {
		k := keyOfTitle(use.month, use.name)
		if id, ok := s.titles.get(k); ok {
			ids[use] = id
			continue
		}
		missing[k] = use
		order = append(order, k)
	}
	if len(missing) == 0 {
		return nil
	}
	sort.Slice(order, func(i, j int) bool {
		a, b := &order[i], &order[j]
		return a.month < b.month || a.month == b.month && bytes.Compare(a.digest[:], b.digest[:]) < 0
	})
	var months []time.Time
	var digests [][]byte
	var names []string
	for i := range order {
		k := &order[i]
		if i == 0 || order[i-1].month != k.month {
			if err := s.ensurePartition(ctx, titleTier(), monthStart(k.month)); err != nil {
				return err
			}
		}
		months, digests, names = append(months, monthStart(k.month)), append(digests, k.digest[:]), append(names, missing[*k].name)
	}
	var month time.Time
	var digest []byte
	var id int64
	return s.writeAhead(ctx, "adding titles", statement{`
		INSERT INTO title (month, digest, name) SELECT n.month, n.digest, n.name
		FROM unnest($1::date[], $2::bytea[], $3::text[]) AS n(month, digest, name)
		WHERE NOT EXISTS (SELECT FROM title t WHERE t.month = n.month AND t.digest = n.digest)
		ORDER BY n.month, n.digest ON CONFLICT (month, digest) DO NOTHING`, []any{months, digests, names}},
		statement{`SELECT t.month, t.digest, t.id FROM unnest($1::date[], $2::bytea[]) AS n(month, digest)
			JOIN title t ON t.month = n.month AND t.digest = n.digest`, []any{months, digests}},
		[]any{&month, &digest, &id}, func() {
			k := titleKey{month: monthNumber(month)}
			copy(k.digest[:], digest)
			id := uint64(id)
			ids[missing[k]] = id
			l.add(func() { s.titles.put(k, id) })
		})
}

// names are the texts that refs stand for.
type names struct {
	apps, titles map[uint64]string
}

// lookUp reads the names of what events of these months refer to. A title that
// was forgotten is empty.
func lookUp(ctx context.Context, tx pgx.Tx, months map[int32]struct{}, list []codec.Refs) (names, error) {
	n := names{apps: map[uint64]string{}, titles: map[uint64]string{}}
	note := func(r codec.Ref) {
		n.apps[r.App], n.titles[r.Title] = "", ""
	}
	for i := range list {
		note(list[i].Active)
		for _, r := range list[i].Focus {
			note(r)
		}
	}
	if err := fillNames(ctx, tx, n.apps, appNamesSQL); err != nil {
		return n, fmt.Errorf("reading applications: %w", err)
	}
	starts := make([]time.Time, 0, len(months))
	for m := range months {
		starts = append(starts, monthStart(m))
	}
	if err := fillNames(ctx, tx, n.titles, titleNamesSQL, starts); err != nil {
		return n, fmt.Errorf("reading titles: %w", err)
	}
	return n, nil
}

// The second asks for titles of some months, so that no others are read.
const (
	appNamesSQL   = "SELECT id, name FROM app WHERE id = ANY($1)"
	titleNamesSQL = "SELECT id, name FROM title WHERE id = ANY($1) AND month = ANY($2::date[])"
)

func fillNames(ctx context.Context, tx pgx.Tx, texts map[uint64]string, sql string, more ...any) error {
	ids := make([]int64, 0, len(texts))
	for id := range texts {
		if id != 0 {
			ids = append(ids, int64(id))
		}
	}
	if len(ids) == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, sql, append([]any{ids}, more...)...)
	if err != nil {
		return err
	}
	var id int64
	var name string
	_, err = pgx.ForEachRow(rows, []any{&id, &name}, func() error {
		texts[uint64(id)] = name
		return nil
	})
	return err
}

// forgetNumbers forgets the numbers of all machines, applications and titles.
func (s *Store) forgetNumbers() {
	s.machines.forget()
	s.apps.forget()
	s.titles.forget()
}
