// Package reading is the one thing that the stages between a helper's socket and
// a record hand on: a report, and what the daemon knew of the session when it
// came.
package reading

import (
	"activity-tracker.example/hostd/roster"
	"activity-tracker.example/sessiond/wire"
)

// Reading is one report of one session's helper.
type Reading struct {
	// Session is whose report it is; its Name identifies the login for good, and
	// sessions that share its MachineID add up.
	Session roster.Tracked
	Report  wire.Report
	// Connected is whether somebody could be at the session when the report came;
	// nil where that cannot be known.
	Connected *bool
	// OnStored is called by Stored; nil where nobody waits.
	OnStored func()
}

// Stored reports that the reading is on disk, with all that were taken from the
// same helper before it: they leave the helper's socket. Until then a daemon that
// is started anew reads them again.
func (r *Reading) Stored() {
	if r.OnStored != nil {
		r.OnStored()
	}
}
