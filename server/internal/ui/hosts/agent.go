package hosts

import (
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/ui/frame"
	"activity-tracker.example/server/internal/ui/words"
)

const (
	// shortOf is how many things that cannot be seen a row of the list names.
	shortOf = 2
	// longClock is from when on a clock's difference is written in days.
	longClock = 48 * time.Hour
	// heardApart is by how much a host was heard after its last upload where that is worth
	// saying: it asks for its policy with nobody logged in, too.
	heardApart = 15 * time.Minute
)

// agent is what a host's agent reports, as the pages show it. It is empty where nothing is
// known.
type agent struct {
	// Upload is when the host last sent something, Heard when it was last heard, where that
	// is long after it.
	Upload, Heard string
	// Clock is by how much its clock differs; ClockWrong means that somebody should set it.
	Clock      string
	ClockWrong bool
	// Missing is what cannot be seen there, and More how many of that Few leaves out. Known
	// means that it is known.
	Missing, Few []unseen
	More         int
	Known        bool
}

// unseen is one thing that cannot be seen on a host.
type unseen struct {
	// Code is the API's, What it is in words, which a code of a newer agent has not, and Do
	// what to do about it.
	Code, What, Do string
}

func agentOf(v *frame.Visit, h *api.EnrolledHost) agent {
	a := agent{Known: h.Unseen != nil}
	if h.LastUpload != nil {
		a.Upload = v.Words.Moment(h.LastUpload.In(v.Zone), v.Now.In(v.Zone))
	}
	if h.LastContact != nil && (h.LastUpload == nil || h.LastContact.Sub(*h.LastUpload) >= heardApart) {
		a.Heard = v.Words.Moment(h.LastContact.In(v.Zone), v.Now.In(v.Zone))
	}
	if h.ClockOffsetSeconds != nil {
		a.Clock, a.ClockWrong = clock(v.Words, *h.ClockOffsetSeconds), max(*h.ClockOffsetSeconds, -*h.ClockOffsetSeconds) >= api.ClockWrong
	}
	for _, code := range h.Unseen {
		one := unseen{Code: string(code)}
		if key := "hosts.unseen." + one.Code; v.Words.Has(key) {
			one.What, one.Do = v.Words.T(key), v.Words.T("hosts.unseen.do."+one.Code)
		}
		a.Missing = append(a.Missing, one)
	}
	a.Few = a.Missing[:min(len(a.Missing), shortOf)]
	a.More = len(a.Missing) - len(a.Few)
	return a
}

// clock writes by how much a clock differs, where that is not the network's doing.
func clock(w *words.Words, offset int64) string {
	key, by := "hosts.clock.ahead", offset
	if offset < 0 {
		key, by = "hosts.clock.behind", -offset
	}
	const day = 24 * 60 * 60
	switch {
	case by < api.ClockNoise:
		return w.T("hosts.clock.right")
	case by >= int64(longClock/time.Second):
		return w.T(key, w.N("hosts.clock.days", int(by/day)))
	}
	return w.T(key, w.Length(float64(by)))
}
