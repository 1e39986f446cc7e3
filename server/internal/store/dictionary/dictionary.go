// Package dictionary keeps the numbers that stand for machines, applications and
// titles, and makes them when one is first named.
package dictionary

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/partition"
)

// How many entries of each kind are remembered: some 10 MB each when full of
// usual names, and over the names of a day in a large fleet.
const (
	machinesKnown = 200_000
	appsKnown     = 20_000
	titlesKnown   = 200_000
)

// Dictionary remembers the numbers of one database.
type Dictionary struct {
	db         *db.DB
	partitions *partition.Partitions
	machines   *db.Cache[string, Owner]
	apps       *db.Cache[string, uint64]
	titles     *db.Cache[titleKey, uint64]
	sweeps     sweeps
	// joined counts the applications that were not given a number of their own.
	joined prometheus.Counter
}

// New returns the dictionary of a database.
func New(d *db.DB, partitions *partition.Partitions) *Dictionary {
	dict := &Dictionary{
		db: d, partitions: partitions,
		machines: db.NewCache[string, Owner](machinesKnown), apps: db.NewCache[string, uint64](appsKnown),
		titles: db.NewCache[titleKey, uint64](titlesKnown),
		joined: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "trackerd_server_applications_joined_total",
			Help: "Times that an application was kept as (other applications), since its host had named as many as one may.",
		}),
	}
	d.OnReplaced(dict.Forget)
	return dict
}

// Collectors are the dictionary's figures for Prometheus.
func (d *Dictionary) Collectors() []prometheus.Collector { return []prometheus.Collector{d.joined} }

// statement is SQL and what it is given.
type statement struct {
	sql  string
	args []any
}

// writeAhead adds rows and reads back what there is then, row by row into the
// pointers to, all in one message. It is not waited for to reach the disk: what
// refers to the rows is written by a later transaction, which is waited for, and
// the log is written in order.
func (d *Dictionary) writeAhead(ctx context.Context, what string, add, read statement, to []any, each func()) error {
	batch := &pgx.Batch{}
	d.db.QueueTransaction(batch)
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
	return d.db.SendBatch(ctx, what, batch)
}

// Pending are what is to be remembered once it is certain to be on disk: a crash of
// PostgreSQL could take back what was written ahead, and assign its number to another.
type Pending []func()

func (l *Pending) add(remember func()) { *l = append(*l, remember) }

// Remember remembers them.
func (l *Pending) Remember() {
	for _, f := range *l {
		f()
	}
}

// Forget forgets the numbers of all machines, applications and titles.
func (d *Dictionary) Forget() {
	d.machines.Forget()
	d.apps.Forget()
	d.sweeps.mu.Lock()
	defer d.sweeps.mu.Unlock()
	d.titles.Forget()
	d.sweeps.known = false
}
