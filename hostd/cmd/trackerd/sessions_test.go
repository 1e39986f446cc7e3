package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/hostd/control"
	"activity-tracker.example/hostd/helper"
	"activity-tracker.example/hostd/logind"
	"activity-tracker.example/hostd/roster"
	"activity-tracker.example/server/api"
	"activity-tracker.example/sessiond/wire"
)

func tracked(id string, source roster.Source) roster.Tracked {
	return roster.Tracked{Key: logind.SessionKey{ID: id, Leader: 1, SinceUnixMicro: 2}, Source: source, Username: "anna", Kind: api.SessionLocal, Seat: "seat0", VT: 2}
}

// One session of Wayland has two helpers, and is one session to people.
func TestTwoHelpersAreOneSession(t *testing.T) {
	now := time.Date(2026, time.November, 22, 12, 0, 0, 0, time.UTC)
	states := []helper.State{
		{Session: tracked("2", roster.SourceSeat), Phase: helper.PhaseRunning, Since: now.Add(-1), LastReport: now, Trouble: wire.TroubleNoDevices},
		{Session: tracked("2", roster.SourceWayland), Phase: helper.PhaseWaiting, Since: now, LastError: "it closed its socket"},
		{Session: tracked("3", roster.SourceX11), Phase: helper.PhaseLeaving, Since: now},
		{Session: tracked("4", ""), Phase: helper.PhaseRunning, Since: now, LastReport: now},
	}
	list := sessionsOf(states, func(roster.Tracked) (*bool, error) { return new(true), nil }, now, time.Minute)
	if len(list) != 2 || !slices.Equal(list[0].Reads, []string{"seat", "wayland"}) || !slices.Equal(list[1].Reads, []string{"x11"}) {
		t.Fatalf("got %+v", list)
	}
	one := list[0]
	if one.State != control.SessionRetrying || one.LastReport == nil || one.Problem != "has no input devices; it closed its socket" ||
		one.Connected == nil || one.Seat != "seat0" {
		t.Errorf("got %+v", one)
	}
}

func TestRosterCheck(t *testing.T) {
	problem := roster.Problem{Text: "it is of the kind mir", Advice: "log in otherwise"}
	refused := roster.Problem{Text: "display :2 is not measured"}
	for name, tc := range map[string]struct {
		problems, refused []roster.Problem
		result            control.CheckResult
		words             string
	}{
		"all well":       {nil, nil, control.CheckOK, "1 session measured, of the kinds rdp, local"},
		"a refusal":      {nil, []roster.Problem{refused}, control.CheckOK, "display :2 is not measured"},
		"a problem":      {[]roster.Problem{problem, problem}, nil, control.CheckFailed, "it is of the kind mir"},
		"both, together": {[]roster.Problem{problem}, []roster.Problem{refused}, control.CheckFailed, "mir; display :2"},
	} {
		c := rosterCheck(1, "rdp, local", tc.problems, tc.refused)
		if c.Result != tc.result || !strings.Contains(c.Detail, tc.words) || (c.Advice == "log in otherwise") != (len(tc.problems) > 0) {
			t.Errorf("%s: got %+v", name, c)
		}
	}
}

func TestFocusCheck(t *testing.T) {
	virtual := tracked("x1", roster.SourceX11)
	virtual.NeedsWM, virtual.Display = true, ":1"
	for name, tc := range map[string]struct {
		session roster.Tracked
		trouble wire.Trouble
		result  control.CheckResult
		detail  string
		advice  string
	}{
		"all well":             {tracked("2", roster.SourceX11), wire.TroubleNone, control.CheckOK, "known of every session", ""},
		"a seat is no focus":   {tracked("2", roster.SourceSeat), wire.TroubleNoDevices, control.CheckOK, "known of every session", ""},
		"X without a manager":  {tracked("2", roster.SourceX11), wire.TroubleNoWindowManager, control.CheckWarning, "session 2 of anna has no window manager", "EWMH"},
		"a display that waits": {virtual, wire.TroubleNoWindowManager, control.CheckOK, "session x1 of anna on :1 is measured as soon as", ""},
		"a silent compositor":  {tracked("2", roster.SourceWayland), wire.TroubleNoFocus, control.CheckWarning, "does not say", "sway"},
		"GNOME":                {tracked("2", roster.SourceWayland), wire.TroubleNoGNOMEExtension, control.CheckWarning, "extension", "apt install trackerd-gnome"},
		"of a later version":   {tracked("2", roster.SourceWayland), 200, control.CheckWarning, "not wholly seen", "journalctl"},
	} {
		c := focusCheck([]helper.State{{Session: tc.session, Phase: helper.PhaseRunning, Trouble: tc.trouble}})
		if c.Result != tc.result || !strings.Contains(c.Detail, tc.detail) || (c.Advice == "") != (tc.advice == "") || !strings.Contains(c.Advice, tc.advice) {
			t.Errorf("%s: got %+v", name, c)
		}
	}
}

func TestAccount(t *testing.T) {
	a := &account{name: "root"}
	now := time.Now()
	if id, err := a.uid(now); id != 0 || err != nil {
		t.Errorf("root is %d, %v", id, err)
	}
	for _, name := range []string{"no-such-user-here", "0", "--help"} {
		a := &account{name: name}
		_, err := a.uid(now)
		if err == nil {
			t.Errorf("%q is a user", name)
		}
		if _, again := a.uid(now.Add(accountRetry - 1)); !errors.Is(again, err) {
			t.Errorf("%q was looked up again at once", name)
		}
	}
}
