package report

import (
	"strings"

	"activity-tracker.example/server/api"
)

// uncategorised is the class of what no category's pattern matches.
const uncategorised = -1

// rules are categories' patterns in their order, ready to be asked. The first that
// matches decides.
type rules struct {
	categories []api.Category
	list       []rule
	// titled says whether any pattern is on titles.
	titled bool
}

// rule is one pattern; a glob of nil matches everything.
type rule struct {
	category   int
	app, title *glob
}

func newRules(categories []api.Category) *rules {
	r := &rules{categories: categories}
	for i, c := range categories {
		for _, p := range c.Patterns {
			one := rule{category: i, app: newGlob(p.App), title: newGlob(p.Title)}
			r.list = append(r.list, one)
			r.titled = r.titled || one.title != nil
		}
	}
	return r
}

// of gives the place of the category of a use, or uncategorised. Patterns on
// titles match nothing where the title is empty, as one is that is not kept any
// more.
func (r *rules) of(app, title string) int {
	app, title = strings.ToLower(app), strings.ToLower(title)
	for _, one := range r.list {
		if one.title != nil && (title == "" || !one.title.match(title)) {
			continue
		}
		if one.app == nil || one.app.match(app) {
			return one.category
		}
	}
	return uncategorised
}

// needsTitle says whether an application's category may depend on the title: a
// pattern with a title comes before the first that the application alone matches.
func (r *rules) needsTitle(app string) bool {
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

// name and rating are what a report says of a category.
func (r *rules) name(category int) string {
	if category == uncategorised {
		return ""
	}
	return r.categories[category].Name
}

func (r *rules) rating(category int) api.Rating {
	if category == uncategorised {
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

// match says whether the pattern matches a text in lower case.
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
