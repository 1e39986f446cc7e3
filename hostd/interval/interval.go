// Package interval adds up what the sessions' helpers report into one record
// per machine_id and interval. It is pure: no clock, no file, no socket. Time
// is passed in, and everything it must remember is plain data that its owner
// stores and hands back, so that a restarted daemon continues exactly.
//
// Helpers report totals, so a reading is worth what it adds to what was already
// counted of the same helper (see Account). Where it counts is decided once:
// in the first interval, from the reading's own on, that was not handed out
// yet (see Machine). Hence no count is lost and no record is made twice,
// whatever is late, repeated or missing, and wherever the clock jumps.
package interval

import (
	"time"

	"activity-tracker.example/server/api"
)

const (
	// DefaultGrace is how long, in wall time after its end, an interval waits
	// for sessions that have not reported past it. Helpers report at the
	// boundary itself, and a busy host delays them by a second or two; a
	// helper that is silent for longer is being restarted.
	DefaultGrace = 10 * time.Second
	// MaxLate is how far behind the daemon's clock a reading's own interval is
	// believed: a daemon that was stopped for a day reads on where it stopped.
	// Anything older is a clock that was set, or a helper that lies.
	MaxLate = 24 * time.Hour
	// AccountKept is how long the account of an ended session is kept after
	// its last reading: its socket may still hold reports, and counting them
	// without the account would count them twice.
	AccountKept = time.Hour
)

// Options are the fixed terms of a Ledger.
type Options struct {
	// Length of an interval: whole seconds, 5 to 3600, a divisor of 3600.
	Length time.Duration
	// IdleAfter without real input at the interval's end makes it idle.
	IdleAfter time.Duration
	// Grace is how long an interval is kept open for late sessions; zero means
	// DefaultGrace.
	Grace time.Duration
	// Epoch is when the store that remembers the accounts was made. A helper
	// that is older and unknown was counted by an earlier store: its totals so
	// far are taken as counted. Zero, or after now (the clock was set back):
	// no such moment.
	Epoch time.Time
	// Floor is when an earlier store was lost: no record starts before it,
	// since the lost store may have handed that interval out. Zero, or after
	// now: no such moment.
	Floor time.Time
	// Missing is in how many seconds of a stretch of time (seconds UTC) nothing was
	// collected by rule; nil: in none.
	Missing func(machineID string, from, until int64) int64
}

// Key identifies a record: it becomes the event's identity on the server.
type Key struct {
	MachineID string
	// StartUnix is the start of the interval, seconds UTC.
	StartUnix int64
}

// Sealed is a finished record.
type Sealed struct {
	Event api.Event
	// UID is whose record it is, for figures that the host knows by user.
	UID uint32
}
