package titles

import (
	"testing"

	"activity-tracker.example/sessiond/wire"
)

func TestRules(t *testing.T) {
	t.Parallel()
	file := []wire.Rule{
		{App: "^Thunderbird$"},
		{Title: "^(.*) - KeePass.*$", With: "KeePass"},
		{Title: "KeePass"}, // the first that matches decides
	}
	server := []wire.Rule{{Title: "^KeePass$", With: "a safe"}, {Title: "(?i)salary"}}
	for name, c := range map[string]struct {
		rules            wire.Rules
		app, title, want string
	}{
		"all":                 {wire.Rules{Titles: true}, "A", "x", "x"},
		"none":                {wire.Rules{}, "A", "x", ""},
		"empty lists":         {wire.Rules{Titles: true, Lists: [][]wire.Rule{nil, {}}}, "A", "x", "x"},
		"off in spite of all": {wire.Rules{Lists: [][]wire.Rule{file}}, "A", "x", ""},
		"by application":      {wire.Rules{Titles: true, Lists: [][]wire.Rule{file}}, "Thunderbird", "Inbox", ""},
		"another application": {wire.Rules{Titles: true, Lists: [][]wire.Rule{file}}, "thunderbird", "Inbox", "Inbox"},
		"the first decides":   {wire.Rules{Titles: true, Lists: [][]wire.Rule{file}}, "A", "bank - KeePassXC", "KeePass"},
		"on the result":       {wire.Rules{Titles: true, Lists: [][]wire.Rule{file, server}}, "A", "bank - KeePassXC", "a safe"},
		"the second alone":    {wire.Rules{Titles: true, Lists: [][]wire.Rule{nil, server}}, "A", "Salary.ods", ""},
		"a drop stays":        {wire.Rules{Titles: true, Lists: [][]wire.Rule{file, {{With: "shown"}}}}, "Thunderbird", "Inbox", ""},
		"no title":            {wire.Rules{Titles: true, Lists: [][]wire.Rule{{{With: "shown"}}}}, "A", "", ""},
	} {
		retitle, err := Compile(&c.rules)
		if err != nil {
			t.Fatal(name, err)
		}
		if got := retitle(c.app, c.title); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestUncompilable(t *testing.T) {
	t.Parallel()
	for _, bad := range []wire.Rule{{Title: "("}, {App: "["}} {
		rules := wire.Rules{Titles: true, Lists: [][]wire.Rule{{{Title: "fine"}}, {bad}}}
		if retitle, err := Compile(&rules); err == nil {
			t.Fatalf("compiled, and leaves %q", retitle("A", "x"))
		}
	}
}

func TestCovers(t *testing.T) {
	t.Parallel()
	rules := wire.Rules{ID: 1, Titles: true, Lists: [][]wire.Rule{
		{{App: "Mail", With: "post"}, {Title: "KeePass", With: "a safe"}, {App: "^Bank$", Title: "."}, {Title: "secret"}},
		{{Title: "^a safe$"}, {App: "Mail"}},
	}}
	covers, err := Covers(&rules)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		app    string
		titles []string
		want   bool
	}{
		{"Editor", []string{"notes"}, false},
		{"Editor", nil, false},
		{"Editor", []string{"notes", "a secret"}, true}, // by its other name
		{"Bank", []string{"account"}, true},             //
		{"Bank", nil, false},                            // the rule wants a title
		{"(unknown)", []string{"account"}, false},       //
		{"Editor", []string{"db - KeePass"}, true},      // what the first list leaves, the second drops
		{"Mail", nil, true},                             // also without a title
		{"Mail", []string{"secret"}, true},              // also behind a rule that replaces
		{"Banker", []string{"nothing to see"}, false},   //
		{"Banker", []string{"secretary"}, true},         //
		{"Banker", []string{"", "nothing here"}, false}, //
	} {
		if got := covers(c.app, c.titles); got != c.want {
			t.Errorf("%q %q: %v", c.app, c.titles, got)
		}
	}
}

func TestCoversWithout(t *testing.T) {
	t.Parallel()
	if covers, err := Covers(&wire.Rules{ID: 1, Titles: true, Lists: [][]wire.Rule{{{Title: "a", With: "b"}}}}); err != nil || covers != nil {
		t.Errorf("nothing is dropped, and windows are looked at: %v", err)
	}
	if covers, err := Covers(&wire.Rules{ID: 1}); err != nil || !covers("Editor", nil) {
		t.Errorf("titles are off, and a window may be shown: %v", err)
	}
	if _, err := Covers(&wire.Rules{ID: 1, Titles: true, Lists: [][]wire.Rule{{{Title: "("}}}}); err == nil {
		t.Error("a rule that does not compile is none")
	}
}
