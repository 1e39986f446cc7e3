package roster

import (
	"activity-tracker.example/hostd/logind"
	"activity-tracker.example/server/api"
)

// Tracked is a session that is measured, and under which name.
type Tracked struct {
	Key logind.SessionKey
	// MachineID names the user on this host; two sessions of one user share it.
	MachineID string
	Username  string
	UID       uint32
	// Display is the X display to read, such as ":10".
	Display string
	Kind    api.SessionKind
}
