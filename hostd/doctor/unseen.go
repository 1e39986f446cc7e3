package doctor

import (
	"slices"

	"activity-tracker.example/hostd/control"
	"activity-tracker.example/hostd/helper"
	"activity-tracker.example/hostd/roster"
	"activity-tracker.example/server/api"
	"activity-tracker.example/sessiond/wire"
)

// Unseen returns in codes what cannot be seen on this host, as the checks have it in words,
// over all sessions together: the server learns nothing of whose they are. It is nil while
// there is nothing to judge by, and empty where all is seen.
func Unseen(f *Facts) []api.Unseen {
	found := []api.Unseen{}
	note := func(code api.Unseen, is bool) {
		if is && !slices.Contains(found, code) {
			found = append(found, code)
		}
	}
	note(api.UnseenSessions, f.Bus != nil)
	note(api.UnseenUsers, len(f.Problems) > 0)
	for i := range f.Sessions {
		state := f.Sessions[i].State
		note(api.UnseenHelper, state == control.SessionSilent || state == control.SessionRetrying)
	}
	measured := false
	for i := range f.Helpers {
		h := &f.Helpers[i]
		if h.Phase == helper.PhaseLeaving || h.LastReport.IsZero() { // or it has not looked yet
			continue
		}
		measured = true
		note(api.UnseenConnected, h.Unknown != nil)
		note(api.UnseenLock, h.Session.ScreenLocked == nil && !h.Locked)
		code, is := troubleCode(&h.State)
		note(code, is)
	}
	if len(found) == 0 && !measured {
		return nil
	}
	slices.Sort(found)
	return found
}

// troubleCode returns the code of what a helper cannot see, if there is such a thing.
func troubleCode(s *helper.State) (api.Unseen, bool) {
	seat := s.Session.Source == roster.SourceSeat
	switch s.Trouble {
	case wire.TroubleNone:
		return "", false
	case wire.TroubleNoWindowManager:
		return api.UnseenFocusGuess, !s.Session.NeedsWM // else it is not measured before
	case wire.TroubleNoFocus:
		return api.UnseenFocus, true
	case wire.TroubleNoGNOMEExtension:
		return api.UnseenExtension, true
	case wire.TroubleNoDevices:
		return api.UnseenDevices, seat
	case wire.TroubleNoAccess:
		return api.UnseenCounts, seat
	}
	return api.UnseenOther, true
}
