package cli

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"activity-tracker.example/server/internal/servertest"
)

func TestMain(m *testing.M) {
	testscript.Main(servertest.Cluster{M: m}, map[string]func(){
		"trackerd-server": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			code := Execute(ctx, "development", os.Args[1:], Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
			stop()
			os.Exit(code)
		},
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			// Short enough for a socket, and open to PostgreSQL's account.
			state := t.TempDir()
			if err := os.Chmod(filepath.Dir(state), 0o711); err != nil {
				return err
			}
			env.Setenv("STATE", state)
			env.Setenv("HOME", filepath.Join(state, "home"))
			return nil
		},
	})
}

// What is no UTF-8 is answered as what does not exist is, and not by PostgreSQL.
func TestNoUTF8(t *testing.T) {
	databaseURL := servertest.NewDatabase(t)
	servertest.New(t, databaseURL)
	wantError(t, "there is no such token", "token", "revoke", "a\xff", "--database-url", databaseURL)
	wantError(t, "there is no such token", "enrollment", "revoke", "a\xff", "--database-url", databaseURL)
	wantError(t, "there is no host", "host", "revoke", "a\xff", "--database-url", databaseURL)
	wantError(t, "printable", "token", "create", "--name", "a\xff", "--role", "viewer", "--database-url", databaseURL)
}
