package helper

import (
	"time"

	"activity-tracker.example/hostd/roster"
	"activity-tracker.example/sessiond/wire"
)

// Phase is what a helper is doing.
type Phase string

// The phases of a helper.
const (
	PhaseStarting Phase = "starting" // its unit is being started
	PhaseRunning  Phase = "running"  // it is being read
	PhaseWaiting  Phase = "waiting"  // it ended and will be started again
	PhaseLeaving  Phase = "leaving"  // its session is over
)

// State is one helper as trackctl shows it.
type State struct {
	Session roster.Tracked
	// Unit is the systemd unit's name.
	Unit  string
	Phase Phase
	// Since is when the phase began.
	Since time.Time
	// LastReport is when the helper was last heard; zero if never.
	LastReport time.Time
	// Trouble is what it last reported that it cannot see.
	Trouble wire.Trouble
	// IdleMS and Locked are as it last reported.
	IdleMS uint64
	Locked bool
	// Reports is how many reports arrived since the daemon started.
	Reports uint64
	// Restarts is how often the helper had to be started again, and Refused
	// how often because it sent what no helper sends.
	Restarts uint64
	Refused  uint64
	// LastError is why it last ended; empty if it never did.
	LastError string
}
