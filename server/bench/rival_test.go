package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"
)

// rivalEnv makes the test program another server, which is measured as a process
// of its own like ours: its value is the address to listen on. rivalKindEnv names
// which.
const (
	rivalEnv     = "TRACKERD_SERVER_BENCH_RIVAL"
	rivalKindEnv = "TRACKERD_SERVER_BENCH_RIVAL_KIND"
)

// rivalKind is what another server does.
type rivalKind string

const (
	// rivalPlain is the plain design.
	rivalPlain rivalKind = "plain"
	// rivalCopies only stores.
	rivalCopies rivalKind = "copies"
	// rivalNothing answers: what HTTP alone costs on this machine.
	rivalNothing rivalKind = "nothing"
)

// serveUntil bounds a rival that was left behind.
const serveUntil = 10 * time.Minute

func TestMain(m *testing.M) {
	code := 0
	if address := os.Getenv(rivalEnv); address == "" {
		code = m.Run()
	} else if err := serveRival(address, rivalKind(os.Getenv(rivalKindEnv)), os.Getenv("DATABASE_URL")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func serveRival(address string, kind rivalKind, databaseURL string) error {
	ctx, cancel := context.WithTimeout(context.Background(), serveUntil)
	defer cancel()
	all, ctx := errgroup.WithContext(ctx)
	var handler http.Handler
	switch kind {
	case rivalNothing:
		handler = http.HandlerFunc(nothing)
	case rivalCopies:
		c := &copies{waiting: make(chan *copied, clients)}
		all.Go(func() error { return c.run(ctx, databaseURL) })
		handler = c
	case rivalPlain:
		config, err := pgxpool.ParseConfig(databaseURL)
		if err != nil {
			return err
		}
		config.MaxConns = clients
		pool, err := pgxpool.NewWithConfig(ctx, config)
		if err != nil {
			return err
		}
		defer pool.Close()
		handler = plain{pool}
	default:
		return fmt.Errorf("unknown rival %q", kind)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: serveUntil}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	all.Go(func() error {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	return all.Wait()
}
