package report

import (
	"strings"
	"testing"

	"activity-tracker.example/server/api"
)

func category(name string, patterns ...api.Pattern) api.Category {
	return api.Category{Name: name, Colour: "#123456", Rating: api.RatingProductive, Patterns: patterns}
}

func TestRules(t *testing.T) {
	r := newRules([]api.Category{
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
		if got := r.name(r.of(test.app, test.title)); got != test.want {
			t.Errorf("%q, %q is %q, want %q", test.app, test.title, got, test.want)
		}
		if got := r.needsTitle(test.app); got != test.needsTitle {
			t.Errorf("%q needs a title: %v", test.app, got)
		}
	}
}

// Titles are read only for applications whose category they can change.
func TestWhatNeedsTitles(t *testing.T) {
	plain := newRules([]api.Category{category("a", api.Pattern{App: "*"})})
	mixed := newRules([]api.Category{
		category("a", api.Pattern{App: "vim"}), category("b", api.Pattern{App: "v*", Title: "*"}), category("c", api.Pattern{App: "emacs"}),
	})
	if plain.needsTitle("vim") || mixed.needsTitle("vim") || !mixed.needsTitle("vlc") || mixed.needsTitle("emacs") || mixed.needsTitle("") {
		t.Error("wrong")
	}
	if got := mixed.rating(uncategorised); got != api.RatingNeutral {
		t.Errorf("uncategorised is %q", got)
	}
}

// slowMatch says the same as glob in the plainest way.
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
	r := newRules([]api.Category{category("x", api.Pattern{Title: "*" + pattern})})
	for range 10_000 {
		if r.of("app", text) != uncategorised {
			t.Fatal("matched")
		}
	}
}

func TestCategoriesRefused(t *testing.T) {
	long := strings.Repeat("x", api.MaxPatternBytes+1)
	with := func(change func(*api.Category)) []api.Category {
		c := category("Mail", api.Pattern{App: "thunderbird"})
		change(&c)
		return []api.Category{c}
	}
	many := make([]api.Pattern, api.MaxPatterns+1)
	for i := range many {
		many[i].App = "x"
	}
	for name, list := range map[string][]api.Category{
		"no name":           with(func(c *api.Category) { c.Name = "  " }),
		"a long name":       with(func(c *api.Category) { c.Name = long }),
		"a NUL":             with(func(c *api.Category) { c.Name = "a\x00" }),
		"a colour's name":   with(func(c *api.Category) { c.Colour = "red" }),
		"a short colour":    with(func(c *api.Category) { c.Colour = "#fff" }),
		"a colour's digits": with(func(c *api.Category) { c.Colour = "#12345g" }),
		"another rating":    with(func(c *api.Category) { c.Rating = "bad" }),
		"an empty pattern":  with(func(c *api.Category) { c.Patterns = []api.Pattern{{}} }),
		"a long pattern":    with(func(c *api.Category) { c.Patterns[0].Title = long }),
		"a line break":      with(func(c *api.Category) { c.Patterns[0].App = "a\nb" }),
		"too many patterns": with(func(c *api.Category) { c.Patterns = many }),
		"a name twice":      {category("a"), category("a ")},
		"too many":          make([]api.Category, api.MaxCategories+1),
	} {
		if err := checkCategories(list); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	good := []api.Category{{Name: " Mail ", Colour: "#ABCDEF", Rating: api.RatingNeutral}}
	if err := checkCategories(good); err != nil || good[0].Name != "Mail" || good[0].Colour != "#abcdef" || good[0].Patterns == nil {
		t.Errorf("%+v, %v", good, err)
	}
}
