package helper

import (
	"context"
	"os"

	"activity-tracker.example/hostd/unit"
)

// Units is the service manager: unit.Systemd in production.
type Units interface {
	// Start starts the unit, replacing one of that name that is left over, and
	// returns once its program runs.
	Start(ctx context.Context, u unit.Unit) error
	// Stop ends the unit of that name and returns once it is gone, which may
	// take two seconds. It is no error if there is none.
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
