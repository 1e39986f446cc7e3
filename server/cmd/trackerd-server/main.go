// Command trackerd-server keeps what hosts report and answers over a REST API.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// version is set when a package is built.
var version = "development"

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := newCommand().ExecuteContext(ctx)
	var found foundError
	if err != nil && !errors.As(err, &found) {
		fmt.Fprintln(os.Stderr, "trackerd-server:", err)
	}
	return exitCode(err)
}
