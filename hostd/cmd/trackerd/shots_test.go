package main

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/hostd/buffer"
	"activity-tracker.example/hostd/config"
	"activity-tracker.example/hostd/helper"
	"activity-tracker.example/hostd/outbound"
	"activity-tracker.example/hostd/policy"
	"activity-tracker.example/hostd/receipts"
	"activity-tracker.example/hostd/roster"
	rules "activity-tracker.example/server/api/policy"
	"activity-tracker.example/sessiond/wire"
)

// pictured is a daemon with what decides about pictures, under a file's rules.
func pictured(t *testing.T, file rules.Document) *daemon {
	t.Helper()
	dir := t.TempDir()
	d := &daemon{cfg: config.Config{IdleAfter: time.Minute, CollectInterval: time.Minute, SendInterval: time.Minute}}
	d.policy = policy.New(policy.Options{
		Rules: file, Changed: func() {}, File: filepath.Join(dir, policyFile), PausesFile: filepath.Join(dir, pausesFile),
	})
	b, err := buffer.Open(filepath.Join(dir, "buffer.db"), buffer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	d.receipts, err = receipts.New(receipts.Options{Buffer: b, Target: func() (outbound.Target, bool) { return outbound.Target{}, false }})
	if err != nil {
		t.Fatal(err)
	}
	yes := true
	d.connected = func(roster.Tracked) (*bool, error) { return &yes, nil }
	return d
}

// atWork is a session of which a picture may be taken.
func atWork() helper.State {
	return helper.State{
		Session: roster.Tracked{Source: roster.SourceX11, MachineID: "host-1-alice", Username: "alice", UID: 1000}, Phase: helper.PhaseRunning,
		LastReport: time.Now(), IdleMS: 1000,
	}
}

// Each thing that keeps a picture from being taken does so alone.
func TestWhyNoPicture(t *testing.T) {
	t.Parallel()
	on := true
	shown := rules.Document{Screenshots: &rules.Screenshots{Allow: &on}}
	d := pictured(t, shown)
	s := atWork()
	if why := d.whyNot(&s); !strings.Contains(why, "notice") {
		t.Errorf("before it is confirmed: %q", why)
	}
	version := d.currentNotice().Version
	if _, err := d.receipts.Add(s.Session.MachineID, version); err != nil {
		t.Fatal(err)
	}
	if why := d.whyNot(&s); why != "" {
		t.Fatalf("at work: %q", why)
	}
	yes, no := true, false
	for want, change := range map[string]func(*helper.State){
		"Wayland":     func(s *helper.State) { s.Session.Source = roster.SourceWayland },
		"measured":    func(s *helper.State) { s.Phase = helper.PhaseWaiting },
		"locked":      func(s *helper.State) { s.Session.Locked = true },
		" locked":     func(s *helper.State) { s.Session.ScreenLocked = &yes },
		"is locked":   func(s *helper.State) { s.Locked = true },
		"active":      func(s *helper.State) { s.IdleMS = 60_000 },
		" active":     func(s *helper.State) { s.LastReport = time.Now().Add(-time.Minute) },
		"is active":   func(s *helper.State) { s.IdleMS = wire.IdleUnknown },
		"y is active": func(s *helper.State) { s.LastReport = time.Time{} },
		"notice":      func(s *helper.State) { s.Session.MachineID = "host-1-bob" },
	} {
		one := atWork()
		one.Session.ScreenLocked = &no
		change(&one)
		if why := d.whyNot(&one); !strings.Contains(why, want) {
			t.Errorf("want %q: %q", want, why)
		}
	}
	d.connected = func(roster.Tracked) (*bool, error) { return &no, nil }
	if why := d.whyNot(&s); !strings.Contains(why, "nobody is connected") {
		t.Errorf("disconnected: %q", why)
	}
	for _, unknown := range []func(roster.Tracked) (*bool, error){
		func(roster.Tracked) (*bool, error) { return nil, nil },
		func(roster.Tracked) (*bool, error) { return &yes, errors.New("it cannot be asked") },
	} {
		d.connected = unknown
		if why := d.whyNot(&s); !strings.Contains(why, "cannot be known") {
			t.Errorf("not known: %q", why)
		}
	}
}

// Pauses, work hours and titles that are off keep pictures from being taken at once, and
// other rules make another notice, which has to be confirmed again.
func TestNoPictureByRules(t *testing.T) {
	t.Parallel()
	on, off := true, false
	never, err := rules.Parse([]byte(`{"work_hours":{"tz":"UTC"}}`))
	if err != nil {
		t.Fatal(err)
	}
	shown := func() rules.Document {
		return rules.Document{Screenshots: &rules.Screenshots{Allow: &on}}
	}
	closed, untitled, readable, dark := shown(), shown(), shown(), shown()
	closed.WorkHours, untitled.Titles, readable.Screenshots.Kind, dark.Screenshots = never.WorkHours, &off, rules.Readable, nil
	versions := map[string]bool{}
	for name, c := range map[string]struct {
		file rules.Document
		want string
	}{
		"on": {shown(), "notice"}, "outside work hours": {closed, "measured"}, "without titles": {untitled, "titles"}, "readable": {readable, "notice"}, "off": {dark, "notice"},
	} {
		d, s := pictured(t, c.file), atWork()
		if why := d.whyNot(&s); !strings.Contains(why, c.want) {
			t.Errorf("%s: %q", name, why)
		}
		n := d.currentNotice()
		if names := strings.Contains(n.Text, "a picture of your screen,"); names != (c.file.Screenshots != nil && c.file.Titles == nil) {
			t.Errorf("%s: that pictures are taken is told: %v", name, names)
		}
		if versions[n.Version] {
			t.Errorf("%s: the notice of other rules", name)
		}
		versions[n.Version] = true
		if got := d.pictureRules(); got.On != (c.file.Screenshots != nil) || got.Interval != 10*time.Minute {
			t.Errorf("%s: %+v", name, got)
		}
	}
	d, s := pictured(t, shown()), atWork()
	if _, err := d.receipts.Add(s.Session.MachineID, d.currentNotice().Version); err != nil {
		t.Fatal(err)
	}
	if _, err := d.policy.Pause(policy.Account{MachineID: s.Session.MachineID, UID: s.Session.UID}, time.Hour); err != nil {
		t.Fatal(err)
	}
	if why := d.whyNot(&s); !strings.Contains(why, "measured") {
		t.Errorf("paused: %q", why)
	}
}
