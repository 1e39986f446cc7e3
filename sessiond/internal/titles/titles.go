// Package titles decides what may be reported of a window's title: all, nothing, or
// what the daemon's rules leave of it.
package titles

import (
	"regexp"

	"activity-tracker.example/sessiond/internal/counting"
	"activity-tracker.example/sessiond/wire"
)

// rule is a wire.Rule ready for use; a pattern that is nil matches anything.
type rule struct {
	app, title *regexp.Regexp
	with       string
}

// Compile returns what rules leave of a title. Patterns are compiled only where there
// are rules, and one that does not compile is an error for all.
func Compile(r *wire.Rules) (counting.Retitle, error) {
	if !r.Titles {
		return nothing, nil
	}
	var lists [][]rule
	for _, list := range r.Lists {
		compiled, err := compile(list)
		if err != nil {
			return nil, err
		}
		if len(compiled) > 0 {
			lists = append(lists, compiled)
		}
	}
	if len(lists) == 0 {
		return all, nil
	}
	return func(app, title string) string {
		for _, list := range lists {
			title = apply(list, app, title)
		}
		return title
	}, nil
}

func nothing(_, _ string) string { return "" }

func all(_, title string) string { return title }

func compile(list []wire.Rule) ([]rule, error) {
	compiled := make([]rule, 0, len(list))
	for i := range list {
		app, err := pattern(list[i].App)
		if err != nil {
			return nil, err
		}
		title, err := pattern(list[i].Title)
		if err != nil {
			return nil, err
		}
		compiled = append(compiled, rule{app, title, list[i].With})
	}
	return compiled, nil
}

// pattern compiles one; nil without.
func pattern(text string) (*regexp.Regexp, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // no pattern is none, and no error
	}
	return regexp.Compile(text) //nolint:wrapcheck // nobody reads it
}

// apply returns what the first rule that matches leaves of a title. An empty one has
// nothing to take out.
func apply(list []rule, app, title string) string {
	if title == "" {
		return ""
	}
	for i := range list {
		r := &list[i]
		if (r.app == nil || r.app.MatchString(app)) && (r.title == nil || r.title.MatchString(title)) {
			return r.with
		}
	}
	return title
}

// Covers returns whether a window is one of those whose title rules drop, so that no
// picture shows it: by any of its titles, as it is or as the lists before leave it, and
// also behind a rule that replaces. Where no title may be reported, each window is one.
func Covers(r *wire.Rules) (func(app string, titles []string) bool, error) {
	lists := make([][]rule, 0, len(r.Lists))
	drops := !r.Titles
	for _, list := range r.Lists {
		compiled, err := compile(list)
		if err != nil {
			return nil, err
		}
		for i := range compiled {
			drops = drops || compiled[i].with == ""
		}
		lists = append(lists, compiled)
	}
	if !drops {
		return nil, nil //nolint:nilnil // no window is to be looked at
	}
	return func(app string, titles []string) bool {
		if len(titles) == 0 {
			titles = []string{""}
		}
		for _, title := range titles {
			if !r.Titles || covers(lists, app, title) {
				return true
			}
		}
		return false
	}, nil
}

func covers(lists [][]rule, app, title string) bool {
	seen := []string{title}
	for _, list := range lists {
		for i := range list {
			r := &list[i]
			if r.with != "" || r.app != nil && !r.app.MatchString(app) {
				continue
			}
			for _, t := range seen {
				if r.title == nil || r.title.MatchString(t) {
					return true
				}
			}
		}
		title = apply(list, app, title)
		seen = append(seen, title)
	}
	return false
}
