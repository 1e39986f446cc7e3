package events

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the figures of writing and of the connections.
type metrics struct {
	groupEvents, groupBatches, groupSeconds prometheus.Histogram
	groupFailures, copiesRefused            prometheus.Counter
}

func newMetrics() *metrics {
	return &metrics{
		groupEvents: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "trackerd_server_group_events",
			Help:    "Events in a transaction of batches that arrived together.",
			Buckets: []float64{1, 10, 100, 500, 1000, 2500, 5000, 10000},
		}),
		groupBatches: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "trackerd_server_group_batches",
			Help:    "Batches in such a transaction.",
			Buckets: []float64{1, 2, 5, 10, 25, 50, 100, 250, 1000},
		}),
		groupSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "trackerd_server_group_commit_seconds",
			Help:    "How long such a transaction took, until it was durable.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, 1, 5, 10},
		}),
		groupFailures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "trackerd_server_group_failures_total",
			Help: "Such transactions that failed; nothing of them was acknowledged.",
		}),
		copiesRefused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "trackerd_server_copies_refused_total",
			Help: "Such transactions of a spread database that were written again, since a node refused to take rows as new.",
		}),
	}
}

// measured notes what writing groups of batches takes.
func (m *metrics) measured(write func(context.Context, []Batch) ([]Written, error)) func(context.Context, []Batch) ([]Written, error) {
	return func(ctx context.Context, batches []Batch) ([]Written, error) {
		start := time.Now()
		written, err := write(ctx, batches)
		if err != nil {
			m.groupFailures.Inc()
			return written, err
		}
		events := 0
		for i := range batches {
			events += len(batches[i].Events)
		}
		m.groupEvents.Observe(float64(events))
		m.groupBatches.Observe(float64(len(batches)))
		m.groupSeconds.Observe(time.Since(start).Seconds())
		return written, nil
	}
}

// waiting is how much waits to be written.
func (g *group) waiting() (batches, events int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.queue), g.queued
}

// Collectors are the figures of writing for Prometheus.
func (w *Writer) Collectors() []prometheus.Collector {
	return []prometheus.Collector{
		w.metrics.groupEvents, w.metrics.groupBatches, w.metrics.groupSeconds, w.metrics.groupFailures, w.metrics.copiesRefused,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "trackerd_server_queue_events", Help: "Events that wait to be written."},
			func() float64 { _, n := w.group.waiting(); return float64(n) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "trackerd_server_queue_batches", Help: "Batches that wait to be written."},
			func() float64 { n, _ := w.group.waiting(); return float64(n) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "trackerd_server_queue_events_max", Help: "Events that may wait; beyond them hosts get 503."},
			func() float64 { return queuedEvents }),
	}
}
