// Command sessiond counts what one X session's user does, and reports it to the host
// daemon over the socket that it was started with. It is started by trackerd,
// as the session's user, and by nobody else.
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
	"activity-tracker.example/sessiond/internal/x11"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(launch.Main("sessiond", run)) }

func run(args []string) (code int, message string) {
	f, err := parseFlags(args)
	if code, message, answered := f.Answer("sessiond", usage, version, err); answered {
		return code, message
	}
	socket, confine, err := launch.Socket("sessiond")
	if err != nil {
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
	cookie := authority()
	if confine {
		if err := launch.Confine(cookie.Files); err != nil {
			return launch.ExitInternal, err.Error()
		}
	}
	err = loop.Run(ctx, loop.Options{
		Open: func(now func() counting.Instant) (loop.Source, error) {
			return open(f, cookie, confine, now)
		},
		Final:    []error{x11.ErrNoXInput, errEnclosed},
		Gone:     x11.ErrGone,
		Interval: f.Interval, ReportEvery: f.ReportEvery,
		Socket: socket,
	})
	return exitCode(err)
}

// errEnclosed reports that this process has given up what opening a display needs.
var errEnclosed = errors.New("no second try from within the sandbox")

func open(f flags, cookie x11.Authority, confine bool, now func() counting.Instant) (loop.Source, error) {
	enclosed := false
	d, err := x11.Open(x11.Options{
		Display:   f.display,
		Authority: cookie,
		Titles:    !f.NoTitles,
		NoInput:   f.noInput,
		NeedWM:    f.needWM,
		Now:       now,
		IdleAfter: counting.Instant(f.IdleAfter / time.Millisecond),
		LetIn: func() error {
			if !confine {
				return nil
			}
			enclosed = true
			return launch.Enclose()
		},
	})
	if err != nil && enclosed {
		return nil, errors.Join(errEnclosed, err)
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

func exitCode(err error) (code int, message string) {
	var open *loop.OpenError
	switch {
	case err == nil:
		return launch.ExitOK, ""
	case errors.As(err, &open):
		return launch.ExitOpen, err.Error()
	case errors.Is(err, x11.ErrNonsense), errors.Is(err, x11.ErrSilent):
		return launch.ExitProtocol, err.Error()
	default:
		return launch.ExitInternal, err.Error()
	}
}

// authority reports where this user's X cookie may be. Without one the server lets
// the session's user in by user id. From here on the environment names no such
// file: xgb would read one by itself, without bounds, for a greeting that is
// never sent, and refuse to work if it dislikes what it finds.
func authority() x11.Authority {
	a := x11.UsersAuthority()
	for _, name := range []string{"XAUTHORITY", "HOME"} {
		_ = os.Unsetenv(name) // never fails for these names
	}
	return a
}
