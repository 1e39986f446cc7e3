package report

import (
	"strings"
	"testing"

	"activity-tracker.example/server/api"
)

// oneCategory returns a category that is as it should be.
func oneCategory(name string, patterns ...api.Pattern) api.Category {
	return api.Category{Name: name, Colour: "#000000", Rating: api.RatingNeutral, Patterns: patterns}
}

func TestCategoriesRefused(t *testing.T) {
	long := strings.Repeat("x", api.MaxPatternBytes+1)
	with := func(change func(*api.Category)) []api.Category {
		c := oneCategory("Mail", api.Pattern{App: "thunderbird"})
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
		"a name twice":      {oneCategory("a"), oneCategory("a ")},
		"too many":          make([]api.Category, api.MaxCategories+1),
	} {
		if err := CheckCategories(list); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	good := []api.Category{{Name: " Mail ", Colour: "#ABCDEF", Rating: api.RatingNeutral}}
	if err := CheckCategories(good); err != nil || good[0].Name != "Mail" || good[0].Colour != "#abcdef" || good[0].Patterns == nil {
		t.Errorf("%+v, %v", good, err)
	}
}
