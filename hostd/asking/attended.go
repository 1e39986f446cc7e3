package asking

import (
	"activity-tracker.example/hostd/helper"
	"activity-tracker.example/hostd/roster"
)

// attended are the sessions with a desktop at which somebody can be now: their helpers
// report, so that the desktop answers. connected reports whether somebody is there; nil
// where that cannot be known.
func attended(states []helper.State, connected func(roster.Tracked) (*bool, error)) (list []roster.Tracked) {
	for i := range states {
		s := &states[i]
		if s.Phase != helper.PhaseRunning || s.LastReport.IsZero() || s.Session.Source == roster.SourceSeat || s.Session.Locked {
			continue
		}
		if connected != nil {
			if at, err := connected(s.Session); err == nil && at != nil && !*at {
				continue
			}
		}
		list = append(list, s.Session)
	}
	return list
}
