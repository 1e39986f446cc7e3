// Package unit runs helpers, and other programs in a session, in sandboxes: as transient
// units of systemd's, or as children where one person runs the daemon.
package unit

import (
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
