// Command trackerd-server keeps what hosts report and answers over a REST API.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"activity-tracker.example/server/internal/cli"
)

// version is set when a package is built.
var version = "development"

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return cli.Execute(ctx, version, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
}
