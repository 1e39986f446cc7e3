// Command trackerd-server keeps what hosts report and answers over a REST API.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"activity-tracker.example/server/internal/app"
)

// version is set when a package is built.
var version = "development"

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := newCommand().ExecuteContext(ctx)
	tell(err, os.Stderr)
	return exitCode(err)
}

// tell says why a command failed, to systemd as well: systemctl status shows no log of
// a start that failed while the next one is waited for.
func tell(err error, stderr io.Writer) {
	if err == nil || errors.As(err, new(foundError)) {
		return
	}
	_, _ = fmt.Fprintln(stderr, "trackerd-server:", err)
	app.Notify(slog.New(slog.DiscardHandler), "", "failed: "+err.Error())
}
