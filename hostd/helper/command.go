package helper

import (
	"hash/fnv"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"activity-tracker.example/hostd/roster"
	"activity-tracker.example/sessiond/wire"
)

// The programs of the sources other than X11, beside sessiond.
const (
	waylandProgram = "sessiond-wayland"
	seatProgram    = "seatinput"
)

// command returns how a session's helper is called.
func (s *Supervisor) command(t roster.Tracked) []string {
	switch t.Source {
	case roster.SourceWayland:
		return append(s.program(waylandProgram, "--session", t.Key.ID), s.titles()...)
	case roster.SourceSeat:
		return append(s.program(seatProgram, "--seat", t.Seat, "--vt", strconv.FormatUint(uint64(t.VT), 10)), s.realDevices()...)
	case roster.SourceX11:
	}
	args := append([]string{s.opts.Binary, "--display", t.Display}, s.terms()...)
	if t.NeedsWM {
		args = append(args, "--require-window-manager")
	}
	if t.WithoutInput() {
		args = append(args, "--no-input")
	}
	return append(args, s.titles()...)
}

// program calls a program that lies beside sessiond.
func (s *Supervisor) program(name string, args ...string) []string {
	path := filepath.Join(filepath.Dir(s.opts.Binary), name)
	return append(append([]string{path}, args...), s.terms()...)
}

// terms are the lengths that every helper counts by.
func (s *Supervisor) terms() []string {
	seconds := func(d time.Duration) string { return strconv.Itoa(int(d/time.Second)) + "s" }
	return []string{"--interval", seconds(s.opts.Interval), "--idle-after", seconds(s.opts.IdleAfter)}
}

const (
	// crowd is from how many helpers on the next ones report half as often: 300 people
	// who type cost a host a hundredth of a core then.
	crowd = 100
	// paceFlag is the flag for it, and crowdPace its value.
	paceFlag  = "--report-every"
	crowdPace = "10s"
)

// pace is how often a helper that is started now reports, where that is not as usual. It is
// no part of what it counts by: nobody is started anew for it.
func (s *Supervisor) pace() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.keepers) <= crowd {
		return nil
	}
	return []string{paceFlag, crowdPace}
}

// withoutPace is a helper's command but for its pace, which is its end.
func withoutPace(command []string) []string {
	if i := slices.Index(command, paceFlag); i >= 0 {
		return command[:i]
	}
	return command
}

// realDevices names the virtual devices that count as moved by hands.
func (s *Supervisor) realDevices() []string {
	var args []string
	for _, name := range s.opts.RealInputDevices {
		args = append(args, "--real-device", name)
	}
	return args
}

func (s *Supervisor) titles() []string {
	if s.opts.NoTitles {
		return []string{"--no-titles"}
	}
	return nil
}

// retellAfter is how long a helper may take to report by the rules that it was sent
// before they are sent once more: its socket may have been full.
const retellAfter = 5 * time.Second

// titles are the rules for titles that helpers get.
type titles struct {
	id     uint64
	packet []byte
	// all is set where all titles may be reported, which is how helpers of versions
	// without rules report them.
	all bool
	// until is when helpers end by themselves, seconds UTC; 0: never.
	until int64
}

// over reports whether nothing is collected now: helpers have ended by these rules.
func (t *titles) over() bool { return t != nil && t.until != 0 && time.Now().Unix() >= t.until }

// newTitles names rules by what they contain, unless they have a name: after a restart
// of the daemon the same ones change nothing.
func newTitles(r wire.Rules) *titles {
	if r.ID == 0 {
		what := r
		what.UntilUnix = 0 // when counting ends changes no title
		h := fnv.New64a()
		_, _ = h.Write(wire.AppendRules(nil, &what)) // a hash never fails
		r.ID = max(h.Sum64(), 1)
	}
	t := &titles{id: r.ID, packet: wire.AppendRules(nil, &r), all: r.Titles, until: r.UntilUnix}
	for _, list := range r.Lists {
		t.all = t.all && len(list) == 0
	}
	return t
}

// SetTitles sets what may be reported of titles. The helpers that run go on, and by
// these rules. It may be called at any time.
func (s *Supervisor) SetTitles(r wire.Rules) {
	t := newTitles(r)
	s.allowed.Store(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.keepers {
		k.tellTitles(t)
	}
}

// tellTitles sends the rules to the helper that is read now, if one is.
func (k *keeper) tellTitles(t *titles) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.link != nil && t != nil {
		k.link.send(t.packet)
		k.toldTitles = time.Now()
	}
}

// greet sends the helper behind a link the version that it may write, and its rules
// for titles.
func (k *keeper) greet(l *link) {
	l.sendCeiling(wire.Version)
	k.mu.Lock()
	k.link = l
	k.mu.Unlock()
	k.tellTitles(k.s.allowed.Load())
}

// farewell forgets the link, which is about to be closed.
func (k *keeper) farewell() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.link = nil
}

// filter takes the titles out of a report that was not made by the rules that hold,
// and sends those rules to the helper once more. From then on the report is as one
// without rules.
func (k *keeper) filter(r *wire.Report) {
	t := k.s.allowed.Load()
	switch {
	case t != nil && r.Rules == t.id:
		return
	case t != nil && t.all && r.Version < wire.WithRules:
		r.Rules = t.id
		return
	}
	r.Rules = 0
	r.Retitle(func(_, _ string) string { return "" })
	k.mu.Lock()
	again := time.Since(k.toldTitles) > retellAfter
	k.mu.Unlock()
	if again && r.Version >= wire.WithRules {
		k.tellTitles(t)
	}
}
