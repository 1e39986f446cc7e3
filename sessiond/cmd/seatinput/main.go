// Command seatinput counts what the hands at one seat do, and reports to the host
// daemon over the socket that it was started with. It is started by trackerd, as a user of its
// own that may read input devices and nothing else, while a session whose display
// does not show its input to others is in front.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/internal/counting"
	"activity-tracker.example/sessiond/internal/launch"
	"activity-tracker.example/sessiond/internal/loop"
	"activity-tracker.example/sessiond/internal/seat"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(launch.Main("seatinput", run)) }

func run(args []string) (code int, message string) {
	f, err := parseFlags(args)
	if code, message, answered := f.Answer("seatinput", usage, version, err); answered {
		return code, message
	}
	if err := launch.CheckSocket(unix.Stdin, "seatinput"); err != nil {
		return launch.ExitUsage, err.Error()
	}
	if err := launch.Harden(); err != nil {
		return launch.ExitInternal, err.Error()
	}
	// One thread runs Go code: the loop is one goroutine, and a second
	// processor would only add threads that wake to look for work.
	runtime.GOMAXPROCS(1)
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer stop()
	return exitCode(count(ctx, f))
}

func count(ctx context.Context, f flags) error {
	return loop.Run(ctx, loop.Options{
		Open: func(now func() counting.Instant) (loop.Source, error) {
			return seat.Open(seat.Options{
				Seat:      f.seat,
				VT:        f.vt,
				Real:      f.real,
				Now:       now,
				IdleAfter: counting.Instant(f.IdleAfter / time.Millisecond),
				Places:    seat.SystemPlaces(),
			})
		},
		Final:    []error{seat.ErrTerminal},
		Interval: f.Interval, ReportEvery: f.ReportEvery,
		Socket: unix.Stdin,
	})
}

func exitCode(err error) (code int, message string) {
	switch {
	case err == nil:
		return launch.ExitOK, ""
	case errors.Is(err, seat.ErrTerminal):
		return launch.ExitOpen, err.Error()
	default:
		return launch.ExitInternal, err.Error()
	}
}
