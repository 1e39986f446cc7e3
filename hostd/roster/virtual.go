package roster

import (
	"cmp"
	"fmt"
	"slices"

	"activity-tracker.example/hostd/display"
	"activity-tracker.example/hostd/logind"
	"activity-tracker.example/server/api"
)

const (
	// maxVirtual is how many virtual displays are measured: more than one person
	// works on.
	maxVirtual = 4
	// firstPerson is the lowest uid of a person on Debian; those below are
	// services'.
	firstPerson = 1000
)

// virtual returns the displays of the one user that no session of xrdp's or of a
// seat has. Whether a person works there shows in a window manager, for which
// the helper looks as that user.
func (r *Roster) virtual(sessions []logind.Session, displays []display.Display, res *Result) []candidate {
	name := r.wanted.VirtualUser
	uid, err := r.wanted.VirtualUID()
	if err == nil && uid < firstPerson {
		err = fmt.Errorf("its uid is %d, and only people's, from %d on, are measured", uid, firstPerson)
	}
	if err != nil {
		res.Problems = append(res.Problems, Problem{
			Username: name,
			Text:     fmt.Sprintf("virtual displays of virtual_user %q are not measured: %v", name, err),
			Advice:   "correct virtual_user in the configuration, then 'systemctl restart trackerd'",
		})
		return nil
	}
	v := finder{name: name, uid: uid, taken: taken(sessions), compositor: hasWayland(sessions, uid), res: res}
	slices.SortFunc(displays, func(a, b display.Display) int {
		return cmp.Or(cmp.Compare(a.SinceMicro, b.SinceMicro), cmp.Compare(a.Number, b.Number))
	})
	for i := range displays {
		v.consider(&displays[i])
	}
	return v.found
}

// finder finds one user's virtual displays.
type finder struct {
	name       string
	uid        uint32
	taken      func(*display.Display) bool
	compositor bool
	found      []candidate
	res        *Result
}

// consider takes a display, or records why not.
func (v *finder) consider(d *display.Display) {
	switch {
	case v.taken(d):
		return
	case d.Owner != v.uid && d.UID != v.uid:
		v.refuse(d, "it belongs to another user")
	case d.Owner != v.uid || d.UID != v.uid:
		v.refuse(d, "the owner of its socket and whoever listens there are two users")
	case d.PID == 0:
		v.refuse(d, "the process that listens there is not one of this system's")
	case v.compositor:
		v.refuse(d, v.name+" has a Wayland session, and the display may be its own")
	case len(v.found) == maxVirtual:
		v.refuse(d, fmt.Sprintf("%d older ones are", maxVirtual))
	default:
		v.found = append(v.found, candidate{since: d.SinceMicro, Tracked: Tracked{
			Key:    logind.SessionKey{ID: fmt.Sprintf("x%d", d.Number), Leader: d.PID, SinceUnixMicro: d.SinceMicro},
			Source: SourceX11, Username: v.name, UID: v.uid, Display: d.Name(), Kind: api.SessionVirtual, NeedsWM: true,
		}})
	}
}

func (v *finder) refuse(d *display.Display, why string) {
	v.res.Refused = append(v.res.Refused, Problem{
		Username: v.name, Text: fmt.Sprintf("display %s is not measured: %s", d.Name(), why),
	})
}

// taken returns whether a display is a session's: one that logind knows to be on
// it and whose user's it is, or in which its server runs, if that is xrdp's or on a
// seat. Whoever names another's display as their session's takes none.
func taken(sessions []logind.Session) func(*display.Display) bool {
	type named struct {
		display string
		uid     uint32
	}
	names, scopes := make(map[named]bool), make(map[string]bool)
	for i := range sessions {
		s := &sessions[i]
		if s.Service != sesmanService && s.Seat == "" {
			continue
		}
		names[named{screenless(s.Display), s.UID}] = true
		scopes[s.Scope] = true
	}
	return func(d *display.Display) bool {
		return names[named{d.Name(), d.UID}] || d.Scope != "" && scopes[d.Scope]
	}
}

// hasWayland reports whether a user has a Wayland session on a seat.
func hasWayland(sessions []logind.Session, uid uint32) bool {
	return slices.ContainsFunc(sessions, func(s logind.Session) bool {
		return s.UID == uid && s.Seat != "" && s.Type == typeWayland
	})
}
