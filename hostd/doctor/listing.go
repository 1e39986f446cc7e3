package doctor

import (
	"strings"
	"time"

	"activity-tracker.example/hostd/control"
	"activity-tracker.example/hostd/helper"
	"activity-tracker.example/hostd/logind"
	"activity-tracker.example/hostd/roster"
)

// lateBy is how much longer than its interval a helper may be silent: a busy
// host delays it, and two reports may be on their way.
const lateBy = 30 * time.Second

// Sessions makes one entry of all helpers of a session; interval is the length of a
// record.
func Sessions(helpers []Helper, now time.Time, interval time.Duration) []control.Session {
	list := make([]control.Session, 0, len(helpers))
	at := make(map[logind.SessionKey]int, len(helpers))
	for i := range helpers {
		h := &helpers[i]
		if h.Phase == helper.PhaseLeaving {
			continue
		}
		one := sessionOf(&h.State, now, interval+lateBy)
		one.Connected = h.Connected
		if j, seen := at[h.Session.Key]; seen {
			list[j] = merged(list[j], one)
			continue
		}
		at[h.Session.Key] = len(list)
		list = append(list, one)
	}
	return list
}

func sessionOf(s *helper.State, now time.Time, silent time.Duration) control.Session {
	t := &s.Session
	source := t.Source
	if source == "" {
		source = roster.SourceX11
	}
	return control.Session{
		ID: t.Key.ID, MachineID: t.MachineID, User: t.Username, UID: t.UID,
		Kind: string(t.Kind), Display: t.Display, Reads: []string{string(source)}, Seat: t.Seat,
		Locked: t.Locked || t.ScreenLocked != nil && *t.ScreenLocked,
		State:  sessionState(s, now, silent), LastReport: control.Moment(s.LastReport), Problem: sessionProblem(s),
	}
}

// merged is a session that two helpers read: as bad as the worse of them.
func merged(a, b control.Session) control.Session {
	rank := map[control.SessionState]int{
		control.SessionReporting: 0, control.SessionStarting: 1, control.SessionSilent: 2, control.SessionRetrying: 3,
	}
	a.Reads = append(a.Reads, b.Reads...)
	if rank[b.State] > rank[a.State] {
		a.State = b.State
	}
	if a.LastReport == nil || b.LastReport != nil && b.LastReport.After(*a.LastReport) {
		a.LastReport = b.LastReport
	}
	a.Problem = strings.Trim(a.Problem+"; "+b.Problem, "; ")
	return a
}

// sessionState returns how well a helper does; silent is for how long a good one
// may send nothing.
func sessionState(s *helper.State, now time.Time, silent time.Duration) control.SessionState {
	heard := s.Since
	if s.LastReport.After(heard) {
		heard = s.LastReport
	}
	switch {
	case s.Phase == helper.PhaseWaiting:
		return control.SessionRetrying
	case now.Sub(heard) > silent:
		return control.SessionSilent
	case !s.LastReport.After(s.Since): // what came before was another helper's
		return control.SessionStarting
	}
	return control.SessionReporting
}

// sessionProblem returns why a helper ended, while that still matters, or what it
// cannot see.
func sessionProblem(s *helper.State) string {
	if s.Phase == helper.PhaseWaiting || s.Phase == helper.PhaseStarting {
		return s.LastError
	}
	if what, _ := focusTrouble(s); what != "" {
		return what
	}
	return devicesTrouble(s)
}
