package doctor

import (
	"errors"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/hostd/buffer"
	"activity-tracker.example/hostd/collect"
	"activity-tracker.example/hostd/config"
	"activity-tracker.example/hostd/control"
	"activity-tracker.example/hostd/enrollment"
	"activity-tracker.example/hostd/helper"
	"activity-tracker.example/hostd/logind"
	"activity-tracker.example/hostd/roster"
	"activity-tracker.example/hostd/upload"
	"activity-tracker.example/server/api"
	"activity-tracker.example/sessiond/wire"
)

func TestCheckClock(t *testing.T) {
	now := time.Date(2026, time.November, 22, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		date   string
		result api.CheckResult
		detail string
	}{
		"same":   {"Sun, 22 Nov 2026 12:00:00 GMT", api.CheckOK, "within 30s"},
		"near":   {"Sun, 22 Nov 2026 12:00:30 GMT", api.CheckOK, "within 30s"},
		"behind": {"Sun, 22 Nov 2026 13:00:00 GMT", api.CheckFailed, "1h0m0s behind the server's"},
		"ahead":  {"Sun, 22 Nov 2026 11:59:00 GMT", api.CheckFailed, "1m0s ahead of the server's"},
		"absent": {"", api.CheckSkipped, "does not say"},
		"absurd": {"yesterday", api.CheckSkipped, "does not say"},
	} {
		got := checkClock(&Answer{Date: c.date, Asked: now, Answered: now.Add(200 * time.Millisecond)})
		if got.Result != c.result || !strings.Contains(got.Detail, c.detail) || (got.Result == api.CheckFailed) != (got.Advice != "") {
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
	seat := func(trouble wire.Trouble) Helper {
		return Helper{State: helper.State{
			Session: roster.Tracked{Source: roster.SourceSeat, Key: logind.SessionKey{ID: "2"}, Username: "anna", Seat: "seat0"},
			Phase:   helper.PhaseRunning, Trouble: trouble,
		}}
	}
	if got := checkDevices([]Helper{{State: helper.State{Session: roster.Tracked{Source: roster.SourceX11}}}}); got != nil {
		t.Errorf("without a seat's devices: %+v", got)
	}
	for name, c := range map[string]struct {
		states []Helper
		result api.CheckResult
		words  []string
	}{
		"well":       {[]Helper{seat(wire.TroubleNone)}, api.CheckOK, []string{"seat0", "anna", "unlock password"}},
		"none":       {[]Helper{seat(wire.TroubleNoDevices)}, api.CheckWarning, []string{"no keyboard", "anna"}},
		"closed":     {[]Helper{seat(wire.TroubleNoAccess)}, api.CheckFailed, []string{"cannot be opened"}},
		"both":       {[]Helper{seat(wire.TroubleNoAccess), seat(wire.TroubleNoDevices)}, api.CheckFailed, nil},
		"of a later": {[]Helper{seat(200)}, api.CheckWarning, []string{"not all seen"}},
	} {
		got := checkDevices(c.states)
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

func TestCheckRejected(t *testing.T) {
	at := time.Date(2026, time.November, 22, 12, 0, 0, 0, time.UTC)
	group := func(code, machine string) upload.Status {
		return upload.Status{Later: []upload.Group{{Group: buffer.Group{Code: code, MachineID: machine}, Events: 3, NextTry: at}}}
	}
	for name, c := range map[string]struct {
		uploading      upload.Status
		stored         buffer.Status
		result         api.CheckResult
		detail, advice string
	}{
		"nothing":            {upload.Status{}, buffer.Status{}, api.CheckOK, "has taken all", ""},
		"another host's":     {group("foreign_machine", "vm-1-ann"), buffer.Status{}, api.CheckWarning, "3 events of vm-1-ann wait: another host reported this machine_id first; one is tried again at 2026-11-22 12:00:00 UTC", "trackerd-server machine move MACHINE_ID --to 0123"},
		"ahead of the clock": {group("bad_timestamp", "vm-1-ann"), buffer.Status{}, api.CheckWarning, "a day ahead", "timedatectl"},
		"too many":           {group("too_many_machines", ""), buffer.Status{}, api.CheckWarning, "3 events wait: the server takes no more", "host list"},
		"of a newer server":  {group("from_tomorrow", "vm-1-ann"), buffer.Status{}, api.CheckWarning, "says from_tomorrow", "newer trackerd"},
		"for good":           {upload.Status{}, buffer.Status{Dead: map[string]int{"too_long": 2}}, api.CheckWarning, "2 events rejected for good (too_long)", "trackctl rejected list"},
		"erased":             {upload.Status{}, buffer.Status{Forgotten: 1}, api.CheckOK, "1 event of people who were erased", ""},
	} {
		got := checkRejected(&Facts{HostID: "0123", Uploading: c.uploading, Buffer: c.stored})
		if got.Result != c.result || !strings.Contains(got.Detail, c.detail) || !strings.Contains(got.Advice, c.advice) || (got.Advice == "") != (c.advice == "") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestCheckServerAndCredential(t *testing.T) {
	const url = "https://a.example"
	enrolled := enrollment.State{Enrolled: true, ServerURL: url}
	ready := Answer{Status: 200}
	for name, c := range map[string]struct {
		facts              Facts
		server, credential api.CheckResult
		says               string
	}{
		"well":              {Facts{Enrolled: enrolled, Server: ready, Credential: ready}, api.CheckOK, api.CheckOK, "accepts it"},
		"not enrolled":      {Facts{}, api.CheckFailed, api.CheckFailed, "trackctl enroll URL -"},
		"not any more":      {Facts{Enrolled: enrollment.State{ServerURL: url, Problem: "it was copied"}, Server: ready}, api.CheckOK, api.CheckFailed, "--host 0123"},
		"out of reach":      {Facts{Enrolled: enrolled, Server: Answer{Err: errors.New("no route")}}, api.CheckFailed, api.CheckSkipped, "without the server"},
		"not ready":         {Facts{Enrolled: enrolled, Server: Answer{Status: 503}}, api.CheckFailed, api.CheckSkipped, "without the server"},
		"revoked, a clone?": {Facts{Enrolled: enrolled, Server: ready, Credential: Answer{Status: 401}}, api.CheckOK, api.CheckFailed, "machine-id of its own"},
		"strange":           {Facts{Enrolled: enrolled, Server: ready, Credential: Answer{Status: 500}}, api.CheckOK, api.CheckWarning, "HTTP 500"},
	} {
		c.facts.HostID = "0123"
		server, _ := checkServer(&c.facts)
		credential := checkCredential(&c.facts, server)
		if server.Result != c.server || credential.Result != c.credential || !strings.Contains(credential.Detail+credential.Advice, c.says) {
			t.Errorf("%s: %+v %+v", name, server, credential)
		}
	}
}

func TestCheckBuffer(t *testing.T) {
	const plenty = 1 << 30
	for name, c := range map[string]struct {
		facts  Facts
		result api.CheckResult
		says   string
	}{
		"well":            {Facts{Disk: Disk{Free: plenty}}, api.CheckOK, "0 events waiting"},
		"no room":         {Facts{Disk: Disk{Free: 1 << 20}}, api.CheckFailed, "only 1 MiB"},
		"room unknown":    {Facts{Disk: Disk{Err: errors.New("no such folder")}}, api.CheckWarning, "no such folder"},
		"cannot be used":  {Facts{Disk: Disk{Free: plenty}, Collecting: collect.Status{Err: errors.New("read-only")}}, api.CheckFailed, "read-only"},
		"lost something":  {Facts{Disk: Disk{Free: plenty}, Buffer: buffer.Status{Dropped: 2}}, api.CheckWarning, "2 events were dropped"},
		"was replaced":    {Facts{Disk: Disk{Free: plenty}, Buffer: buffer.Status{Replaced: 1, SetAside: "/x"}}, api.CheckWarning, "the old one is /x"},
		"damaged, a bit":  {Facts{Disk: Disk{Free: plenty}, Buffer: buffer.Status{Corrupt: 1}}, api.CheckWarning, "1 value in the buffer"},
		"full and losing": {Facts{Disk: Disk{Free: 1}, Buffer: buffer.Status{Dropped: 2}}, api.CheckFailed, "2 events were dropped"},
	} {
		if got := checkBuffer(&c.facts); got.Result != c.result || !strings.Contains(got.Detail, c.says) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestCheckConfiguration(t *testing.T) {
	for file, want := range map[string]api.CheckResult{"": api.CheckOK, "/etc/trackerd/config.yaml": api.CheckWarning} {
		got := checkConfiguration(&Facts{Config: &config.Config{Exposed: file}})
		if got.Result != want || !strings.Contains(got.Advice, file) || (got.Advice != "") != (file != "") {
			t.Errorf("%q: %+v", file, got)
		}
	}
}
