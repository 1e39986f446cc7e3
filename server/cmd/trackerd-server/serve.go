package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/httpapi"
	"activity-tracker.example/server/internal/httpserver"
	"activity-tracker.example/server/internal/ingest"
	"activity-tracker.example/server/internal/live"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/store"
)

func serveCommand(s *settings) *cobra.Command {
	var address string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Take in events and answer questions, until told to stop",
		Long: `serve takes in what hosts report and answers the REST API. It listens at once and
answers 503 until the database is there. SIGTERM or Ctrl-C ends it after the
requests that it has accepted. With --shutdown-delay it goes on for that long first,
and only /readyz answers 503, so that a load balancer sends requests elsewhere before
they would be refused; a second signal ends the delay.

It speaks TLS with a certificate from files or from an authority by ACME; without
either it speaks plain HTTP, for a proxy in front of it that does TLS. Each flag
about the network can also come from the environment: --tls-cert as
TRACKERD_SERVER_TLS_CERT, and so on, lists with commas.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.fromEnvironment(os.Getenv); err != nil {
				return usageError{err}
			}
			addr, err := listenAddress(address, os.Getenv)
			if err != nil {
				return err
			}
			if s.firstToken, err = firstTokenToLog(s.firstToken, os.Getenv); err != nil {
				return err
			}
			if err := s.edge.fromEnvironment(cmd, os.Getenv); err != nil {
				return usageError{err}
			}
			return serve(cmd.Context(), s, addr, cmd.ErrOrStderr())
		},
	}
	s.edge.add(cmd)
	cmd.Flags().StringVar(&address, "listen", "", "address to listen on (default \""+defaultListen+"\")")
	cmd.Flags().BoolVar(&s.firstToken, "first-token-to-log", false, "where there is no API token at all, make an administrator's and log it; as "+envFirstToken+"=log")
	return cmd
}

// serve owns all loops of the server. They end when ctx does, or with the first
// that fails.
func serve(ctx context.Context, s *settings, addr string, stderr io.Writer) (err error) {
	log := s.logger(stderr)
	collectSeldom(os.Getenv)
	leaving := &leave{delay: time.Duration(s.edge.shutdownDelay), log: log}
	around := surroundings{leaving: leaving, metrics: newMetrics(), metricsElsewhere: s.edge.metricsListen != ""}
	edge, err := httpserver.Open(ctx, s.edge.options(addr, s.stateDir, log, around.metrics))
	if err != nil {
		return err
	}
	defer func() { _ = edge.Close() }()
	if around.proxies, err = s.edge.trusted(edge, log); err != nil {
		return err
	}
	if around.repository, err = s.edge.agents.repository(s.service); err != nil {
		return err
	}
	s.serving, s.mayMake = true, true
	db, err := openDatabase(ctx, s, log)
	if errors.Is(err, context.Canceled) {
		log.Info("told to stop before the database was there")
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.close(ctx)) }()

	notifyManager(log, "READY=1", "waiting for the database")
	state := &condition{s: s, store: db.store, leaving: leaving, addr: edge.Addr(), every: conditionEvery, log: log}
	told := ctx
	ctx, stop := context.WithCancel(context.WithoutCancel(told))
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { defer stop(); return leaving.wait(ctx, told) })
	around.stopping = ctx.Done()
	// The database outlives ctx until the last request is answered.
	drained, allDrained := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() error { return db.watch(drained) })
	group.Go(func() error { return db.store.RunReplica(drained) })
	group.Go(func() error {
		if err := state.begin(ctx); err != nil {
			return err
		}
		group.Go(func() error { return state.follow(ctx) })
		group.Go(func() error { return db.store.RunCompaction(ctx) })
		return db.store.RunMaintenance(ctx)
	})
	board := live.New(db.store, live.Options{Log: log})
	// It ends all streams when the server is told to stop.
	group.Go(func() error { return board.Run(ctx) })
	group.Go(func() error {
		defer allDrained()
		return edge.Serve(ctx, newHandler(db.store, board, log, around))
	})
	group.Go(func() error { return edge.Run(ctx) })
	group.Go(func() error { return watchOperations(ctx, db.store, around.metrics, log) })
	group.Go(func() error { return s.edge.serveMetrics(ctx, around.metrics, log) })
	group.Go(func() error {
		<-ctx.Done()
		notifyManager(log, "STOPPING=1", "finishing the accepted requests")
		return nil
	})
	return group.Wait()
}

// Go's collector runs each time the heap has doubled, which a server that keeps a
// few megabytes and takes in hundreds each second spends a third of its time on.
const (
	// collectPercent is by how much the heap may grow between two collections,
	// in percent of what is alive.
	collectPercent = 400
	// softMemoryLimit is the memory from which on it is collected more often, in
	// bytes: several times what a server at work keeps alive.
	softMemoryLimit = 512 << 20
)

// collectSeldom has Go collect garbage less often, unless the environment says how.
func collectSeldom(get func(string) string) {
	if get("GOGC") == "" && get("GOMEMLIMIT") == "" {
		debug.SetGCPercent(collectPercent)
		debug.SetMemoryLimit(softMemoryLimit)
	}
}

func newMetrics() *prometheus.Registry {
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return metrics
}

// newHandler joins the parts.
func newHandler(s *store.Store, board *live.Board, log *slog.Logger, around surroundings) http.Handler {
	metrics := around.metrics
	metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "trackerd_server_live_streams", Help: "Streams of GET /api/live that are open.",
	}, func() float64 { return float64(board.Watchers()) }))
	metrics.MustRegister(s.Collectors()...)
	metrics.MustRegister(buildInfo())
	if s.ReplicaState().Configured {
		metrics.MustRegister(replicaMetrics(s)...)
	}
	guard := auth.NewGuard(s, auth.NewFailures(auth.FailureBurst, auth.FailureEvery, time.Now))
	in := ingest.New(s, guard, log, metrics, time.Now)
	return httpapi.New(httpapi.Parts{
		Reports: report.New(s, time.Now), Guard: guard, Live: board,
		Events: in.Events, Enroll: in.Enroll, Repository: around.repository, Ready: around.leaving.unlessLeaving(s.Ready),
		Log: log, Metrics: metrics, MetricsElsewhere: around.metricsElsewhere,
		Proxies: around.proxies, Stopping: around.stopping,
	})
}

func replicaMetrics(s *store.Store) []prometheus.Collector {
	gauge := func(name, help string, value func(store.ReplicaState) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return value(s.ReplicaState()) })
	}
	return []prometheus.Collector{
		gauge("trackerd_server_replica_in_use", "1 while reports are read from the replica, 0 while the primary answers instead.",
			func(r store.ReplicaState) float64 {
				if r.InUse {
					return 1
				}
				return 0
			}),
		gauge("trackerd_server_replica_lag_seconds", "How far the replica was behind at the last look; about a second is usual.",
			func(r store.ReplicaState) float64 { return r.Lag.Seconds() }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "trackerd_server_replica_retried_total", Help: "Reads that the replica failed and the primary answered.",
		}, func() float64 { return float64(s.ReplicaState().Retried) }),
	}
}
