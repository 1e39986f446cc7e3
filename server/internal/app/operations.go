package app

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"activity-tracker.example/server/internal/store/inspect"
	"activity-tracker.example/server/internal/store/rooms"
)

// lookEvery is how often the database as a whole is looked at for /metrics: scrapes
// may come as often as they like, and each look reads all machines.
const lookEvery = time.Minute

// lookRetry is how soon the next look follows one that failed, as the first does
// until the schema is there.
const lookRetry = 2 * time.Second

// operations are figures of the database as a whole, from the last look at it.
type operations struct {
	look   func(context.Context) (inspect.Look, error)
	log    *slog.Logger
	latest atomic.Pointer[inspect.Look]

	up, machines, hosts, newest                     *prometheus.Desc
	pictures, pictureBytes                          *prometheus.Desc
	partitions, from, until, defaultRows, tableSize *prometheus.Desc
}

func newOperations(look func(context.Context) (inspect.Look, error), log *slog.Logger) *operations {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("trackerd_server_"+name, help, labels, nil)
	}
	return &operations{
		look: look, log: log,
		up:       desc("database_up", "1 if the last look at the database succeeded; there is one a minute."),
		machines: desc("machines", "Machines that have ever reported."),
		hosts:    desc("hosts", "Enrolled hosts by how long nothing has come from them.", "silent"),
		newest: desc("newest_event_timestamp_seconds",
			"When the newest event began, in Unix seconds. Sums for reports are written with their events and are never behind them."),
		pictures:     desc("screenshots", "Pictures of screens that are kept."),
		pictureBytes: desc("screenshots_bytes", "How much all pictures of screens take."),
		partitions:   desc("partitions", "Partitions by table.", "table"),
		from:         desc("partitions_from_timestamp_seconds", "Where a table's first partition begins, in Unix seconds: for event the oldest day that is not compacted.", "table"),
		until:        desc("partitions_until_timestamp_seconds", "Until when a table has partitions, in Unix seconds.", "table"),
		defaultRows:  desc("default_partition_rows", "Rows, estimated, that belong to no partition of their own.", "table"),
		tableSize:    desc("table_bytes", "A table's size on disk with all its indexes.", "table"),
	}
}

// run looks until ctx ends.
func (o *operations) run(ctx context.Context) error {
	for {
		wait := lookEvery
		look, err := o.look(ctx)
		if err != nil {
			wait = lookRetry
			o.latest.Store(nil)
			o.log.Debug("looking at the database for /metrics failed", "error", err)
		} else {
			o.latest.Store(&look)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// Describe implements prometheus.Collector.
func (o *operations) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{o.up, o.machines, o.hosts, o.newest, o.pictures, o.pictureBytes, o.partitions, o.from, o.until, o.defaultRows, o.tableSize} {
		ch <- d
	}
}

// Collect implements prometheus.Collector: what is not known is left out.
func (o *operations) Collect(ch chan<- prometheus.Metric) {
	send := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	l := o.latest.Load()
	if l == nil {
		send(o.up, 0)
		return
	}
	send(o.up, 1)
	send(o.machines, float64(l.Machines))
	send(o.pictures, float64(l.Pictures))
	send(o.pictureBytes, float64(l.PictureBytes))
	for silent, n := range map[string]int64{
		"under_1h": l.Hosts.Hour, "1h_to_1d": l.Hosts.Day, "1d_to_7d": l.Hosts.Week, "over_7d": l.Hosts.Longer, "never_heard": l.Hosts.Never,
	} {
		send(o.hosts, float64(n), silent)
	}
	if !l.Newest.IsZero() {
		send(o.newest, float64(l.Newest.Unix()))
	}
	for _, t := range l.Tables {
		send(o.partitions, float64(t.Partitions), t.Name)
		send(o.defaultRows, float64(t.Strays), t.Name)
		send(o.tableSize, float64(t.Bytes), t.Name)
		if t.Partitions > 0 {
			send(o.from, float64(t.From.Unix()), t.Name)
			send(o.until, float64(t.Until.Unix()), t.Name)
		}
	}
}

// watchOperations looks at a store for /metrics until ctx ends.
func watchOperations(ctx context.Context, s *rooms.Store, metrics prometheus.Registerer, log *slog.Logger) error {
	o := newOperations(s.Look, log)
	metrics.MustRegister(o)
	return o.run(ctx)
}
