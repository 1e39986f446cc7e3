package main

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
func (d *daemon) checkRoster() control.Check {
	d.mu.Lock()
	defer d.mu.Unlock()
	return rosterCheck(d.tracked, d.cfg.Sessions.String(), d.problems, d.refused)
}

func rosterCheck(tracked int, kinds string, problems, refused []roster.Problem) control.Check {
	c := control.Check{
		Name: "sessions", Result: control.CheckOK,
		Detail: fmt.Sprintf("%s measured, of the kinds %s", text.Count(int64(tracked), "session"), kinds),
	}
	for _, p := range slices.Concat(problems, refused) {
		c.Detail += "; " + p.Text
		if p.Advice != "" && !strings.Contains(c.Advice, p.Advice) {
			c.Advice = strings.TrimPrefix(c.Advice+"; "+p.Advice, "; ")
		}
	}
	if len(problems) > 0 {
		c.Result = control.CheckFailed
	}
	return c
}

// checkClients reports for which sessions it is unknown whether somebody is
// connected, and why.
func (d *daemon) checkClients() control.Check {
	c := control.Check{Name: "clients", Result: control.CheckOK, Detail: "known of every session whether somebody is connected"}
	var unknown []string
	for _, s := range d.supervisor.States() {
		if s.Phase == helper.PhaseLeaving {
			continue
		}
		_, err := d.connected(s.Session)
		if err == nil {
			continue
		}
		unknown = append(unknown, fmt.Sprintf("%s: %v", sessionName(&s.Session), err))
		if !errors.Is(err, errVirtual) {
			c.Result = control.CheckWarning
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
func (d *daemon) checkFocus() control.Check { return focusCheck(d.supervisor.States()) }

func focusCheck(states []helper.State) control.Check {
	c := control.Check{Name: "focus", Result: control.CheckOK, Detail: "known of every session which application is in front"}
	var found, advice []string
	for i := range states {
		s := &states[i]
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
		c.Result, c.Advice = control.CheckWarning, strings.Join(advice, "; ")
	}
	return c
}

// checkLock reports what is known of screen lockers, where there are local sessions
// on X11; of others checkDevices does.
func (d *daemon) checkLock() []control.Check {
	for _, s := range d.supervisor.States() {
		if s.Session.Kind == api.SessionLocal && s.Session.Source == roster.SourceX11 {
			return []control.Check{{Name: "lock", Result: control.CheckOK, Detail: lockWord}}
		}
	}
	return nil
}

// focusTrouble returns what keeps a helper from seeing which window is in front,
// and what to do; todo is empty where nothing has to be done, and both where all
// is well. What is wrong with a seat's devices is checkDevices's to say.
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
			"run one that does (EWMH): nearly all do; until then records have no application"
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
