package counting

import (
	"fmt"
	"strings"
	"testing"

	"activity-tracker.example/sessiond/wire"
)

// keep is rules that leave all titles.
func keep(_, title string) string { return title }

// hide is rules that take titles with a word out.
func hide(word string) Retitle {
	return func(_, title string) string {
		if strings.Contains(title, word) {
			return ""
		}
		return title
	}
}

func reported(t *testing.T, f *Focus, now Instant) string {
	t.Helper()
	var all []string
	for _, e := range f.Snapshot(nil, now) {
		all = append(all, fmt.Sprintf("%s %q %d", e.App, e.Title, e.DurationMS))
	}
	return strings.Join(all, ", ")
}

// TestTitlesWaitForRules: without rules no title is reported, and with them that of
// the window in front is, for as long as it was not booked.
func TestTitlesWaitForRules(t *testing.T) {
	t.Parallel()
	var f Focus
	f.Switch(Window{"A", "secret"}, 0)
	if got := reported(t, &f, 10); got != `A "" 10` {
		t.Fatal(got)
	}
	f.SetTitles(keep)
	if got := reported(t, &f, 30); got != `A "" 10, A "secret" 20` {
		t.Fatal(got)
	}
	f.SetTitles(nil)
	if got := reported(t, &f, 40); got != `A "" 40` {
		t.Fatal(got)
	}
}

// TestTitlesFilteredAgain: other rules apply to what the interval has so far, no time
// is lost, and what earlier ones took out stays out.
func TestTitlesFilteredAgain(t *testing.T) {
	t.Parallel()
	f := Focus{retitle: keep}
	f.Switch(Window{"A", "secret 1"}, 0)
	f.Switch(Window{"A", "secret 2"}, 10)
	f.Switch(Window{"A", "open"}, 30)
	f.Switch(Window{"B", "secret 3"}, 60)
	f.SetTitles(hide("secret"))
	if got := reported(t, &f, 100); got != `A "" 30, A "open" 30, B "" 40` {
		t.Fatal(got)
	}
	f.SetTitles(keep)
	if got := reported(t, &f, 110); got != `A "" 30, A "open" 30, B "" 40, B "secret 3" 10` {
		t.Fatal(got)
	}
}

// TestTitlesForgotten: what is hidden is in no part of the table, and a full one
// loses no time to rules.
func TestTitlesForgotten(t *testing.T) {
	t.Parallel()
	f := Focus{retitle: keep}
	for i := range wire.MaxFocus {
		f.Switch(Window{"A", fmt.Sprint("secret ", i)}, Instant(i))
	}
	f.Switch(Window{}, wire.MaxFocus)
	f.SetTitles(hide("secret"))
	for _, e := range f.entries[:cap(f.entries)] {
		if strings.Contains(e.window.Title, "secret") {
			t.Fatalf("%+v is still there", e)
		}
	}
	if got := reported(t, &f, 100); got != fmt.Sprintf(`A "" %d`, wire.MaxFocus) {
		t.Fatal(got)
	}
}
