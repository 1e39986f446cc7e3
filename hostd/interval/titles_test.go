package interval

import (
	"fmt"
	"strings"
	"testing"

	"activity-tracker.example/hostd/reading"
	"activity-tracker.example/sessiond/wire"
)

// by makes a report by rules for titles.
func by(rules uint64, r reading.Reading) reading.Reading {
	r.Report.Rules = rules
	return r
}

// of makes a reading another session's of the same machine_id.
func of(session string, r reading.Reading) reading.Reading {
	r.Session.Key.ID = session
	return r
}

func window(title string, ms, active uint64) wire.Focus {
	return wire.Focus{App: "A", Title: title, DurationMS: ms, ActiveMS: active}
}

func windows(sealed []Sealed) string {
	var all []string
	for _, s := range sealed {
		for _, f := range s.Event.Focus {
			all = append(all, fmt.Sprintf("%q %v/%v", f.Title, f.Seconds, *f.ActiveSeconds))
		}
	}
	return strings.Join(all, ", ")
}

// TestOtherRules: what a helper reports of an interval under other rules takes the
// place of what it reported before, to the millisecond.
func TestOtherRules(t *testing.T) {
	t.Parallel()
	l := New(minute(), State{})
	l.Fold(by(1, say(0, 5, 5000, window("secret", 4000, 3000), window("open", 1000, 1000))), at(5))
	l.Fold(of("c2", by(1, say(0, 5, 5000, window("secret", 2000, 2000)))), at(5))
	l.Fold(by(2, say(0, 6, 5000, window("", 5000, 4000), window("open", 1000, 1000))), at(6))
	l.Fold(by(2, say(0, 7, 5000, window("", 6000, 4000), window("open", 1000, 1000))), at(7))
	if got, want := windows(l.Seal(at(70))), `"" 6/4, "secret" 2/2, "open" 1/1`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestOtherRulesLate: a late report of an interval that was sealed is counted nowhere
// again because rules changed.
func TestOtherRulesLate(t *testing.T) {
	t.Parallel()
	l := New(minute(), State{})
	l.Fold(by(1, say(0, 5, 5000, window("secret", 4000, 3000))), at(5))
	sealed := l.Seal(at(70))
	l.Fold(by(2, say(0, 60, 6000, window("", 5000, 4000))), at(71))
	l.Fold(by(2, say(60, 80, 6000, window("", 20_000, 0))), at(80))
	if got, want := windows(append(sealed, l.Seal(at(130))...)), `"secret" 4/3, "" 20/0`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestOtherRulesInACrowd: where windows were folded together it cannot be known what to
// take out, so that all titles go.
func TestOtherRulesInACrowd(t *testing.T) {
	t.Parallel()
	l := New(minute(), State{})
	for i := range 3 {
		var many []wire.Focus
		for j := range wire.MaxFocus {
			many = append(many, window(fmt.Sprint("secret ", i, j), 100, 0))
		}
		l.Fold(of(fmt.Sprint("c", i), by(1, say(0, 5, 5000, many...))), at(5))
	}
	l.Fold(of("c2", by(2, say(0, 6, 5000, window("", 3200, 0)))), at(6))
	if got := windows(l.Seal(at(70))); strings.Contains(got, "secret") || !strings.Contains(got, `"" `) {
		t.Error(got)
	}
}
