package policy

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"unicode/utf8"
)

// Limits of title rules, for a policy's list, for a file's, and for all the lists of the
// policies that hold for one host.
const (
	MaxRules = 200
	// MaxPatternBytes bounds a pattern, and what stands in a title's place.
	MaxPatternBytes = 512
	// MaxRulesBytes bounds all patterns and replacements of a list together.
	MaxRulesBytes = 32 << 10
	// MaxPatternCost bounds a pattern as it is compiled, in instructions of some 50 bytes
	// each: repeats make many of few bytes.
	MaxPatternCost = 4000
	// MaxRulesCost bounds those of a list: some 2 MB.
	MaxRulesCost = 40_000
)

// Action is what a rule does with a title.
type Action string

// The actions of a rule.
const (
	Drop    Action = "drop"
	Replace Action = "replace"
)

// Rule is what becomes of the titles that it matches. App and title are patterns in
// RE2's syntax which are looked for anywhere in the text, case counts; an empty one
// matches everything. An empty title is matched by none.
type Rule struct {
	App    string `json:"app,omitempty"`
	Title  string `json:"title,omitempty"`
	Action Action `json:"action"`
	// With takes the place of the whole title, as it stands.
	With string `json:"with,omitempty"`
}

// Rules are one list, of which the first that matches decides.
type Rules []Rule

// Validate checks a list against the limits, and each rule.
func (rules Rules) Validate() error {
	if len(rules) > MaxRules {
		return tooLarge("title_rules", "%d rules; at most %d", len(rules), MaxRules)
	}
	total, cost := 0, 0
	for i, r := range rules {
		one, err := r.validate(fmt.Sprintf("title_rules[%d]", i))
		if err != nil {
			return err
		}
		total, cost = total+r.bytes(), cost+one
	}
	switch {
	case total > MaxRulesBytes:
		return tooLarge("title_rules", "%d bytes of patterns; at most %d", total, MaxRulesBytes)
	case cost > MaxRulesCost:
		return tooLarge("title_rules", "compiled, the patterns are %d times as large as they may be together", cost/MaxRulesCost+1)
	}
	return nil
}

func (r Rule) bytes() int { return len(r.App) + len(r.Title) + len(r.With) }

// validate returns what a rule costs.
func (r Rule) validate(field string) (int, error) {
	switch {
	case r.Action != Drop && r.Action != Replace:
		return 0, wrong(field+".action", "%.20q is neither drop nor replace", r.Action)
	case r.App == "" && r.Title == "":
		return 0, wrong(field, "has neither app nor title; titles: false drops all titles")
	case r.Action == Drop && r.With != "":
		return 0, wrong(field+".with", "only goes with action: replace")
	case r.Action == Replace && r.With == "":
		return 0, wrong(field+".with", "is missing; to leave nothing, the action is drop")
	case len(r.With) > MaxPatternBytes:
		return 0, tooLarge(field+".with", "%d bytes; at most %d", len(r.With), MaxPatternBytes)
	}
	if err := checkText(field+".with", r.With, false); err != nil {
		return 0, err
	}
	app, err := patternCost(field+".app", r.App)
	if err != nil {
		return 0, err
	}
	title, err := patternCost(field+".title", r.Title)
	return app + title, err
}

// patternCost checks a pattern and returns how large it would be, without compiling it.
func patternCost(field, pattern string) (int, error) {
	if len(pattern) > MaxPatternBytes {
		return 0, tooLarge(field, "%d bytes; at most %d", len(pattern), MaxPatternBytes)
	}
	if !utf8.ValidString(pattern) {
		return 0, wrong(field, "not UTF-8")
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0, wrong(field, "%s", err)
	}
	cost := treeCost(tree)
	if cost > MaxPatternCost {
		return 0, tooLarge(field, "compiled, the pattern is larger than %d steps; fewer repeats or classes help", MaxPatternCost)
	}
	return cost, nil
}

// treeCost counts instructions, and ranges of characters of which ten take the room of
// one. A pattern has at most 512 bytes, so nothing overflows: repeats within repeats end
// at 1,000 in all.
func treeCost(tree *syntax.Regexp) int {
	cost := 1 + len(tree.Rune)
	if tree.Op == syntax.OpCharClass {
		cost = 1 + len(tree.Rune)/10
	}
	for _, sub := range tree.Sub {
		cost += treeCost(sub)
	}
	if tree.Op == syntax.OpRepeat {
		// x{2,} is xx*, x{2,5} is xx(x(x(x)?)?)?.
		cost *= max(tree.Min+1, tree.Max)
	}
	return cost
}

// Filter is several lists of rules, compiled. They run one after the other, each on the
// result of the one before, and what one has dropped stays dropped. It may be used by
// several goroutines at once.
type Filter struct{ lists [][]compiled }

type compiled struct {
	app, title *regexp.Regexp
	rule       Rule
}

// NewFilter compiles lists; one that is not within its limits is an error.
func NewFilter(lists ...Rules) (*Filter, error) {
	f := &Filter{}
	for _, rules := range lists {
		if err := rules.Validate(); err != nil {
			return nil, err
		}
		list := make([]compiled, 0, len(rules))
		for i, r := range rules {
			c := compiled{rule: r}
			for _, p := range []struct {
				pattern string
				to      **regexp.Regexp
			}{{r.App, &c.app}, {r.Title, &c.title}} {
				if p.pattern == "" {
					continue
				}
				var err error
				if *p.to, err = regexp.Compile(p.pattern); err != nil {
					return nil, wrong(fmt.Sprintf("title_rules[%d]", i), "%s", err)
				}
			}
			list = append(list, c)
		}
		f.lists = append(f.lists, list)
	}
	return f, nil
}

// Title returns what is left of an application's title.
func (f *Filter) Title(app, title string) string {
	for _, list := range f.lists {
		if i := match(list, app, title); i >= 0 {
			title = list[i].rule.With // empty where it drops
		}
	}
	return title
}

// Match returns which rule of the first list matches, or -1.
func (f *Filter) Match(app, title string) int {
	if len(f.lists) == 0 {
		return -1
	}
	return match(f.lists[0], app, title)
}

func match(list []compiled, app, title string) int {
	if title == "" {
		return -1
	}
	for i := range list {
		c := &list[i]
		if (c.app == nil || c.app.MatchString(app)) && (c.title == nil || c.title.MatchString(title)) {
			return i
		}
	}
	return -1
}
