package doctor

import (
	"fmt"
	"strings"

	"activity-tracker.example/hostd/helper"
	"activity-tracker.example/hostd/roster"
	"activity-tracker.example/server/api"
	"activity-tracker.example/sessiond/wire"
)

// lockWord is shown wherever a screen can be locked.
const lockWord = "GNOME, KDE, Cinnamon, light-locker, xfce4-screensaver and xss-lock report that the screen is locked; " +
	"i3lock, swaylock and others alone report nothing: there 'locked' is not recorded, being idle shows it, " +
	"and the number of presses of the unlock password is in the counts"

// checkDevices reports whether the input devices of seats can be read; nothing
// where none are.
func checkDevices(helpers []Helper) []api.Check {
	c := api.Check{Name: "devices", Result: api.CheckOK}
	var found []string
	for i := range helpers {
		s := &helpers[i]
		if s.Session.Source != roster.SourceSeat || s.Phase == helper.PhaseLeaving {
			continue
		}
		seat := s.Session.Seat
		one := fmt.Sprintf("those of %s are read for session %s of %s", seat, s.Session.Key.ID, s.Session.Username)
		switch s.Trouble {
		case wire.TroubleNone:
		case wire.TroubleNoDevices:
			c.Result = worse(c.Result, api.CheckWarning)
			one = fmt.Sprintf("%s has no keyboard and nothing that points, so session %s of %s has no counts", seat, s.Session.Key.ID, s.Session.Username)
			c.Advice = "'loginctl seat-status " + seat + "' lists its devices; one that is plugged in is noticed by itself"
		case wire.TroubleNoAccess:
			c.Result = api.CheckFailed
			one = fmt.Sprintf("those of %s cannot be opened, so session %s of %s has no counts", seat, s.Session.Key.ID, s.Session.Username)
			c.Advice = "udev gives them to the group input: see 'ls -l /dev/input', and 'udevadm trigger --subsystem-match=input'"
		default:
			c.Result = worse(c.Result, api.CheckWarning)
			one = fmt.Sprintf("those of %s are not all seen for session %s of %s", seat, s.Session.Key.ID, s.Session.Username)
		}
		found = append(found, one)
	}
	if len(found) == 0 {
		return nil
	}
	c.Detail = strings.Join(found, "; ") + "; " + lockWord
	return []api.Check{c}
}

// worse returns the result that somebody should rather look at.
func worse(a, b api.CheckResult) api.CheckResult {
	if a == api.CheckFailed || b == api.CheckOK {
		return a
	}
	return b
}

// devicesTrouble returns in short what keeps a seat's helper from counting.
func devicesTrouble(s *helper.State) string {
	switch {
	case s.Session.Source != roster.SourceSeat || s.Trouble == wire.TroubleNone:
		return ""
	case s.Trouble == wire.TroubleNoDevices:
		return "has no input devices"
	case s.Trouble == wire.TroubleNoAccess:
		return "has input devices that cannot be opened"
	}
	return "has input devices that are not all seen"
}
