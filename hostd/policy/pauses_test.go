package policy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/hostd/roster"
	rules "activity-tracker.example/server/api/policy"
)

// pausing is a policy that keeps pauses in a file, with a clock that a test sets.
func pausing(t *testing.T, file string, d rules.Document, now *time.Time) *Policy {
	t.Helper()
	return New(Options{Rules: d, PausesFile: file, Changed: func() {}, Now: func() time.Time { return *now }})
}

func mustPause(t *testing.T, p *Policy, machineID string, length time.Duration) time.Time {
	t.Helper()
	until, err := p.Pause(Account{machineID, 1000}, length)
	if err != nil {
		t.Fatal(err)
	}
	return until
}

// tracked lists who is measured.
func tracked(p *Policy) (names []string) {
	for _, one := range p.Allow(roster.Result{Tracked: []roster.Tracked{{MachineID: "a", Username: "a"}, {MachineID: "b", Username: "b"}}}).Tracked {
		names = append(names, one.MachineID)
	}
	return names
}

// A pause is its account's alone, survives a restart, ends by itself or before, and says
// to the second when nothing was collected.
func TestPause(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pauses.json")
	start := unix(t, "2026-11-23T12:00:00Z")
	now := time.Unix(start, 300_000_000)
	p := pausing(t, file, rules.Document{}, &now)
	if until := mustPause(t, p, "a", 30*time.Minute); until.Unix() != start+1800 {
		t.Errorf("until %v", until)
	}
	p = pausing(t, file, rules.Document{}, &now)
	if got := tracked(p); !reflect.DeepEqual(got, []string{"b"}) {
		t.Errorf("measured after a restart: %v", got)
	}
	other := Account{"a", 1001}
	if _, err := p.Pause(other, time.Hour); err == nil {
		t.Error("another user changes the pause")
	}
	if was, err := p.Resume(other); was || err == nil {
		t.Error("another user ends the pause")
	}
	now = time.Unix(start+600, 0)
	if until := mustPause(t, p, "a", time.Minute); until.Unix() != start+660 { // it ends earlier
		t.Errorf("until %v", until)
	}
	now = time.Unix(start+659, 999_000_000)
	if got := tracked(p); !reflect.DeepEqual(got, []string{"b"}) {
		t.Errorf("measured just before the end: %v", got)
	}
	now = time.Unix(start+660, 0)
	if got := tracked(p); !reflect.DeepEqual(got, []string{"a", "b"}) {
		t.Errorf("measured at the end: %v", got)
	}
	now = time.Unix(start+1000, 0)
	mustPause(t, p, "a", time.Hour)
	now = time.Unix(start+1005, 900_000_000)
	if was, err := p.Resume(Account{"a", 1000}); !was || err != nil {
		t.Error(was, err)
	}
	if was, err := p.Resume(Account{"a", 1000}); was || err != nil {
		t.Error("resumed twice:", was, err)
	}
	want := []Gap{{start + 1, start + 660, ReasonPause}, {start + 1000, start + 1005, ReasonPause}}
	p = pausing(t, file, rules.Document{}, &now)
	if got := p.Gaps("a", start-100, start+5000); !reflect.DeepEqual(got, want) {
		t.Errorf("gaps %v, want %v", got, want)
	}
	if got := p.Gaps("a", start+600, start+1002); !reflect.DeepEqual(got, []Gap{{start + 600, start + 660, ReasonPause}, {start + 1000, start + 1002, ReasonPause}}) {
		t.Errorf("within: %v", got)
	}
	if got := p.Gaps("b", start-100, start+5000); got != nil {
		t.Errorf("the other account: %v", got)
	}
}

