package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime/debug"

	"golang.org/x/sync/errgroup"

	"activity-tracker.example/server/internal/config"
	"activity-tracker.example/server/internal/httpserver"
	"activity-tracker.example/server/internal/live"
)

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

// Run runs a server until ctx ends, or until one of its loops fails. version is what
// /metrics call the program.
func Run(ctx context.Context, c config.Config, version string, log *slog.Logger) (err error) {
	collectSeldom(os.Getenv)
	leaving := &leave{delay: c.ShutdownDelay, log: log}
	around := Surroundings{Version: version, Metrics: NewMetrics(), MetricsElsewhere: c.MetricsListen != "", Private: c.Database.URL == "", KeepAccess: c.KeepAccess, KeepBackups: c.KeepBackups, leaving: leaving}
	listener, err := httpserver.Open(ctx, listenerOptions(c, log, around.Metrics))
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	if around.Proxies, err = proxies(c); err != nil {
		return err
	}
	warnOfPlainHTTP(listener, around.Proxies, log)
	if around.Repository, err = Repository(c); err != nil {
		return err
	}
	if around.SSO, err = singleSignOn(c); err != nil {
		return err
	}
	defer around.SSO.Close()
	db, err := OpenDatabase(ctx, c, log, ForServer)
	if errors.Is(err, context.Canceled) {
		log.Info("told to stop before the database was there")
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close(ctx)) }()
	s := &server{config: c, log: log, listener: listener, db: db, around: around}
	return s.run(ctx)
}

// server is the parts of one that runs.
type server struct {
	config   config.Config
	log      *slog.Logger
	listener *httpserver.Listener
	db       *Database
	around   Surroundings
}

// run owns all loops of the server. They end when asked does, or with the first that
// fails.
func (s *server) run(asked context.Context) error {
	leaving, st := s.around.leaving, s.db.Store
	Notify(s.log, "READY=1", "waiting for the database")
	ctx, stop := context.WithCancel(context.WithoutCancel(asked))
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { defer stop(); return leaving.wait(ctx, asked) })
	s.around.Stopping = ctx.Done()
	// The database outlives ctx until the last request is answered.
	drained, allDrained := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() error { return s.db.watch(drained) })
	group.Go(func() error { return st.RunReplica(drained) })
	state := &condition{config: s.config, store: st, leaving: leaving, addr: s.listener.Addr(), every: conditionEvery, log: s.log}
	group.Go(func() error {
		if err := state.begin(ctx); err != nil {
			return err
		}
		group.Go(func() error { return state.follow(ctx) })
		group.Go(func() error { return st.RunCompaction(ctx) })
		group.Go(func() error { return st.Erasures.Run(ctx, s.log) })
		group.Go(func() error { return st.People.RunMoves(ctx, s.log) })
		group.Go(func() error { return st.Heartbeats.Run(drained, s.log) })
		return st.RunMaintenance(ctx)
	})
	board := live.New(st.Reader, live.Options{Hours: st.Policies, Log: s.log})
	// It ends all streams when the server is asked to stop.
	group.Go(func() error { return board.Run(ctx) })
	group.Go(func() error {
		defer allDrained()
		handler, err := NewHandler(st, board, s.log, s.around)
		if err != nil {
			return err
		}
		return s.listener.Serve(ctx, handler)
	})
	group.Go(func() error { return s.listener.Run(ctx) })
	group.Go(func() error { return st.Audit.RunHead(ctx, s.log) })
	group.Go(func() error { return watchOperations(ctx, st, s.around.Metrics, s.log) })
	group.Go(func() error { return serveMetrics(ctx, s.config.MetricsListen, s.around.Metrics, s.log) })
	group.Go(func() error {
		<-ctx.Done()
		Notify(s.log, "STOPPING=1", "finishing the accepted requests")
		return nil
	})
	return group.Wait()
}

// collectSeldom has Go collect garbage less often, unless the environment sets how often.
func collectSeldom(get func(string) string) {
	if get("GOGC") == "" && get("GOMEMLIMIT") == "" {
		debug.SetGCPercent(collectPercent)
		debug.SetMemoryLimit(softMemoryLimit)
	}
}
