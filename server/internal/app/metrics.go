package app

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"activity-tracker.example/server/internal/live"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/rooms"
)

// NewMetrics returns a registry with the figures of the process.
func NewMetrics() *prometheus.Registry {
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return metrics
}

// buildInfo names the version that runs.
func buildInfo(version string) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "trackerd_server_build_info", Help: "1, with the version that runs.",
		ConstLabels: prometheus.Labels{"version": version, "go": runtime.Version()},
	}, func() float64 { return 1 })
}

func liveStreams(board *live.Board) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "trackerd_server_live_streams", Help: "Streams of GET /api/live that are open.",
	}, func() float64 { return float64(board.Watchers()) })
}

func replicaMetrics(s *rooms.Store) []prometheus.Collector {
	gauge := func(name, help string, value func(db.ReplicaState) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return value(s.ReplicaState()) })
	}
	return []prometheus.Collector{
		gauge("trackerd_server_replica_in_use", "1 while reports are read from the replica, 0 while the primary answers instead.",
			func(r db.ReplicaState) float64 {
				if r.InUse {
					return 1
				}
				return 0
			}),
		gauge("trackerd_server_replica_lag_seconds", "How far the replica was behind at the last look; about a second is usual.",
			func(r db.ReplicaState) float64 { return r.Lag.Seconds() }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "trackerd_server_replica_retried_total", Help: "Reads that the replica failed and the primary answered.",
		}, func() float64 { return float64(s.ReplicaState().Retried) }),
	}
}
