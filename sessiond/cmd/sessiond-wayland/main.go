// Command sessiond-wayland measures which window of one Wayland session has the
// focus, and reports it to the host daemon over the socket that it was started with. It
// is started by trackerd, as the session's user, and by nobody else.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"runtime"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/internal/counting"
	"activity-tracker.example/sessiond/internal/focus"
	"activity-tracker.example/sessiond/internal/launch"
	"activity-tracker.example/sessiond/internal/loop"
	"activity-tracker.example/sessiond/internal/wayland"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(launch.Main("sessiond-wayland", run)) }

func run(args []string) (code int, message string) {
	f, err := parseFlags(args)
	if code, message, answered := f.Answer("sessiond-wayland", usage, version, err); answered {
		return code, message
	}
	if err := launch.CheckSocket(unix.Stdin, "sessiond-wayland"); err != nil {
		return launch.ExitUsage, err.Error()
	}
	if err := launch.Harden(); err != nil {
		return launch.ExitInternal, err.Error()
	}
	runtime.GOMAXPROCS(1) // one thread runs Go code: there is little to do
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer stop()
	err = loop.Run(ctx, loop.Options{
		Open: func(now func() counting.Instant) (loop.Source, error) {
			return focus.Open(focus.Options{Place: f.place, Titles: !f.NoTitles, KWinScript: f.kwinScript, Now: now})
		},
		Gone:     wayland.ErrGone,
		Timeless: true,
		Interval: f.Interval, ReportEvery: f.ReportEvery,
		Socket: unix.Stdin,
	})
	return exitCode(err)
}

func exitCode(err error) (code int, message string) {
	var open *loop.OpenError
	switch {
	case err == nil:
		return launch.ExitOK, ""
	case errors.As(err, &open):
		return launch.ExitOpen, err.Error()
	case errors.Is(err, wayland.ErrNonsense), errors.Is(err, wayland.ErrSilent):
		return launch.ExitProtocol, err.Error()
	default:
		return launch.ExitInternal, err.Error()
	}
}
