package asking

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/hostd/buffer"
	"activity-tracker.example/hostd/helper"
	"activity-tracker.example/hostd/notice"
	"activity-tracker.example/hostd/roster"
)

// rig is an asker with windows that answer what the test says, on a real buffer.
type rig struct {
	t         *testing.T
	dir       string
	buf       *buffer.Buffer
	a         *Asker
	now       time.Time
	notice    notice.Notice
	sessions  []helper.State
	answers   map[string]Answer // by machine_id; no entry fails
	shown     []string
	confirmed []string
	full      bool // confirming fails
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{
		t: t, dir: t.TempDir(), now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), answers: map[string]Answer{},
		notice: notice.Notice{Version: "v1", Text: "all of it", Login: "some of it"},
	}
	r.restart()
	t.Cleanup(func() { _ = r.buf.Close() })
	return r
}

func (r *rig) restart() {
	r.t.Helper()
	var err error
	if r.buf != nil {
		if err := r.buf.Close(); err != nil {
			r.t.Fatal(err)
		}
	}
	if r.buf, err = buffer.Open(filepath.Join(r.dir, "buffer.db"), buffer.Options{}); err != nil {
		r.t.Fatal(err)
	}
	r.a, err = New(Options{
		Buffer: r.buf, Now: func() time.Time { return r.now }, File: filepath.Join(r.dir, "motd"),
		Notice: func() notice.Notice { return r.notice }, Sessions: func() []helper.State { return r.sessions },
		Read: func(machineID, version string) bool { return slices.Contains(r.confirmed, machineID+" "+version) },
		Confirm: func(machineID, version string) error {
			if r.full {
				return errors.New("the disk is full")
			}
			r.confirmed = append(r.confirmed, machineID+" "+version)
			return nil
		},
		Show: func(_ context.Context, s *roster.Tracked, text string) (Answer, error) {
			r.shown = append(r.shown, fmt.Sprint(s.MachineID, s.Display, " ", text))
			answer, ok := r.answers[s.MachineID]
			if !ok {
				return Unasked, errors.New("no display")
			}
			return answer, nil
		},
		Clear: func(context.Context) {},
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// at are sessions of accounts, each with a display.
func (r *rig) at(displays ...string) {
	r.sessions = nil
	for _, d := range displays {
		who, display, _ := strings.Cut(d, ":")
		r.sessions = append(r.sessions, helper.State{
			Session: roster.Tracked{MachineID: who, Display: ":" + display}, Phase: helper.PhaseRunning, LastReport: r.now,
		})
	}
}

// look asks whoever is due, one after the other, and returns who saw what.
func (r *rig) look() string {
	r.shown = nil
	for _, session := range r.a.due(r.notice) {
		r.a.ask(r.t.Context(), &session, r.notice)
	}
	return strings.Join(r.shown, ", ")
}

// An account is asked in one of its sessions, once a day until it has confirmed, over
// restarts; another version is asked about a day later.
func TestAskedOnceADay(t *testing.T) {
	r := newRig(t)
	r.at("ann:10", "bob:11", "ann:12", "eve:13")
	r.answers["ann"], r.answers["bob"] = Confirmed, Declined
	if got := r.look(); got != "ann:10 all of it, bob:11 all of it, eve:13 all of it" {
		t.Errorf("shown to %q", got)
	}
	if !slices.Equal(r.confirmed, []string{"ann v1"}) {
		t.Errorf("confirmed %q", r.confirmed)
	}
	r.now = r.now.Add(askEvery - time.Second)
	r.restart()
	if got := r.look(); got != "" {
		t.Errorf("within a day shown to %q", got)
	}
	r.now = r.now.Add(time.Second)
	if got := r.look(); got != "bob:11 all of it, eve:13 all of it" {
		t.Errorf("a day later shown to %q", got)
	}
	r.now = r.now.Add(time.Hour)
	r.notice.Version = "v2"
	if got := r.look(); got != "ann:10 all of it" {
		t.Errorf("another version is shown to %q", got)
	}
	r.now = r.now.AddDate(0, 0, -30)
	if got := r.look(); got != "bob:11 all of it, eve:13 all of it" {
		t.Errorf("once the clock was put right shown to %q", got)
	}
}

// A window that the daemon's end closed was seen by nobody, and comes again; one whose
// answer could not be kept comes the next day.
func TestWindowsThatEndWithoutAnAnswer(t *testing.T) {
	r := newRig(t)
	r.at("ann:10", "bob:11")
	r.answers["ann"], r.answers["bob"], r.full = Unasked, Confirmed, true
	_ = r.look()
	if got := r.look(); got != "ann:10 all of it" {
		t.Errorf("shown to %q", got)
	}
	r.full, r.now = false, r.now.Add(askEvery)
	if got := r.look(); got != "ann:10 all of it, bob:11 all of it" || !slices.Equal(r.confirmed, []string{"bob v1"}) {
		t.Errorf("shown to %q, confirmed %q", got, r.confirmed)
	}
}

// Nobody is asked where nothing is to be said, or twice at once.
func TestNobodyIsAskedInVain(t *testing.T) {
	r := newRig(t)
	r.at("ann:10")
	r.notice.Login = ""
	if list := r.a.due(r.notice); list != nil {
		t.Errorf("asked %v", list)
	}
	r.notice.Login = "some of it"
	if first, second := r.a.due(r.notice), r.a.due(r.notice); len(first) != 1 || second != nil {
		t.Errorf("asked %v, and %v", first, second)
	}
}

// A window opens where somebody can see it: not on a desktop that does not answer yet, is
// locked, or has nobody before it, and not for a seat's devices.
func TestAttended(t *testing.T) {
	at := helper.State{Session: roster.Tracked{MachineID: "ann", Display: ":10"}, Phase: helper.PhaseRunning, LastReport: time.Unix(1, 0)}
	there := true
	connected := func(roster.Tracked) (*bool, error) { return &there, nil }
	unknown := func(roster.Tracked) (*bool, error) { return nil, errors.New("no xrdp") }
	for name, c := range map[string]struct {
		change    func(*helper.State)
		connected func(roster.Tracked) (*bool, error)
		want      int
	}{
		"there":          {func(*helper.State) {}, connected, 1},
		"who knows":      {func(*helper.State) {}, unknown, 1},
		"nobody asks":    {func(*helper.State) {}, nil, 1},
		"starting":       {func(s *helper.State) { s.Phase = helper.PhaseStarting }, connected, 0},
		"not heard":      {func(s *helper.State) { s.LastReport = time.Time{} }, connected, 0},
		"locked":         {func(s *helper.State) { s.Session.Locked = true }, connected, 0},
		"seat's devices": {func(s *helper.State) { s.Session.Source = roster.SourceSeat }, connected, 0},
		"away":           {func(*helper.State) { there = false }, connected, 0},
	} {
		there = true
		s := at
		c.change(&s)
		if got := attended([]helper.State{s}, c.connected); len(got) != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Of many who log in at once some are asked at a time, and not all have windows.
func TestManyAreAskedByAndBy(t *testing.T) {
	r := newRig(t)
	var many []string
	for i := range 2 * maxWindows {
		many = append(many, fmt.Sprintf("m%d:%d", i, i))
	}
	r.at(many...)
	total := 0
	for range 2 * maxWindows {
		n := len(r.a.due(r.notice))
		total += n
		if n > perLook {
			t.Errorf("%d windows at once", n)
		}
	}
	if total != maxWindows {
		t.Errorf("%d windows are open", total)
	}
}

// The file for terminals is there while there is something to say.
func TestFileForTerminals(t *testing.T) {
	r := newRig(t)
	for _, text := range []string{"", "one", "one", "two", "", ""} {
		if err := r.a.writeFile(text); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(r.a.o.File)
		if string(got) != text || (err == nil) != (text != "") {
			t.Errorf("%q, %v; want %q", got, err, text)
		}
		if info, err := os.Stat(r.a.o.File); err == nil && info.Mode().Perm() != 0o644 {
			t.Errorf("mode %v", info.Mode())
		}
	}
}

// Run asks, and ends with its windows.
func TestRun(t *testing.T) {
	r := newRig(t)
	r.at("ann:10")
	shown := make(chan struct{})
	r.a.o.Show = func(ctx context.Context, _ *roster.Tracked, _ string) (Answer, error) {
		close(shown)
		<-ctx.Done()
		return Unasked, nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- r.a.Run(ctx) }()
	<-shown
	cancel()
	if err := <-ended; err != nil || len(r.a.open) != 0 || len(r.a.asked) != 0 {
		t.Error(err, r.a.open, r.a.asked)
	}
}
