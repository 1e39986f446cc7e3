package policy_test

import (
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"activity-tracker.example/server/api/policy"
)

func TestTitle(t *testing.T) {
	file := policy.Rules{
		{App: "^Thunderbird$", Action: policy.Drop},
		{Title: `^(.*) - KeePass.*$`, Action: policy.Replace, With: "KeePass $1"},
		{Title: `KeePass`, Action: policy.Drop},
	}
	server := policy.Rules{
		{App: "firefox", Title: "(?i)bank", Action: policy.Replace, With: "a bank"},
		{Title: "^KeePass", Action: policy.Replace, With: "passwords"},
	}
	tests := []struct{ name, app, title, want string }{
		{"no rule matches", "gedit", "notes", "notes"},
		{"by the application alone", "Thunderbird", "Inbox", ""},
		{"the first that matches, and the other list on its result", "keepassxc", "secret - KeePassXC", "passwords"},
		{"what the file drops stays dropped", "keepassxc", "KeePassXC", ""},
		{"both parts must match", "chromium", "Bank", "Bank"},
		{"a pattern is found anywhere, case counts", "firefox-esr", "My BANK", "a bank"},
		{"no title", "Thunderbird", "", ""},
	}
	filter, err := policy.NewFilter(file, server)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		if got := filter.Title(test.app, test.title); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	if only, err := policy.NewFilter(file); err != nil || only.Title("x", "secret - KeePassXC") != "KeePass $1" {
		t.Errorf("what takes a title's place is not taken as it stands: %v", err)
	}
}

func TestRulesThatAreWrong(t *testing.T) {
	drop := func(title string) policy.Rules { return policy.Rules{{Title: title, Action: policy.Drop}} }
	many := make(policy.Rules, 10_000)
	for i := range many {
		many[i] = policy.Rule{Title: "a", Action: policy.Drop}
	}
	long := make(policy.Rules, 100)
	for i := range long {
		long[i] = policy.Rule{Title: strings.Repeat("a", 400), Action: policy.Drop}
	}
	costly := make(policy.Rules, 20)
	for i := range costly {
		costly[i] = policy.Rule{Title: "(?:abc){700}", Action: policy.Drop}
	}
	tests := []struct {
		name     string
		rules    policy.Rules
		want     string
		tooLarge bool
	}{
		{"nothing to match", policy.Rules{{Action: policy.Drop}}, "title_rules[0]: has neither", false},
		{"no action", policy.Rules{{Title: "a"}}, "title_rules[0].action: ", false},
		{"with beside drop", policy.Rules{{Title: "a", Action: policy.Drop, With: "b"}}, "title_rules[0].with: ", false},
		{"replace without with", policy.Rules{{Title: "a", Action: policy.Replace}}, "title_rules[0].with: ", false},
		{"with of control characters", policy.Rules{{Title: "a", Action: policy.Replace, With: "\x1b[31m"}}, "title_rules[0].with: ", false},
		{"with that turns the writing", policy.Rules{{Title: "a", Action: policy.Replace, With: "a\u202eb"}}, "U+202E", false},
		{"no pattern", drop("("), "title_rules[0].title: ", false},
		{"a look back, which RE2 has not", drop(`(a)\1`), "title_rules[0].title: ", false},
		{"repeats of repeats", drop("(a{1000}){1000}"), "title_rules[0].title: ", false},
		{"repeats beside each other", drop(strings.Repeat("a{1000}", 70)), "title_rules[0].title: compiled", true},
		{"classes in a row", drop(strings.Repeat(`\pL`, 170)), "title_rules[0].title: compiled", true},
		{"a pattern of 513 bytes", drop(strings.Repeat("a", 513)), "title_rules[0].title: 513 bytes", true},
		{"10,000 rules", many, "title_rules: 10000 rules", true},
		{"40,000 bytes", long, "title_rules: 40000 bytes", true},
		{"large when compiled", costly, "title_rules: compiled", true},
	}
	for _, test := range tests {
		err := test.rules.Validate()
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", test.name, err, test.want)
		}
		if errors.Is(err, policy.ErrTooLarge) != test.tooLarge {
			t.Errorf("%s: too large is %v", test.name, !test.tooLarge)
		}
		if _, err := policy.NewFilter(test.rules); err == nil {
			t.Errorf("%s: compiles", test.name)
		}
	}
}

// TestLargestRulesStaySmall compiles the dearest lists that are let through.
func TestLargestRulesStaySmall(t *testing.T) {
	for _, pattern := range []string{"(?:[a-z]{990})", "(?:(a|b)?){190}", `(?i)(?:k\pL){3}`, "(?:.{0,999})", "(?:(?:a|bc)*x){100,200}"} {
		rules := policy.Rules{}
		for i := range policy.MaxRules {
			next := append(slices.Clone(rules), policy.Rule{Title: fmt.Sprint(pattern, i), Action: policy.Drop})
			if next.Validate() != nil {
				break
			}
			rules = next
		}
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		filter, err := policy.NewFilter(rules)
		if err != nil {
			t.Fatal(err)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		kept := int64(after.HeapAlloc) - int64(before.HeapAlloc)
		t.Logf("%s: %d rules, %d KiB", pattern, len(rules), kept>>10)
		if kept > 8<<20 {
			t.Errorf("%s: %d rules take %d KiB", pattern, len(rules), kept>>10)
		}
		runtime.KeepAlive(filter)
	}
}

func FuzzPattern(f *testing.F) {
	for _, seed := range []string{"(a{1000}){1000}", `^(.*) - KeePass.*$`, "(?i)bank", `\pL{3}`, "(((a*)*)*)*", "[^a]", "a{0,1000}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		rules := policy.Rules{{Title: pattern, Action: policy.Drop}}
		filter, err := policy.NewFilter(rules)
		if err != nil {
			return
		}
		plain, err := regexp.Compile(pattern)
		if err != nil {
			t.Fatalf("let through, and does not compile: %v", err)
		}
		if dropped := filter.Title("app", "a title") == ""; dropped != plain.MatchString("a title") {
			t.Fatalf("%q: dropped is %v", pattern, dropped)
		}
	})
}
