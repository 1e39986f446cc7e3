package doctor

import (
	"slices"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/hostd/config"
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
	states := []Helper{
		{State: helper.State{Session: tracked("2", roster.SourceSeat), Phase: helper.PhaseRunning, Since: now.Add(-1), LastReport: now, Trouble: wire.TroubleNoDevices}, Connected: new(true)},
		{State: helper.State{Session: tracked("2", roster.SourceWayland), Phase: helper.PhaseWaiting, Since: now, LastError: "it closed its socket"}, Connected: new(true)},
		{State: helper.State{Session: tracked("3", roster.SourceX11), Phase: helper.PhaseLeaving, Since: now}, Connected: new(true)},
		{State: helper.State{Session: tracked("4", ""), Phase: helper.PhaseRunning, Since: now, LastReport: now}, Connected: new(true)},
	}
	list := Sessions(states, now, time.Minute)
	if len(list) != 2 || !slices.Equal(list[0].Reads, []string{"seat", "wayland"}) || !slices.Equal(list[1].Reads, []string{"x11"}) {
		t.Fatalf("got %+v", list)
	}
	one := list[0]
	if one.State != control.SessionRetrying || one.LastReport == nil || one.Problem != "has no input devices; it closed its socket" ||
		one.Connected == nil || one.Seat != "seat0" {
		t.Errorf("got %+v", one)
	}
}

// usual is a configuration.
var usual = &config.Config{Sessions: config.Sessions{RDP: true, Local: true}}

func TestRosterCheck(t *testing.T) {
	problem := roster.Problem{Text: "it is of the kind mir", Advice: "log in otherwise"}
	refused := roster.Problem{Text: "display :2 is not measured"}
	for name, tc := range map[string]struct {
		problems, refused []roster.Problem
		result            api.CheckResult
		words             string
	}{
		"all well":       {nil, nil, api.CheckOK, "1 session measured, of the kinds rdp, local"},
		"a refusal":      {nil, []roster.Problem{refused}, api.CheckOK, "display :2 is not measured"},
		"a problem":      {[]roster.Problem{problem, problem}, nil, api.CheckFailed, "it is of the kind mir"},
		"both, together": {[]roster.Problem{problem}, []roster.Problem{refused}, api.CheckFailed, "mir; display :2"},
	} {
		c := checkRoster(&Facts{Config: usual, Tracked: 1, Problems: tc.problems, Refused: tc.refused})
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
		result  api.CheckResult
		detail  string
		advice  string
	}{
		"all well":             {tracked("2", roster.SourceX11), wire.TroubleNone, api.CheckOK, "known of every session", ""},
		"a seat is no focus":   {tracked("2", roster.SourceSeat), wire.TroubleNoDevices, api.CheckOK, "known of every session", ""},
		"X without a manager":  {tracked("2", roster.SourceX11), wire.TroubleNoWindowManager, api.CheckWarning, "session 2 of anna has no window manager", "EWMH"},
		"a display that waits": {virtual, wire.TroubleNoWindowManager, api.CheckOK, "session x1 of anna on :1 is measured as soon as", ""},
		"a silent compositor":  {tracked("2", roster.SourceWayland), wire.TroubleNoFocus, api.CheckWarning, "does not say", "sway"},
		"GNOME":                {tracked("2", roster.SourceWayland), wire.TroubleNoGNOMEExtension, api.CheckWarning, "extension", "apt install trackerd-gnome"},
		"of a later version":   {tracked("2", roster.SourceWayland), 200, api.CheckWarning, "not wholly seen", "journalctl"},
	} {
		c := checkFocus([]Helper{{State: helper.State{Session: tc.session, Phase: helper.PhaseRunning, Trouble: tc.trouble}}})
		if c.Result != tc.result || !strings.Contains(c.Detail, tc.detail) || (c.Advice == "") != (tc.advice == "") || !strings.Contains(c.Advice, tc.advice) {
			t.Errorf("%s: got %+v", name, c)
		}
	}
}

// A locked screen is shown, whatever kind of session it is of.
func TestLockedSessions(t *testing.T) {
	yes, no := true, false
	for name, test := range map[string]struct {
		of   roster.Tracked
		want bool
	}{
		"no locker tells":    {roster.Tracked{Kind: api.SessionRDP}, false},
		"over RDP":           {roster.Tracked{Kind: api.SessionRDP, ScreenLocked: &yes}, true},
		"over RDP, unlocked": {roster.Tracked{Kind: api.SessionRDP, ScreenLocked: &no}, false},
		"at a seat":          {roster.Tracked{Kind: api.SessionLocal, Locked: true}, true},
	} {
		if got := sessionOf(&helper.State{Session: test.of}, time.Time{}, time.Minute); got.Locked != test.want {
			t.Errorf("%s: %v", name, got.Locked)
		}
	}
}

func TestScreenshotsAreExplained(t *testing.T) {
	t.Parallel()
	if c := checkScreenshots([]control.Session{{ID: "c1"}}); c != nil {
		t.Errorf("none are taken: %+v", c)
	}
	c := checkScreenshots([]control.Session{
		{ID: "c1", Screenshots: &control.Pictures{}},
		{ID: "c2", Screenshots: &control.Pictures{WhyNot: "its screen is locked", LastFailed: "a window was open"}},
	})
	const want = "may be taken of session c1; not of session c2 now: its screen is locked (and not the last time: a window was open)"
	if len(c) != 1 || c[0].Detail != want || c[0].Result != api.CheckOK {
		t.Errorf("%+v", c)
	}
}