// What lies outside work hours is that, whatever was paused.
func TestPauseWithinWorkHours(t *testing.T) {
	now := time.Unix(unix(t, "2026-11-23T12:50:00Z"), 0)
	p := pausing(t, filepath.Join(t.TempDir(), "f"), rules.Document{WorkHours: hours(t, "UTC", day("mon-fri", "09:00-13:00", "14:00-14:30", "15:00-18:00"))}, &now)
	mustPause(t, p, "a", 4*time.Hour)
	at := func(s string) int64 { return unix(t, "2026-11-23T"+s+":00Z") }
	want := []Gap{
		{at("12:50"), at("13:00"), ReasonPause},
		{at("13:00"), at("14:00"), ReasonHours},
		{at("14:00"), at("14:30"), ReasonPause},
		{at("14:30"), at("15:00"), ReasonHours},
		{at("15:00"), at("16:50"), ReasonPause},
	}
	if got := p.Gaps("a", at("12:00"), at("17:00")); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestPauseIsRefused(t *testing.T) {
	now := time.Unix(unix(t, "2026-11-23T12:00:00Z"), 0)
	off := false
	forbidden := pausing(t, filepath.Join(t.TempDir(), "f"), rules.Document{Pause: &off}, &now)
	allowed := pausing(t, filepath.Join(t.TempDir(), "f"), rules.Document{}, &now)
	for _, c := range []struct {
		p      *Policy
		length time.Duration
		want   string
	}{
		{forbidden, time.Hour, "pausing is not allowed here (file)"},
		{allowed, 0, "a pause lasts from a minute to 8 hours"},
		{allowed, -time.Hour, "a pause lasts from a minute to 8 hours"},
		{allowed, MinPause - 1, "a pause lasts from a minute to 8 hours"},
		{allowed, 10 * 365 * 24 * time.Hour, "a pause lasts from a minute to 8 hours"},
	} {
		_, err := c.p.Pause(Account{"a", 1000}, c.length)
		var refused *NoPauseError
		if !errors.As(err, &refused) || err.Error() != c.want || refused.Forbidden != (c.p == forbidden) {
			t.Errorf("%v: %v, want %s", c.length, err, c.want)
		}
	}
	if got := tracked(allowed); len(got) != 2 {
		t.Errorf("measured: %v", got)
	}
}

// However often somebody pauses, little is kept of it; a day later they may again.
func TestManyPauses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pauses.json")
	now := time.Unix(unix(t, "2026-11-23T12:00:00Z"), 0)
	p := pausing(t, file, rules.Document{}, &now)
	pauseOnce := func() error {
		now = now.Add(2 * time.Second)
		if _, err := p.Pause(Account{"a", 1000}, time.Hour); err != nil {
			return err
		}
		mustPause(t, p, "a", 2*time.Hour) // which begins no other one
		now = now.Add(2 * time.Second)
		_, err := p.Resume(Account{"a", 1000})
		return err
	}
	for i := range maxPauses {
		if err := pauseOnce(); err != nil {
			t.Fatal(i, err)
		}
	}
	for range 1000 {
		if err := pauseOnce(); err == nil || !strings.Contains(err.Error(), "there were 100 pauses lately") {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(file); err != nil || info.Size() > 100*maxPauses {
		t.Error(info.Size(), err)
	}
	now = now.Add(remembered)
	for range 3 {
		if err := pauseOnce(); err != nil {
			t.Error(err)
		}
	}
	if n := len(p.pauses["a"]); n != maxPauses {
		t.Errorf("%d are kept", n)
	}
}

// One that a rule no longer allows ends, and one whose end the clock has gone far from
// does not last.
func TestPauseEndsEarly(t *testing.T) {
	now := time.Unix(unix(t, "2026-11-23T12:00:00Z"), 0)
	p := pausing(t, filepath.Join(t.TempDir(), "f"), rules.Document{}, &now)
	mustPause(t, p, "a", time.Hour)
	now = now.Add(-24 * 365 * time.Hour)
	if len(p.Paused()) != 0 {
		t.Error("paused for a year, since the clock was set back")
	}
	now = now.Add(24*365*time.Hour + time.Minute)
	if len(p.Paused()) != 1 {
		t.Error("not paused")
	}
	off := false
	p.o.Rules.Pause = &off
	p.apply()
	if len(p.Paused()) != 0 {
		t.Error("paused although it is not allowed")
	}
	if got := p.Missing("a", now.Unix()-60, now.Unix()+600); got != 60 {
		t.Errorf("%d s missing", got)
	}
}

// A file that is damaged, or holds what cannot be, is none.
func TestDamagedPauses(t *testing.T) {
	now := time.Unix(unix(t, "2026-11-23T12:00:00Z"), 0)
	file := filepath.Join(t.TempDir(), "f")
	for _, text := range []string{
		"", "{", `[]`, `{"a":[{"Start":5,"End":4}]}`, `{"a":[{"Start":5,"End":9},{"Start":8,"End":99999999999}]}`,
		fmt.Sprintf(`{"a":[%s{"Start":1,"End":2}]}`, strings.Repeat(`{"Start":0,"End":1},`, maxPauses)),
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p := pausing(t, file, rules.Document{}, &now)
		if got := p.Gaps("a", 0, 1000); got != nil {
			t.Errorf("%.50s: %v", text, got)
		}
		mustPause(t, p, "a", time.Hour)
	}
}

// Run has it be looked again when a pause begins, is ended, and ends by itself.
func TestRunFollowsPauses(t *testing.T) {
	changed := make(chan struct{}, 1)
	start, begin := time.Unix(unix(t, "2026-11-23T12:00:00Z"), 0), time.Now()
	p := New(Options{
		PausesFile: filepath.Join(t.TempDir(), "f"),
		Changed:    func() { changed <- struct{}{} },
		Now:        func() time.Time { return start.Add(60 * time.Since(begin)).Round(0) }, // a minute a second
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { _ = p.Run(ctx) }() // it ends with ctx, without an error
	<-changed
	mustPause(t, p, "a", time.Hour)
	<-changed
	if _, err := p.Resume(Account{"a", 1000}); err != nil {
		t.Fatal(err)
	}
	<-changed
	until := mustPause(t, p, "a", time.Minute)
	<-changed
	<-changed
	if now := p.o.Now(); now.Before(until) {
		t.Errorf("looked again at %v, before %v", now, until)
	}
}
