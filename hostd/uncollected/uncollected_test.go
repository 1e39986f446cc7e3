package uncollected

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/hostd/buffer"
	"activity-tracker.example/hostd/policy"
	"activity-tracker.example/hostd/roster"
	"activity-tracker.example/server/api"
	rules "activity-tracker.example/server/api/policy"
)

// monday is within work hours.
var monday = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// rig is a teller on a real buffer, with the rules of a real policy and a clock that the
// test sets.
type rig struct {
	t        *testing.T
	dir      string
	buf      *buffer.Buffer
	policy   *policy.Policy
	teller   *Teller
	now      time.Time
	standing map[string]policy.Standing
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), now: monday, standing: map[string]policy.Standing{}}
	r.restart()
	t.Cleanup(func() { _ = r.buf.Close() })
	return r
}

// restart is the daemon's.
func (r *rig) restart() {
	r.t.Helper()
	if r.buf != nil {
		if err := r.buf.Close(); err != nil {
			r.t.Fatal(err)
		}
	}
	var err error
	if r.buf, err = buffer.Open(filepath.Join(r.dir, "buffer.db"), buffer.Options{}); err != nil {
		r.t.Fatal(err)
	}
	weekdays := new(rules.WorkHours)
	if err := json.Unmarshal([]byte(`{"tz":"Europe/Moscow","mon-fri":["09:00-13:00","14:00-18:00"]}`), weekdays); err != nil {
		r.t.Fatal(err)
	}
	clock := func() time.Time { return r.now }
	r.policy = policy.New(policy.Options{
		Rules: rules.Document{WorkHours: weekdays}, PausesFile: filepath.Join(r.dir, "pauses.json"), Changed: func() {}, Now: clock,
	})
	r.teller, err = New(Options{
		Buffer: r.buf, Gaps: r.policy.Gaps, Now: clock,
		Standing: func(name string) policy.Standing { return r.standing[name] },
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) know(names ...string) {
	var list []roster.Tracked
	for _, name := range names {
		list = append(list, roster.Tracked{MachineID: "m-" + name, Username: name})
	}
	r.teller.Know(list)
}

// at sets the clock, of Monday or that many days after it.
func (r *rig) at(days int, clock string) {
	r.t.Helper()
	at, err := time.Parse("15:04:05", clock)
	if err != nil {
		r.t.Fatal(err)
	}
	r.now = monday.Truncate(24*time.Hour).AddDate(0, 0, days).Add(at.Sub(at.Truncate(24 * time.Hour)))
}

func (r *rig) tell() {
	r.t.Helper()
	if err := r.teller.Tell(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) pause(name string, length time.Duration) {
	r.t.Helper()
	if _, err := r.policy.Pause(policy.Account{MachineID: "m-" + name, UID: 1000}, length); err != nil {
		r.t.Fatal(err)
	}
}

// spans are those that wait to be sent.
func (r *rig) spans() (list []api.NotCollected) {
	r.t.Helper()
	items, err := r.buf.Peek(10_000, 1<<30, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for i := range items {
		var one api.NotCollected
		if err := json.Unmarshal(items[i].Event, &one); err != nil {
			r.t.Fatal(err)
		}
		list = append(list, one)
	}
	return list
}

// told is what waits, in words: the day of the month and the clock.
func (r *rig) told() string {
	r.t.Helper()
	var words []string
	for _, s := range r.spans() {
		words = append(words, fmt.Sprintf("%s %s-%s %s", s.MachineID, s.Start.Format("02 15:04:05"), s.End.Format("02 15:04:05"), s.Reason))
	}
	return strings.Join(words, ", ")
}

// A time is told when it is over, or at the end of its day; and each once.
func TestToldWhenOver(t *testing.T) {
	r := newRig(t)
	r.know("ann")
	for _, step := range []struct {
		days        int
		clock, want string
	}{
		{0, "12:30:00", ""},
		{0, "15:00:00", ""}, // work is over in Moscow
		{0, "23:59:59", ""},
		{1, "00:00:00", "m-ann 23 15:00:00-24 00:00:00 hours"},
		{1, "06:00:00", "m-ann 23 15:00:00-24 00:00:00 hours"}, // it may go on
		{1, "06:00:01", "m-ann 23 15:00:00-24 00:00:00 hours, m-ann 24 00:00:00-24 06:00:00 hours"},
		{1, "09:00:00", "m-ann 23 15:00:00-24 00:00:00 hours, m-ann 24 00:00:00-24 06:00:00 hours"},
	} {
		r.at(step.days, step.clock)
		r.tell()
		if got := r.told(); got != step.want {
			t.Errorf("day %d, %s: told %q, want %q", step.days, step.clock, got, step.want)
		}
	}
}

// Whoever paused is measured by nobody, and yet it is told of, after a restart too.
func TestPauseIsToldAfterARestart(t *testing.T) {
	r := newRig(t)
	r.know("ann", "bob")
	r.tell()
	r.pause("ann", 10*time.Minute)
	r.at(0, "12:04:00")
	r.restart()
	r.tell()
	r.at(0, "12:09:00")
	if _, err := r.policy.Resume(policy.Account{MachineID: "m-ann", UID: 1000}); err != nil {
		t.Fatal(err)
	}
	r.at(0, "12:09:01")
	r.tell()
	const want = "m-ann 23 12:00:00-23 12:09:00 pause"
	if got := r.told(); got != want {
		t.Errorf("told %q, want %q", got, want)
	}
	r.restart()
	r.tell()
	if got := r.told(); got != want {
		t.Errorf("after another restart %q, want %q", got, want)
	}
}

// However often it is looked, restarted, paused and the clock set back a little: all that
// is over is told, to the second, in pieces of a day of UTC at most, and none twice.
func TestAllIsToldOnce(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	r := newRig(t)
	r.know("ann")
	r.tell()
	for r.now.Before(monday.AddDate(0, 0, 9)) {
		switch rnd.IntN(8) {
		case 0:
			r.restart()
		case 1:
			r.know("ann")
		case 2:
			r.pause("ann", time.Duration(1+rnd.IntN(400))*time.Minute)
		case 3:
			if _, err := r.policy.Resume(policy.Account{MachineID: "m-ann", UID: 1000}); err != nil {
				t.Fatal(err)
			}
		}
		r.now = r.now.Add(time.Duration(1+rnd.IntN(4*3600)) * time.Second)
		r.tell()
	}
	r.now = r.now.Truncate(24*time.Hour).AddDate(0, 0, 9) // no pause lasts so long
	r.tell()
	var told []policy.Gap
	for _, s := range r.spans() {
		if s.End.Sub(s.Start) > day || s.End.Add(-1).Truncate(day) != s.Start.Truncate(day) {
			t.Errorf("a span from %v to %v", s.Start, s.End)
		}
		told = append(told, policy.Gap{Start: s.Start.Unix(), End: s.End.Unix(), Reason: policy.Reason(s.Reason)})
	}
	want := joined(r.policy.Gaps("m-ann", monday.Unix(), r.now.Unix()))
	if got := joined(told); !slices.Equal(got, want) {
		t.Errorf("told %v\nwant %v", got, want)
	}
}

// joined sorts times, and makes one of those that follow each other for one reason.
func joined(list []policy.Gap) (out []policy.Gap) {
	slices.SortFunc(list, func(a, b policy.Gap) int { return cmp.Compare(a.Start, b.Start) })
	for _, g := range list {
		if n := len(out); n > 0 && out[n-1].End == g.Start && out[n-1].Reason == g.Reason {
			out[n-1].End = g.End
			continue
		}
		out = append(out, g)
	}
	return out
}

// Nothing is told of whoever is excluded; where that cannot be looked up it waits.
func TestExcludedAreNotToldOf(t *testing.T) {
	r := newRig(t)
	r.know("ann", "bob")
	r.tell()
	r.standing["ann"], r.standing["bob"] = policy.Excluded, policy.Unresolved
	r.at(1, "07:00:00")
	r.tell()
	if got := r.told(); got != "" {
		t.Errorf("told %q", got)
	}
	clear(r.standing)
	r.restart()
	r.tell()
	if got, want := r.told(), "m-bob 23 15:00:00-24 00:00:00 hours, m-bob 24 00:00:00-24 06:00:00 hours"; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
}

// An account that nobody uses is forgotten, and a host that was off for long does not tell
// of years.
func TestAccountsAreForgotten(t *testing.T) {
	r := newRig(t)
	r.know("ann", "bob")
	r.tell()
	r.at(34, "12:00:00")
	r.know("bob")
	r.tell()
	for _, s := range r.spans() {
		if s.Start.Before(r.now.Add(-backAtMost)) {
			t.Errorf("told of %v", s.Start)
		}
	}
	r.at(36, "12:00:00")
	r.tell()
	kept := 0
	if _, err := r.buf.Load(buffer.Told, func(key, _ []byte) error {
		if kept++; string(key) != "m-bob" {
			t.Errorf("%s is kept", key)
		}
		return nil
	}); err != nil || kept != 1 {
		t.Error(kept, err)
	}
}

// Run keeps a new account at once, since a restart may come before it is due.
func TestRunKeepsNewAccounts(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- r.teller.Run(ctx) }()
	r.know("ann")
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for kept := []string(nil); !slices.Equal(kept, []string{"m-ann"}); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("kept are %v", kept)
		}
		kept = nil
		if _, err := r.buf.Load(buffer.Told, func(key, _ []byte) error {
			kept = append(kept, string(key))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
