package helper

import (
	"activity-tracker.example/hostd/roster"
	"activity-tracker.example/sessiond/wire"
)

// Reading is one report of one session's helper, and what the daemon knew of
// the session when it arrived.
type Reading struct {
	Session roster.Tracked
	Report  wire.Report
	// Connected is whether somebody could be at the session; nil where that
	// cannot be known.
	Connected *bool
}
