package helper

import (
	"testing"

	"activity-tracker.example/hostd/roster"
	"activity-tracker.example/sessiond/wire"
)

// untitled are rules under which a helper may report all titles.
func untitled() wire.Rules { return wire.Rules{ID: 11, Titles: true} }

// hiding are rules with a pattern.
func hiding() wire.Rules {
	return wire.Rules{ID: 12, Titles: true, Lists: [][]wire.Rule{{{Title: "secret"}}}}
}

// say sends a report with a title, made by rules and written in a version.
func (p *process) say(version byte, rules, keys uint64, title string) {
	_, _ = p.conn.Write(wire.Append(nil, &wire.Report{
		Version: version, StartedUnixNano: int64(p.number) + 1, Rules: rules, Counters: wire.Counters{Keys: keys},
		Focus: []wire.Focus{{App: "A", Title: title, DurationMS: 5, ActiveMS: 5}, {App: "A", Title: title + " 2", DurationMS: 5, ActiveMS: 5}},
	}))
}

// hear waits for rules from the daemon, whatever else it sends.
func (p *process) hear() (wire.Rules, bool) {
	for b := make([]byte, wire.MaxRulesBytes); ; {
		n, err := p.conn.Read(b)
		if n == 0 || err != nil {
			return wire.Rules{}, false
		}
		if r, err := wire.ParseRules(b[:n]); err == nil {
			return r, true
		}
	}
}

// TestRulesComeFirst: a helper gets the rules for titles before it can read any, and again,
// without a restart, when that changes.
func TestRulesComeFirst(t *testing.T) {
	u := newFakeUnits(t, func(p *process) {
		for keys := uint64(1); ; keys++ {
			r, ok := p.hear()
			if !ok {
				return
			}
			p.say(wire.Version, r.ID, keys, "as it is")
		}
	})
	s := New(options(), u, newFakeStore(t))
	s.SetTitles(untitled())
	r := runSupervisor(t, s)
	r.tracked <- []roster.Tracked{session("c1", 100)}
	if got := r.reading(1).Report; got.Rules != 11 || got.Focus[0].Title != "as it is" {
		t.Errorf("%+v", got)
	}
	s.SetTitles(hiding())
	if got := r.reading(2).Report; got.Rules != 12 || got.Focus[0].Title != "as it is" {
		t.Errorf("%+v", got)
	}
	if u.starts() != 1 {
		t.Errorf("%d starts", u.starts())
	}
}

// TestRulesAreNamedByWhatTheySay: not by when counting ends, and the same after a
// restart.
func TestRulesAreNamedByWhatTheySay(t *testing.T) {
	t.Parallel()
	named := func(r wire.Rules) uint64 { return newTitles(r).id }
	none := named(wire.Rules{Titles: true})
	if none == 0 || named(wire.Rules{Titles: true, UntilUnix: 5}) != none {
		t.Error("when counting ends makes other rules")
	}
	if named(wire.Rules{}) == none || named(wire.Rules{Titles: true, Lists: hiding().Lists}) == none {
		t.Error("other rules have the same name")
	}
}

// TestTitlesByOtherRules: a title that was not filtered by the rules that hold goes no
// further than the socket.
func TestTitlesByOtherRules(t *testing.T) {
	for name, c := range map[string]struct {
		hold    wire.Rules
		version byte
		by      uint64
		rules   uint64
		title   string
	}{
		"by others":                   {hiding(), wire.Version, 11, 0, ""},
		"by none":                     {hiding(), wire.Version, 0, 0, ""},
		"by those":                    {hiding(), wire.Version, 12, 12, "title"},
		"an old helper":               {hiding(), wire.WithRules - 1, 0, 0, ""},
		"an old helper without rules": {untitled(), wire.WithRules - 1, 0, 11, "title"},
		"an old helper, titles off":   {wire.Rules{ID: 13}, wire.WithRules - 1, 0, 0, ""},
		"nothing known yet":           {wire.Rules{}, wire.Version, 0, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			u := newFakeUnits(t, func(p *process) { p.say(c.version, c.by, 1, "title"); p.untilHungUp() })
			s := New(options(), u, newFakeStore(t))
			if c.hold.ID != 0 {
				s.SetTitles(c.hold)
			}
			r := runSupervisor(t, s)
			r.tracked <- []roster.Tracked{session("c1", 100)}
			got := r.reading(1).Report
			windows := 2
			if c.title == "" {
				windows = 1 // the same then
			}
			if got.Rules != c.rules || len(got.Focus) != windows || got.Focus[0].Title != c.title {
				t.Errorf("%+v", got)
			}
		})
	}
}
