package roster

import (
	"fmt"
	"strings"

	"activity-tracker.example/hostd/logind"
	"activity-tracker.example/server/api"
)

// Source is what reads a session.
type Source string

// The sources. A Wayland session has two: what its compositor has in focus,
// which its user may ask, and the input of its seat, which nobody else may read.
const (
	SourceX11     Source = "x11"     // the X display: input and focus
	SourceWayland Source = "wayland" // the compositor: focus only
	SourceSeat    Source = "seat"    // the seat's devices: input only
)

// Tracked is a session that is measured by one source, and under which name.
type Tracked struct {
	Key logind.SessionKey
	// Source is what reads it; empty in what was stored before there were
	// several, which is SourceX11.
	Source Source `json:",omitempty"`
	// MachineID names the user on this host; two sessions of one user share it.
	MachineID string
	Username  string
	UID       uint32
	// Display is the X display to read, such as ":10"; empty without X.
	Display string
	// Seat and VT are where a local session is, such as "seat0" and 7; empty
	// and 0 elsewhere.
	Seat string `json:",omitempty"`
	VT   uint32 `json:",omitempty"`
	Kind api.SessionKind
	// NeedsWM is set where only a window manager shows that a person works
	// there: without one nothing of it counts.
	NeedsWM bool `json:",omitempty"`
	// Locked is set while its screen locker reports so: whoever types then may be
	// somebody else, and no input counts.
	Locked bool `json:",omitempty"`
	// ScreenLocked is whether the screen is locked, as its locker reports to logind;
	// nil until one has reported in this session that it is. Most lockers never do.
	ScreenLocked *bool `json:"-"`
	// Connected is whether somebody can be at the session, where logind knows:
	// whether a local one is in front on its seat. Nil where another has to be
	// asked.
	Connected *bool `json:"-"`
}

// Name identifies the session and its source for good. It names the helper's
// account, and its socket in systemd's descriptor store, so it has no colon.
func (t Tracked) Name() string {
	if t.Source == SourceX11 || t.Source == "" {
		return t.Key.String()
	}
	return string(t.Source) + "." + t.Key.String()
}

// WithoutInput reports whether the source is read without its input.
func (t Tracked) WithoutInput() bool {
	return t.Locked && (t.Source == SourceX11 || t.Source == "")
}

// ParseName reads what Name returned.
func ParseName(name string) (Source, logind.SessionKey, error) {
	source, rest, found := strings.Cut(name, ".")
	if !found {
		source, rest = string(SourceX11), name
	} else if s := Source(source); s != SourceWayland && s != SourceSeat || strings.Contains(rest, ".") {
		return "", logind.SessionKey{}, fmt.Errorf("name of a session %q: no such source", name)
	}
	key, err := logind.ParseSessionKey(rest)
	if err != nil {
		return "", logind.SessionKey{}, fmt.Errorf("name of a session: %w", err)
	}
	return Source(source), key, nil
}
