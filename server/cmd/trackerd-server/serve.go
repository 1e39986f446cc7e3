package main

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"activity-tracker.example/server/internal/app"
	"activity-tracker.example/server/internal/httpserver"
	"activity-tracker.example/server/internal/live"
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
	leaving := &app.Leave{Delay: time.Duration(s.edge.shutdownDelay), Log: log}
	around := app.Surroundings{Version: version, Leaving: leaving, Metrics: app.NewMetrics(), MetricsElsewhere: s.edge.metricsListen != ""}
	edge, err := httpserver.Open(ctx, s.edge.options(addr, s.stateDir, log, around.Metrics))
	if err != nil {
		return err
	}
	defer func() { _ = edge.Close() }()
	if around.Proxies, err = s.edge.trusted(edge, log); err != nil {
		return err
	}
	if around.Repository, err = s.edge.agents.repository(s.service); err != nil {
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

	app.Notify(log, "READY=1", "waiting for the database")
	state := &condition{s: s, store: db.store, leaving: leaving, addr: edge.Addr(), every: conditionEvery, log: log}
	told := ctx
	ctx, stop := context.WithCancel(context.WithoutCancel(told))
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { defer stop(); return leaving.Wait(ctx, told) })
	around.Stopping = ctx.Done()
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
		return edge.Serve(ctx, app.NewHandler(db.store, board, log, around))
	})
	group.Go(func() error { return edge.Run(ctx) })
	group.Go(func() error { return app.WatchOperations(ctx, db.store, around.Metrics, log) })
	group.Go(func() error { return s.edge.serveMetrics(ctx, around.Metrics, log) })
	group.Go(func() error {
		<-ctx.Done()
		app.Notify(log, "STOPPING=1", "finishing the accepted requests")
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
