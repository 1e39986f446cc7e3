package main

import (
	"strings"
	"testing"
	"time"

	"activity-tracker.example/hostd/control"
	"activity-tracker.example/hostd/helper"
	"activity-tracker.example/hostd/logind"
	"activity-tracker.example/hostd/roster"
	"activity-tracker.example/sessiond/wire"
)

func TestStatusLine(t *testing.T) {
	uploaded := time.Date(2026, time.November, 22, 12, 3, 5, 0, time.UTC)
	enrolled := control.Destination{URL: "https://a.example", Enrolled: true}
	for want, f := range map[string]facts{
		"Tracking 2 sessions; 14 events waiting; last upload 2026-11-22 12:03:05 UTC": {
			sessions: 2, waiting: 14, server: enrolled, upload: control.Upload{LastSuccess: &uploaded},
		},
		"Tracking 0 sessions; 1 event waiting; no upload yet; upload failing: the server answered 503": {
			waiting: 1, server: enrolled, upload: control.Upload{LastError: "the server answered 503"},
		},
		"Not enrolled: run 'trackctl enroll URL -' as root; tracking 1 session; 12 events waiting": {
			sessions: 1, waiting: 12,
		},
		"Not enrolled: run 'trackctl enroll https://a.example -' as root; tracking 1 session; 0 events waiting": {
			sessions: 1, server: control.Destination{URL: "https://a.example"},
		},
		"Tracking 1 session; 0 events waiting; no upload yet; 2 users not measured: see 'trackctl doctor'": {
			sessions: 1, server: enrolled, leftOut: 2,
		},
		"Not enrolled: the credential is damaged; tracking 0 sessions; 0 events waiting; the disk is full": {
			server: control.Destination{Problem: "the credential is damaged"}, problem: "the disk is full",
		},
	} {
		if got := f.line(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	long := facts{server: enrolled, upload: control.Upload{LastError: strings.Repeat("ä", maxErrorBytes) + "\nsecond"}}.line()
	if len(long) > 2*maxErrorBytes || strings.Contains(long, "\n") || strings.Contains(long, "\ufffd") {
		t.Errorf("long error: %q", long)
	}
}

func TestCheckClock(t *testing.T) {
	now := time.Date(2026, time.November, 22, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		date   string
		result control.CheckResult
		detail string
	}{
		"same":   {"Sun, 22 Nov 2026 12:00:00 GMT", control.CheckOK, "within 30s"},
		"near":   {"Sun, 22 Nov 2026 12:00:30 GMT", control.CheckOK, "within 30s"},
		"behind": {"Sun, 22 Nov 2026 13:00:00 GMT", control.CheckFailed, "1h0m0s behind the server's"},
		"ahead":  {"Sun, 22 Nov 2026 11:59:00 GMT", control.CheckFailed, "1m0s ahead of the server's"},
		"absent": {"", control.CheckSkipped, "does not say"},
		"absurd": {"yesterday", control.CheckSkipped, "does not say"},
	} {
		got := checkClock(c.date, now, now.Add(200*time.Millisecond))
		if got.Result != c.result || !strings.Contains(got.Detail, c.detail) || (got.Result == control.CheckFailed) != (got.Advice != "") {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestSessionState(t *testing.T) {
	now := time.Date(2026, time.November, 22, 12, 0, 0, 0, time.UTC)
	ago := func(s int) time.Time { return now.Add(-time.Duration(s) * time.Second) }
	for name, c := range map[string]struct {
		state helper.State
		want  control.SessionState
	}{
		"just started":         {helper.State{Phase: helper.PhaseStarting, Since: ago(1)}, control.SessionStarting},
		"not heard yet":        {helper.State{Phase: helper.PhaseRunning, Since: ago(60)}, control.SessionStarting},
		"never heard":          {helper.State{Phase: helper.PhaseRunning, Since: ago(91)}, control.SessionSilent},
		"heard":                {helper.State{Phase: helper.PhaseRunning, Since: ago(900), LastReport: ago(60)}, control.SessionReporting},
		"not heard any more":   {helper.State{Phase: helper.PhaseRunning, Since: ago(900), LastReport: ago(91)}, control.SessionSilent},
		"restarted, not heard": {helper.State{Phase: helper.PhaseRunning, Since: ago(5), LastReport: ago(6)}, control.SessionStarting},
		"ended":                {helper.State{Phase: helper.PhaseWaiting, Since: ago(1), LastReport: ago(1)}, control.SessionRetrying},
	} {
		if got := sessionState(&c.state, now, 90*time.Second); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

func TestDevicesCheck(t *testing.T) {
	seat := func(trouble wire.Trouble) helper.State {
		return helper.State{
			Session: roster.Tracked{Source: roster.SourceSeat, Key: logind.SessionKey{ID: "2"}, Username: "anna", Seat: "seat0"},
			Phase:   helper.PhaseRunning, Trouble: trouble,
		}
	}
	if got := devicesCheck([]helper.State{{Session: roster.Tracked{Source: roster.SourceX11}}}); got != nil {
		t.Errorf("without a seat's devices: %+v", got)
	}
	for name, c := range map[string]struct {
		states []helper.State
		result control.CheckResult
		words  []string
	}{
		"well":       {[]helper.State{seat(wire.TroubleNone)}, control.CheckOK, []string{"seat0", "anna", "unlock password"}},
		"none":       {[]helper.State{seat(wire.TroubleNoDevices)}, control.CheckWarning, []string{"no keyboard", "anna"}},
		"closed":     {[]helper.State{seat(wire.TroubleNoAccess)}, control.CheckFailed, []string{"cannot be opened"}},
		"both":       {[]helper.State{seat(wire.TroubleNoAccess), seat(wire.TroubleNoDevices)}, control.CheckFailed, nil},
		"of a later": {[]helper.State{seat(200)}, control.CheckWarning, []string{"not all seen"}},
	} {
		got := devicesCheck(c.states)
		if len(got) != 1 || got[0].Result != c.result {
			t.Errorf("%s: %+v", name, got)
			continue
		}
		for _, word := range c.words {
			if !strings.Contains(got[0].Detail, word) {
				t.Errorf("%s: %q has no %q", name, got[0].Detail, word)
			}
		}
	}
}
