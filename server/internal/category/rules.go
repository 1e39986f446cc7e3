// Package category finds which category a use of an application is in.
package category

import (
	"strings"

	"activity-tracker.example/server/api"
)

// None is the class of what no category's pattern matches.
const None = -1

// Rules are categories' patterns in their order, ready to be asked. The first that
// matches decides.
type Rules struct {
	categories []api.Category
	list       []rule
	// titled is set where any pattern is on titles.
	titled bool
}

// rule is one pattern; a glob of nil matches everything.
type rule struct {
	category   int
	app, title *glob
}

// NewRules prepares the patterns of categories.
func NewRules(categories []api.Category) *Rules {
	r := &Rules{categories: categories}
	for i, c := range categories {
		for _, p := range c.Patterns {
			one := rule{category: i, app: newGlob(p.App), title: newGlob(p.Title)}
			r.list = append(r.list, one)
			r.titled = r.titled || one.title != nil
		}
	}
	return r
}

// Of returns the place of the category of a use, or None. Patterns on
// titles match nothing where the title is empty, as one is that is not kept any
// more.
func (r *Rules) Of(app, title string) int {
	app, title = strings.ToLower(app), strings.ToLower(title)
	for _, one := range r.list {
		if one.title != nil && (title == "" || !one.title.match(title)) {
			continue
		}
		if one.app == nil || one.app.match(app) {
			return one.category
		}
	}
	return None
}

// NeedsTitle reports whether an application's category may depend on the title: a
// pattern with a title comes before the first that the application alone matches.
func (r *Rules) NeedsTitle(app string) bool {
	if !r.titled {
		return false
	}
	app = strings.ToLower(app)
	for _, one := range r.list {
		if one.app == nil || one.app.match(app) {
			return one.title != nil
		}
	}
	return false
}

// Name returns a category's name.
func (r *Rules) Name(category int) string {
	if category == None {
		return ""
	}
	return r.categories[category].Name
}

// Rating returns a category's rating.
func (r *Rules) Rating(category int) api.Rating {
	if category == None {
		return api.RatingNeutral
	}
	return r.categories[category].Rating
}

// glob is a pattern in lower case, cut at its stars. It is matched against a whole
// text by looking for each part after the one before: in time proportional to the
// text, whatever the pattern.
type glob struct {
	parts []string
}

// newGlob is nil for an empty pattern, which asks for nothing.
func newGlob(pattern string) *glob {
	if pattern == "" {
		return nil
	}
	return &glob{parts: strings.Split(strings.ToLower(pattern), "*")}
}

// match reports whether the pattern matches a text in lower case.
func (g *glob) match(text string) bool {
	first, last := g.parts[0], g.parts[len(g.parts)-1]
	if len(g.parts) == 1 {
		return text == first
	}
	if len(text) < len(first)+len(last) || !strings.HasPrefix(text, first) || !strings.HasSuffix(text, last) {
		return false
	}
	text = text[len(first) : len(text)-len(last)]
	for _, part := range g.parts[1 : len(g.parts)-1] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return true
}
