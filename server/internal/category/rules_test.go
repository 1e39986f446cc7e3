package category

import (
	"strings"
	"testing"

	"activity-tracker.example/server/api"
)

func category(name string, patterns ...api.Pattern) api.Category {
	return api.Category{Name: name, Colour: "#123456", Rating: api.RatingProductive, Patterns: patterns}
}

func TestRules(t *testing.T) {
	r := NewRules([]api.Category{
		category("Video", api.Pattern{App: "*firefox*", Title: "*YouTube*"}, api.Pattern{Title: "*— VLC"}),
		category("Browser", api.Pattern{App: "firefox"}, api.Pattern{App: "CHROM*"}),
		category("Late", api.Pattern{App: "firefox"}, api.Pattern{App: "*", Title: "Straße *"}),
		category("Nothing yet"),
		category("Rest", api.Pattern{App: "x*term"}),
	})
	for _, test := range []struct {
		app, title, want string
		needsTitle       bool
	}{
		{"firefox", "Cats - YOUTUBE - Mozilla Firefox", "Video", true},
		{"Firefox", "News", "Browser", true},
		{"firefox", "", "Browser", true},
		{"org.firefox.esr", "x youtube", "Video", true},
		{"org.firefox.esr", "x", "", true},
		{"chromium", "youtube", "Browser", true},
		{"vlc", "film — vlc", "Video", true},
		{"vlc", "film — VLC 2", "", true},
		{"xterm", "straße 7", "Late", true},
		{"xterm", "", "Rest", true},
		{"xter", "", "", true},
		{"", "", "", true},
	} {
		if got := r.Name(r.Of(test.app, test.title)); got != test.want {
			t.Errorf("%q, %q is %q, want %q", test.app, test.title, got, test.want)
		}
		if got := r.NeedsTitle(test.app); got != test.needsTitle {
			t.Errorf("%q needs a title: %v", test.app, got)
		}
	}
}

// Titles are read only for applications whose category they can change.
func TestWhatNeedsTitles(t *testing.T) {
	plain := NewRules([]api.Category{category("a", api.Pattern{App: "*"})})
	mixed := NewRules([]api.Category{
		category("a", api.Pattern{App: "vim"}), category("b", api.Pattern{App: "v*", Title: "*"}), category("c", api.Pattern{App: "emacs"}),
	})
	if plain.NeedsTitle("vim") || mixed.NeedsTitle("vim") || !mixed.NeedsTitle("vlc") || mixed.NeedsTitle("emacs") || mixed.NeedsTitle("") {
		t.Error("wrong")
	}
	if got := mixed.Rating(None); got != api.RatingNeutral {
		t.Errorf("uncategorised is %q", got)
	}
}

// slowMatch returns what glob does, in the plainest way.
func slowMatch(pattern, text string) bool {
	switch {
	case pattern == "":
		return text == ""
	case pattern[0] == '*':
		for i := range len(text) + 1 {
			if slowMatch(pattern[1:], text[i:]) {
				return true
			}
		}
		return false
	default:
		return text != "" && text[0] == pattern[0] && slowMatch(pattern[1:], text[1:])
	}
}

func FuzzGlob(f *testing.F) {
	for _, seed := range [][2]string{{"a*b*c", "axbxc"}, {"*", ""}, {"ab*ba", "aba"}, {"**x", "x"}, {"*aa*aa*", "aaa"}, {"Ä*", "äö"}, {"İ", "i̇"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if pattern == "" || len(pattern) > 12 || len(text) > 24 {
			return
		}
		lower, text := strings.ToLower(pattern), strings.ToLower(text)
		if got, want := newGlob(pattern).match(text), slowMatch(lower, text); got != want {
			t.Fatalf("%q on %q: %v, want %v", pattern, text, got, want)
		}
	})
}

// Patterns that make matchers go back and forth take no time.
func TestPatternsAreLinear(t *testing.T) {
	pattern := strings.Repeat("a*", api.MaxPatternBytes/2-1) + "b"
	text := strings.Repeat("a", api.MaxTextBytes)
	r := NewRules([]api.Category{category("x", api.Pattern{Title: "*" + pattern})})
	for range 10_000 {
		if r.Of("app", text) != None {
			t.Fatal("matched")
		}
	}
}
