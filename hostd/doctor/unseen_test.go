package doctor

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/hostd/control"
	"activity-tracker.example/hostd/helper"
	"activity-tracker.example/hostd/roster"
	"activity-tracker.example/server/api"
	"activity-tracker.example/sessiond/wire"
)

// What cannot be seen is a code, over all sessions, and names nobody.
func TestUnseen(t *testing.T) {
	heard := time.Date(2026, time.November, 30, 10, 0, 0, 0, time.UTC)
	reports := func(source roster.Source, trouble wire.Trouble, change ...func(*Helper)) Helper {
		h := Helper{State: helper.State{Session: tracked("2", source), Phase: helper.PhaseRunning, LastReport: heard, Trouble: trouble}, Connected: new(true)}
		h.Session.ScreenLocked = new(false)
		for _, do := range change {
			do(&h)
		}
		return h
	}
	for name, tc := range map[string]struct {
		facts Facts
		want  string // nil where nothing is known
	}{
		"nobody is there":       {Facts{}, "nil"},
		"all is seen":           {Facts{Helpers: []Helper{reports(roster.SourceX11, wire.TroubleNone)}}, "[]"},
		"nothing reported yet":  {Facts{Helpers: []Helper{reports(roster.SourceX11, wire.TroubleNone, func(h *Helper) { h.LastReport = time.Time{} })}}, "nil"},
		"it leaves":             {Facts{Helpers: []Helper{reports(roster.SourceX11, wire.TroubleNoFocus, func(h *Helper) { h.Phase = helper.PhaseLeaving })}}, "nil"},
		"no bus":                {Facts{Bus: errors.New("anna's bus")}, "[sessions_unlisted]"},
		"somebody left out":     {Facts{Problems: []roster.Problem{{Username: "anna", Text: "anna is left out"}}}, "[users_left_out]"},
		"no locker has told":    {Facts{Helpers: []Helper{reports(roster.SourceX11, wire.TroubleNone, func(h *Helper) { h.Session.ScreenLocked = nil })}}, "[lock_unknown]"},
		"locked, by its helper": {Facts{Helpers: []Helper{reports(roster.SourceX11, wire.TroubleNone, func(h *Helper) { h.Session.ScreenLocked, h.Locked = nil, true })}}, "[]"},
		"over two sessions, in order": {Facts{Helpers: []Helper{
			reports(roster.SourceWayland, wire.TroubleNoGNOMEExtension), reports(roster.SourceSeat, wire.TroubleNoAccess),
			reports(roster.SourceWayland, wire.TroubleNoGNOMEExtension, func(h *Helper) { h.Unknown = ErrVirtual }),
		}}, "[connected_unknown counts_missing focus_no_extension]"},
		"a guess":            {Facts{Helpers: []Helper{reports(roster.SourceX11, wire.TroubleNoWindowManager)}}, "[focus_guessed]"},
		"not measured yet":   {Facts{Helpers: []Helper{reports(roster.SourceX11, wire.TroubleNoWindowManager, func(h *Helper) { h.Session.NeedsWM = true })}}, "[]"},
		"no devices":         {Facts{Helpers: []Helper{reports(roster.SourceSeat, wire.TroubleNoDevices)}}, "[no_devices]"},
		"a newer helper":     {Facts{Helpers: []Helper{reports(roster.SourceX11, wire.Trouble(200))}}, "[partly_seen]"},
		"a helper is silent": {Facts{Sessions: []control.Session{{User: "anna", State: control.SessionSilent}, {State: control.SessionRetrying}}}, "[session_unread]"},
	} {
		got := Unseen(&tc.facts)
		text := fmt.Sprint(got)
		if got == nil {
			text = "nil"
		}
		if text != tc.want {
			t.Errorf("%s: got %s, want %s", name, text, tc.want)
		}
		for _, code := range got {
			if !api.ValidUnseen(code) || strings.Contains(string(code), "anna") {
				t.Errorf("%s: %q is no code", name, code)
			}
		}
	}
}

// All codes keep the contract's bounds.
func TestUnseenCodes(t *testing.T) {
	all := api.UnseenCodes()
	if len(all) > api.MaxUnseen {
		t.Errorf("%d codes, at most %d", len(all), api.MaxUnseen)
	}
	seen := map[api.Unseen]bool{api.UnseenNothing: true}
	for _, code := range all {
		if !api.ValidUnseen(code) || seen[code] {
			t.Errorf("%q is no code, or there twice", code)
		}
		seen[code] = true
	}
}
