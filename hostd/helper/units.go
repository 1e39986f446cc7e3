package helper

import (
	"context"
	"os"
	"time"

	"activity-tracker.example/hostd/roster"
)

// Unit is one helper as the service manager is asked to run it.
type Unit struct {
	// Name is the unit's, such as "trackerd-session-c1.service".
	Name string
	// Description is one line for people.
	Description string
	// UID is the session's user, as whom it runs unless Source is the seat.
	UID uint32
	// Source decides in which sandbox it runs.
	Source roster.Source
	// Command is the program's absolute path and its arguments.
	Command []string
	// Limit ends it after so long; 0 is a helper, which never ends by itself.
	Limit time.Duration
	// Calls are system calls that one with a limit needs beyond a helper's.
	Calls []string
	// Socket becomes the program's standard input, or the output where it confines
	// itself.
	Socket *os.File
}

// Units is the service manager: Systemd in production.
type Units interface {
	// Start starts the unit, replacing one of that name that is left over, and
	// returns once its program runs.
	Start(ctx context.Context, u Unit) error
	// Stop ends the unit of that name and returns once it is gone, which may
	// take stopTimeout. It is no error if there is none.
	Stop(ctx context.Context, name string) error
	// Command returns the command line of the unit of that name, or nothing if
	// it does not run.
	Command(ctx context.Context, name string) ([]string, error)
}

// Store keeps descriptors across restarts of the daemon: *notify.Client in
// production.
type Store interface {
	StoreFD(name string, f *os.File) error
	RemoveFD(name string) error
}
