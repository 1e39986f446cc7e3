// Sessiond counts what one X session's user does, and tells it to the host
// daemon over the socket that it was started with. It is started by trackerd,
// as the session's user, and by nobody else.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/internal/counting"
	"activity-tracker.example/sessiond/internal/loop"
	"activity-tracker.example/sessiond/internal/x11"
)

// version is set by the linker.
var version = "dev"

// Exit codes.
const (
	exitOK       = 0 // X went away, the daemon closed the socket, or SIGTERM
	exitInternal = 1 // what should not happen
	exitUsage    = 2 // wrong flags, or standard input is not the daemon's socket
	exitDisplay  = 3 // the display could not be opened within 30 s, or has no XInput 2.1
	exitProtocol = 4 // the X server stopped answering or broke the protocol
)

func main() {
	code, message := run(os.Args[1:])
	out := os.Stdout
	if code != exitOK {
		out, message = os.Stderr, "sessiond: "+message+"\n"
	}
	_, _ = out.WriteString(message) // there is nowhere else to say it
	os.Exit(code)
}

func run(args []string) (code int, message string) {
	f, err := parseFlags(args)
	switch {
	case err != nil:
		return exitUsage, err.Error() + " (see sessiond --help)"
	case f.help:
		return exitOK, usage
	case f.version:
		return exitOK, "sessiond " + version + "\n"
	}
	if err := checkSocket(unix.Stdin); err != nil {
		return exitUsage, err.Error()
	}
	if err := harden(); err != nil {
		return exitInternal, err.Error()
	}
	// One thread runs Go code: the loop is one goroutine, and a second
	// processor would only add threads that wake to look for work.
	runtime.GOMAXPROCS(1)
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer stop()
	cookie := authority()
	err = loop.Run(ctx, loop.Options{
		Open: func(now func() counting.Instant) (loop.Source, error) {
			return x11.Open(x11.Options{
				Display:   f.display,
				Authority: cookie,
				Titles:    !f.noTitles,
				Now:       now,
				IdleAfter: counting.Instant(f.idleAfter / time.Millisecond),
			})
		},
		Final:    x11.ErrNoXInput,
		Gone:     x11.ErrGone,
		Interval: f.interval,
		Socket:   unix.Stdin,
	})
	return exitCode(err)
}

func exitCode(err error) (code int, message string) {
	var open *loop.OpenError
	switch {
	case err == nil:
		return exitOK, ""
	case errors.As(err, &open):
		return exitDisplay, err.Error()
	case errors.Is(err, x11.ErrNonsense), errors.Is(err, x11.ErrSilent):
		return exitProtocol, err.Error()
	default:
		return exitInternal, err.Error()
	}
}

// authority says where this user's X cookie may be. Without one the server lets
// the session's user in by user id. From here on the environment names no such
// file: xgb would read one by itself, without bounds, for a greeting that is
// never sent, and refuse to work if it dislikes what it finds.
func authority() x11.Authority {
	var a x11.Authority
	a.Hostname, _ = os.Hostname() // unknown: any host's entry will do
	if a.File = os.Getenv("XAUTHORITY"); a.File == "" {
		if home := os.Getenv("HOME"); home != "" {
			a.File = filepath.Join(home, ".Xauthority")
		}
	}
	for _, name := range []string{"XAUTHORITY", "HOME"} {
		_ = os.Unsetenv(name) // never fails for these names
	}
	return a
}

// socketError says that standard input is not what trackerd passes.
type socketError struct{}

func (socketError) Error() string {
	return "standard input is not a SOCK_SEQPACKET unix socket: sessiond is started by trackerd, not by hand"
}

func checkSocket(fd int) error {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil || domain != unix.AF_UNIX {
		return socketError{}
	}
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || kind != unix.SOCK_SEQPACKET {
		return socketError{}
	}
	return nil
}

// harden keeps the user's other processes from reading this one's memory or
// speaking through it (ptrace, /proc/PID/mem, /proc/PID/fd), and this one from
// gaining rights.
func harden() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return errors.Join(errors.New("forbidding core dumps and ptrace"), err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return errors.Join(errors.New("giving up new privileges"), err)
	}
	return nil
}
