package db

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Collectors are the figures of the connections for Prometheus.
func (d *DB) Collectors() []prometheus.Collector {
	return []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "trackerd_server_database_connections_in_use", Help: "Database connections that are working."},
			func() float64 { return float64(d.pool.Stat().AcquiredConns()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "trackerd_server_database_connections_max", Help: "Database connections that there may be."},
			func() float64 { return float64(d.pool.Stat().MaxConns()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "trackerd_server_database_waits_total", Help: "Times that a database connection had to be waited for."},
			func() float64 { return float64(d.pool.Stat().EmptyAcquireCount()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "trackerd_server_database_wait_seconds_total", Help: "Time spent on waiting for database connections."},
			func() float64 { return d.pool.Stat().EmptyAcquireWaitTime().Seconds() }),
	}
}
