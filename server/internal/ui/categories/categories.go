// Package categories is the page of categories: what counts to which, which applications are in
// none, and what another list would change before it does.
package categories

import (
	"cmp"
	_ "embed" // for the page's template
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/ui/frame"
)

//go:embed categories.html
var html string

const (
	// maxText bounds the form: a list may have 1 MiB, and the one that it was made from comes
	// along.
	maxText = 4 << 20
	// usualDays is how far back times are added up, as a preview does.
	usualDays = 7
	// shownApps is how many applications without a category are listed, and shownMoved how many
	// rows of what would move.
	shownApps  = 50
	shownMoved = 100
)

// view is what categories.html shows.
type view struct {
	Zone       string
	Categories []category
	// None are the applications that are in no category, those used longest first.
	None     []app
	NoneTime string
	// More is how many others there are.
	More int
	// Names are the categories to choose from.
	Names []string
	// Edits means that the visitor may try another list, Writes that they may write it.
	Edits, Writes bool
	Editor        *editor
}

type category struct {
	api.Category

	Time    string
	seconds float64
}

type app struct {
	Name, Time string
	seconds    float64
}

// Page returns the page.
func Page() frame.Page {
	return frame.Page{Name: "categories", HTML: html, Admin: true, FormBytes: maxText, Make: show, Act: act}
}

func show(v *frame.Visit) (any, error) {
	list, newest, err := read(v)
	if err != nil {
		return nil, err
	}
	s := &view{
		Zone: v.Zone.String(), Writes: v.Caller.Role == directory.RoleAdmin,
		Edits: v.Caller.Role == directory.RoleAdmin || v.Caller.Role == directory.RoleManager,
	}
	for _, c := range list {
		s.Names = append(s.Names, c.Name)
		s.Categories = append(s.Categories, category{Category: c})
	}
	if err := s.times(v); err != nil {
		return nil, err
	}
	if s.Edits {
		s.Editor = edit(v, list, newest)
	}
	return s, nil
}

// read returns the categories and their version.
func read(v *frame.Visit) (list []api.Category, newest string, err error) {
	var l api.CategoryList
	newest, err = v.Do(frame.Call{Method: http.MethodGet, Path: frame.Path("categories"), Into: &l})
	return l.Categories, newest, err
}

// times adds for how long people used what, in the last days.
func (s *view) times(v *frame.Visit) error {
	today := v.Now.In(v.Zone)
	var r api.AppsReport
	_, err := v.Do(frame.Call{Method: http.MethodGet, Path: frame.Path("reports", "apps"), Into: &r, Query: url.Values{
		"from": {today.AddDate(0, 0, 1-usualDays).Format(time.DateOnly)}, "to": {today.Format(time.DateOnly)}, "tz": {v.Zone.String()},
		"by": {"app"}, "per": {"all"},
	}})
	if err != nil {
		return err
	}
	byName, none := map[string]float64{}, map[string]float64{}
	for i := range r.Rows {
		row := &r.Rows[i]
		byName[row.Category] += row.Seconds
		if row.Category == "" && row.App != "" {
			none[row.App] += row.Seconds
		}
	}
	for i := range s.Categories {
		c := &s.Categories[i]
		c.seconds = byName[c.Name]
		c.Time = v.Words.Length(c.seconds)
	}
	s.NoneTime = v.Words.Length(byName[""])
	for name, seconds := range none {
		s.None = append(s.None, app{name, v.Words.Length(seconds), seconds})
	}
	slices.SortFunc(s.None, func(a, b app) int {
		return cmp.Or(cmp.Compare(b.seconds, a.seconds), strings.Compare(a.Name, b.Name))
	})
	if s.More = len(s.None) - shownApps; s.More > 0 {
		s.None = s.None[:shownApps]
	}
	return nil
}
