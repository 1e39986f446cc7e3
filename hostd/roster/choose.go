package roster

import (
	"fmt"
	"slices"

	"activity-tracker.example/hostd/display"
	"activity-tracker.example/hostd/logind"
	"activity-tracker.example/server/api"
)

// sesmanService is the PAM service under which xrdp's sesman opens sessions.
const sesmanService = "xrdp-sesman"

// Types of session, as logind has them.
const (
	typeX11     = "x11"
	typeWayland = "wayland"
	typeTTY     = "tty"
)

// isPerson reports whether a session is somebody's at work: no greeter, no user
// manager, and not about to end.
func isPerson(s *logind.Session) bool {
	class := s.Class == "user" || s.Class == "user-early" || s.Class == "user-light"
	return class && s.State != "closing" && s.User != ""
}

// knownType reports whether it is known what to do with a type: measure it, or
// leave it since it has nothing to measure.
func knownType(t string) bool {
	return slices.Contains([]string{typeX11, typeWayland, typeTTY, "unspecified", "web", ""}, t)
}

func strange(s *logind.Session) Problem {
	return Problem{
		Username: s.User,
		Text:     fmt.Sprintf("session %s of %s is of the kind %q, which this version does not know: it is not measured", s.Key.ID, s.User, s.Type),
		Advice:   "log in to a session of X11 or Wayland, or look for a newer trackerd",
	}
}

// isRDP reports whether xrdp opened a session.
func isRDP(s *logind.Session) bool { return s.Service == sesmanService && s.Type == typeX11 }

// isLocal reports whether a session is at a screen of this machine.
func isLocal(s *logind.Session) bool { return s.Seat != "" && !isRDP(s) }

// sources returns by what a person's session is measured, if at all.
func (r *Roster) sources(s *logind.Session, displays []display.Display) []candidate {
	switch {
	case isRDP(s) && r.wanted.RDP:
		return onDisplay(s, s.Display, api.SessionRDP)
	case !isLocal(s) || !r.wanted.Local:
		return nil
	case s.Type == typeX11 && s.Display != "":
		return onDisplay(s, s.Display, api.SessionLocal)
	case s.Type == typeX11:
		return onDisplay(s, displayWithin(s, displays), api.SessionLocal)
	case s.Type == typeTTY:
		list := onDisplay(s, displayWithin(s, displays), api.SessionLocal)
		for i := range list {
			// startx and a program that draws for nobody look alike from here.
			list[i].NeedsWM = true
		}
		return list
	case s.Type == typeWayland:
		return onWayland(s)
	}
	return nil
}

func base(s *logind.Session, kind api.SessionKind) candidate {
	return candidate{Tracked: Tracked{Key: s.Key, Username: s.User, UID: s.UID, Kind: kind}, since: s.Key.SinceUnixMicro}
}

// onDisplay measures an X display; nothing without one.
func onDisplay(s *logind.Session, display string, kind api.SessionKind) []candidate {
	if display == "" {
		return nil
	}
	c := base(s, kind)
	c.Source, c.Display = SourceX11, display
	if kind == api.SessionLocal {
		c.place(s)
	}
	return []candidate{c}
}

// onWayland measures the focus for as long as the session lives, and the seat's
// input only while it is this session's: in front, and not at a locker.
func onWayland(s *logind.Session) []candidate {
	focus := base(s, api.SessionLocal)
	focus.Source = SourceWayland
	focus.place(s)
	if !s.Active || s.Locked {
		return []candidate{focus}
	}
	input := base(s, api.SessionLocal)
	input.Source = SourceSeat
	input.place(s)
	return []candidate{focus, input}
}

// place notes where a local session is, and whether somebody can be at it.
func (c *candidate) place(s *logind.Session) {
	c.Seat, c.VT, c.Locked = s.Seat, s.VT, s.Locked
	c.Connected = new(s.Active)
}

// displayWithin looks for the X display of a session of which logind knows none:
// its server runs within the session, as its user or as root.
func displayWithin(s *logind.Session, displays []display.Display) string {
	theirs := func(uid uint32) bool { return uid == s.UID || uid == 0 }
	var found *display.Display
	for i := range displays {
		d := &displays[i]
		if s.Scope == "" || d.Scope != s.Scope || !theirs(d.Owner) || !theirs(d.UID) {
			continue
		}
		if found == nil || d.Number < found.Number {
			found = d
		}
	}
	if found == nil {
		return ""
	}
	return found.Name()
}
