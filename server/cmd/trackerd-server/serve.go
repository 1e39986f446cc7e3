package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/ingest"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/store"
	"activity-tracker.example/server/internal/web"
)

const (
	// readHeaderTimeout and readTimeout bound how slowly a request may come:
	// the largest batch takes a minute at 70 kB/s.
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 60 * time.Second
	// writeTimeout bounds a whole request with its reply.
	writeTimeout = 90 * time.Second
	// idleTimeout keeps a connection between two uploads of the shortest
	// usual period.
	idleTimeout = 120 * time.Second
	// maxHeaderBytes is plenty for a bearer token.
	maxHeaderBytes = 16 << 10
	// drainTimeout bounds finishing accepted requests at the end.
	drainTimeout = 20 * time.Second
)

func serveCommand(s *settings) *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Take in events and answer questions, until told to stop",
		Long: `serve takes in what hosts report and answers the REST API. It listens at once and
answers 503 until the database is there. SIGTERM or Ctrl-C ends it after the
requests that it has accepted.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.fromEnvironment(os.Getenv); err != nil {
				return usageError{err}
			}
			addr, err := listenAddress(listen, os.Getenv)
			if err != nil {
				return err
			}
			if s.firstToken, err = firstTokenToLog(s.firstToken, os.Getenv); err != nil {
				return err
			}
			return serve(cmd.Context(), s, addr, cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "", "address to listen on (default \""+defaultListen+"\")")
	cmd.Flags().BoolVar(&s.firstToken, "first-token-to-log", false, "where there is no API token at all, make an administrator's and log it")
	return cmd
}

// serve owns all loops of the server. They end when ctx does, or with the first
// that fails.
func serve(ctx context.Context, s *settings, addr string, stderr io.Writer) (err error) {
	log := s.logger(stderr)
	collectSeldom(os.Getenv)
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("listening on %s: %w (another address: --listen)", addr, err)
	}
	defer func() { _ = listener.Close() }()
	s.serving = true
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
	group, ctx := errgroup.WithContext(ctx)
	// The database outlives ctx until the last request is answered.
	drained, allDrained := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() error { return db.watch(drained) })
	group.Go(func() error { return db.store.RunReplica(drained) })
	group.Go(func() error {
		if err := db.store.Prepare(ctx); err != nil && ctx.Err() == nil {
			return s.explain(err)
		}
		if ctx.Err() == nil {
			log.Info("ready", "listen", listener.Addr().String())
			notifyManager(log, "", "answering on "+listener.Addr().String())
			if s.firstToken {
				announceFirstToken(ctx, db.store, log)
			}
		}
		return db.store.RunMaintenance(ctx)
	})
	group.Go(func() error {
		defer allDrained()
		return listenAndAnswer(ctx, listener, newHandler(db.store, log), log)
	})
	if err = group.Wait(); err != nil {
		notifyManager(log, "", "failed: "+err.Error())
	}
	return err
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

// newHandler joins the parts.
func newHandler(s *store.Store, log *slog.Logger) http.Handler {
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	metrics.MustRegister(connectionGauges(s)...)
	if s.ReplicaState().Configured {
		metrics.MustRegister(replicaMetrics(s)...)
	}
	guard := auth.NewGuard(s, auth.NewFailures(auth.FailureBurst, auth.FailureEvery, time.Now))
	in := ingest.New(s, guard, log, metrics, time.Now)
	return web.New(web.Parts{
		Reports: report.New(s, time.Now), Guard: guard,
		Events: in.Events, Enroll: in.Enroll, Ready: s.Ready,
		Log: log, Metrics: metrics,
	})
}

func connectionGauges(s *store.Store) []prometheus.Collector {
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	return []prometheus.Collector{
		gauge("trackerd_server_database_connections_in_use", "Database connections that are working.",
			func() float64 { n, _ := s.Stat(); return float64(n) }),
		gauge("trackerd_server_database_connections_max", "Database connections that there may be.",
			func() float64 { _, n := s.Stat(); return float64(n) }),
	}
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

// listenAndAnswer answers until ctx ends, then finishes what it has accepted.
func listenAndAnswer(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout,
		WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeaderBytes,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
		notifyManager(log, "STOPPING=1", "finishing the accepted requests")
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	err := server.Shutdown(drain)
	if err != nil {
		err = errors.Join(fmt.Errorf("finishing the accepted requests: %w", err), server.Close())
	}
	if serveErr := <-failed; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	return err
}
