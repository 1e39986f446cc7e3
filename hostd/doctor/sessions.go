package doctor

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"activity-tracker.example/hostd/control"
	"activity-tracker.example/hostd/helper"
	"activity-tracker.example/hostd/roster"
	"activity-tracker.example/hostd/text"
	"activity-tracker.example/server/api"
	"activity-tracker.example/sessiond/wire"
)

// checkRoster reports who is measured, and who is left out and why.
func checkRoster(f *Facts) api.Check {
	c := api.Check{
		Name: "sessions", Result: api.CheckOK,
		Detail: fmt.Sprintf("%s measured, of the kinds %s", text.Count(int64(f.Tracked), "session"), f.Config.Sessions),
	}
	for _, p := range slices.Concat(f.Problems, f.Refused) {
		c.Detail += "; " + p.Text
		if p.Advice != "" && !strings.Contains(c.Advice, p.Advice) {
			c.Advice = strings.TrimPrefix(c.Advice+"; "+p.Advice, "; ")
		}
	}
	if len(f.Problems) > 0 {
		c.Result = api.CheckFailed
	}
	return c
}

// ErrVirtual is why it is unknown whether somebody is connected to a virtual display:
// each kind of viewer has a way of its own. Nobody can mend that.
var ErrVirtual = errors.New("a virtual display does not show whether a viewer is connected")

// checkClients reports for which sessions it is unknown whether somebody is
// connected, and why.
func checkClients(helpers []Helper) api.Check {
	c := api.Check{Name: "clients", Result: api.CheckOK, Detail: "known of every session whether somebody is connected"}
	var unknown []string
	for i := range helpers {
		h := &helpers[i]
		if h.Phase == helper.PhaseLeaving || h.Unknown == nil {
			continue
		}
		unknown = append(unknown, fmt.Sprintf("%s: %v", sessionName(&h.Session), h.Unknown))
		if !errors.Is(h.Unknown, ErrVirtual) {
			c.Result = api.CheckWarning
			c.Advice = "nothing is lost: 'connected' is left out of their records, and whether they are active shows from their input alone"
		}
	}
	if len(unknown) > 0 {
		c.Detail = "unknown of " + strings.Join(unknown, "; ")
	}
	return c
}

// checkFocus reports of which sessions it cannot be seen which window is in
// front.
func checkFocus(helpers []Helper) api.Check {
	c := api.Check{Name: "focus", Result: api.CheckOK, Detail: "known of every session which application is in front"}
	var found, advice []string
	for i := range helpers {
		s := &helpers[i].State
		what, todo := focusTrouble(s)
		if what == "" || s.Phase == helper.PhaseLeaving {
			continue
		}
		found = append(found, sessionName(&s.Session)+" "+what)
		if todo != "" && !slices.Contains(advice, todo) {
			advice = append(advice, todo)
		}
	}
	if len(found) > 0 {
		c.Detail = strings.Join(found, "; ")
	}
	if len(advice) > 0 {
		c.Result, c.Advice = api.CheckWarning, strings.Join(advice, "; ")
	}
	return c
}

// checkX reports whether each session's helper reports, which it can only if it
// reads its display.
func checkX(sessions []control.Session) api.Check {
	c := api.Check{Name: "x_access", Result: api.CheckOK}
	var bad []string
	for i := range sessions {
		s := &sessions[i]
		if s.State == control.SessionRetrying || s.State == control.SessionSilent {
			one := fmt.Sprintf("session %s of %s on %s is %s", s.ID, s.User, s.Display, s.State)
			if s.Problem != "" {
				one += " (" + s.Problem + ")"
			}
			bad = append(bad, one)
		}
	}
	switch {
	case len(bad) > 0:
		c.Result, c.Detail = api.CheckFailed, strings.Join(bad, "; ")
		c.Advice = "'journalctl -u \"trackerd-session-*\" -u \"trackerd-seat-*\"' says why; trackerd starts the helper again by itself"
	case len(sessions) == 0:
		c.Detail = "no session to read now"
	default:
		c.Detail = text.Count(int64(len(sessions)), "session") + " can be read"
	}
	return c
}

// checkLock reports what is known of screen lockers, where there are sessions on
// X11; of others checkDevices does.
func checkLock(helpers []Helper) []api.Check {
	for i := range helpers {
		if s := &helpers[i]; s.Session.Source == roster.SourceX11 {
			return []api.Check{{Name: "lock", Result: api.CheckOK, Detail: lockWord}}
		}
	}
	return nil
}

// checkScreenshots reports of which sessions a picture may be taken now, where any are
// taken. That none may be is no fault of the host's: it is mostly what protects people.
func checkScreenshots(sessions []control.Session) []api.Check {
	var told []string
	for i := range sessions {
		s := &sessions[i]
		if s.Screenshots == nil {
			continue
		}
		one := "may be taken of session " + s.ID
		if s.Screenshots.WhyNot != "" {
			one = "not of session " + s.ID + " now: " + s.Screenshots.WhyNot
		}
		if s.Screenshots.LastFailed != "" {
			one += " (and not the last time: " + s.Screenshots.LastFailed + ")"
		}
		told = append(told, one)
	}
	if len(told) == 0 {
		return nil
	}
	return []api.Check{{Name: "screenshots", Result: api.CheckOK, Detail: strings.Join(told, "; ")}}
}

// focusTrouble returns what keeps a helper from seeing which window is in front,
// and what to do; todo is empty where nothing has to be done, and both where all
// is well. What is wrong with a seat's devices is checkDevices's to report.
func focusTrouble(s *helper.State) (what, todo string) {
	if s.Session.Source == roster.SourceSeat {
		return "", ""
	}
	switch s.Trouble {
	case wire.TroubleNone:
		return "", ""
	case wire.TroubleNoWindowManager:
		if s.Session.NeedsWM {
			return "is measured as soon as a window manager runs there: until then it may be a program's", ""
		}
		return "has no window manager that names the window in front",
			"run one that does (EWMH): nearly all do; until then the application is a guess, by where the keys go"
	case wire.TroubleNoFocus:
		return "has a compositor that does not say which window is in front",
			"sway, labwc, river and others of wlroots do, and KDE and GNOME; until then records have no application"
	case wire.TroubleNoGNOMEExtension:
		return "has GNOME without the extension that names the window in front",
			"'apt install trackerd-gnome', then log out and in again; until then records have no application"
	default:
		return "is not wholly seen by its helper", "'journalctl -u \"trackerd-session-*\"' may say why"
	}
}

// sessionName is how the doctor calls a session.
func sessionName(t *roster.Tracked) string {
	name := fmt.Sprintf("session %s of %s", t.Key.ID, t.Username)
	if t.Display != "" {
		name += " on " + t.Display
	}
	return name
}
