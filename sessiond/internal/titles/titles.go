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
