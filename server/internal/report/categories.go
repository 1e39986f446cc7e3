package report

import (
	"context"
	"fmt"
	"strings"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/category"
	"activity-tracker.example/server/internal/store/query"
	"activity-tracker.example/server/internal/text"
)

// Categories returns the categories and their version.
func (r *Reports) Categories(ctx context.Context) (api.CategoryList, error) {
	return r.directory.Categories(ctx)
}

// SetCategories puts a list in the place of all categories if the version is still
// one of these, or whatever it is for nil, and returns the new list. Otherwise it
// returns directory.ErrCategoriesChanged.
func (r *Reports) SetCategories(ctx context.Context, list []api.Category, versions []int64) (api.CategoryList, error) {
	if err := CheckCategories(list); err != nil {
		return api.CategoryList{}, err
	}
	return r.directory.SetCategories(ctx, list, versions)
}

// CheckCategories completes a list, or returns what is wrong in it.
func CheckCategories(list []api.Category) error {
	if len(list) > api.MaxCategories {
		return InvalidError(fmt.Sprintf("categories: want at most %d", api.MaxCategories))
	}
	seen, patterns := map[string]bool{}, 0
	for i := range list {
		c := &list[i]
		bad := func(what string) error { return InvalidError(fmt.Sprintf("categories[%d]: %s", i, what)) }
		c.Name = strings.TrimSpace(c.Name)
		switch {
		case c.Name == "" || len(c.Name) > api.MaxCategoryBytes || !text.Printable(c.Name):
			return bad(fmt.Sprintf("name: want 1 to %d bytes of printable characters", api.MaxCategoryBytes))
		case seen[c.Name]:
			return bad("name: another category has it")
		case !isColour(c.Colour):
			return bad("colour: want one such as #2e7d32")
		case c.Rating != api.RatingProductive && c.Rating != api.RatingNeutral && c.Rating != api.RatingUnproductive:
			return bad("rating: want productive, neutral or unproductive")
		}
		seen[c.Name] = true
		c.Colour = strings.ToLower(c.Colour)
		if patterns += len(c.Patterns); patterns > api.MaxPatterns {
			return InvalidError(fmt.Sprintf("categories: want at most %d patterns in all", api.MaxPatterns))
		}
		if c.Patterns == nil {
			c.Patterns = []api.Pattern{}
		}
		for j, p := range c.Patterns {
			if err := checkPattern(p); err != "" {
				return bad(fmt.Sprintf("patterns[%d]: %s", j, err))
			}
		}
	}
	return nil
}

// checkPattern returns what is wrong with a pattern, or nothing.
func checkPattern(p api.Pattern) string {
	if p.App == "" && p.Title == "" {
		return "want app, title or both"
	}
	for _, part := range []string{p.App, p.Title} {
		if len(part) > api.MaxPatternBytes || !text.Printable(part) {
			return fmt.Sprintf("want at most %d bytes of printable characters", api.MaxPatternBytes)
		}
	}
	return ""
}

// isColour reports whether a text is # and six hexadecimal digits.
func isColour(s string) bool {
	digits, ok := strings.CutPrefix(s, "#")
	return ok && len(digits) == 6 && strings.Trim(digits, "0123456789abcdefABCDEF") == ""
}

// rules reads the categories for one report.
func (r *Reports) rules(ctx context.Context) (*category.Rules, error) {
	list, err := r.directory.Categories(ctx)
	if err != nil {
		return nil, err
	}
	return category.NewRules(list.Categories), nil
}

// classes returns rules as the store asks them.
func classes(r *category.Rules) query.Classes {
	return query.Classes{Of: r.Of, NeedsTitle: r.NeedsTitle}
}
