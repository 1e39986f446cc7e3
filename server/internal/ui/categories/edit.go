package categories

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/ui/frame"
)

// draft is a list that is not written yet, as text.
type draft struct {
	Text string
	// Version is of the list that it was made from, and Base that list.
	Version, Base string
	preview       *api.CategoryPreview
}

// editor is the text to edit.
type editor struct {
	draft

	// Open means that something was done with it.
	Open    bool
	Newest  string
	Now     string
	Preview *preview
	// Theirs is what others have changed since the text was begun.
	Theirs    []difference
	Meanwhile bool
}

// preview is where time would count that counts elsewhere now.
type preview struct {
	From, To   string
	Machines   int
	Cut        bool
	Categories []shift
	Moved      []moved
	More       int
}

type shift struct{ Name, Now, Then string }

type moved struct{ App, Now, Then, Time string }

// difference is a category that is not as it was. Kind is a sentence of the catalogue.
type difference struct {
	Name, Kind string
	Gone, Come []string
}

// edit returns the editor: with what was typed, or with the list as it is.
func edit(v *frame.Visit, list []api.Category, newest string) *editor {
	e := &editor{Newest: newest, Now: textOf(list)}
	d, shown := v.Shown.(*draft)
	switch {
	case shown:
		e.draft, e.Open = *d, true
	case v.Form.Has("text"):
		e.draft, e.Open = typed(v), true
	default:
		e.draft = draft{Text: e.Now, Version: newest, Base: e.Now}
	}
	if e.preview != nil {
		e.Preview = previewed(v, e.preview)
	}
	if e.Version != newest {
		e.Meanwhile = true
		if base, err := listOf(e.Base); err == nil {
			e.Theirs = differences(base, list)
		}
	}
	return e
}

func typed(v *frame.Visit) draft {
	lines := func(name string) string { return strings.ReplaceAll(v.Form.Get(name), "\r\n", "\n") }
	return draft{Text: lines("text"), Version: v.Form.Get("version"), Base: lines("base")}
}

func previewed(v *frame.Visit, p *api.CategoryPreview) *preview {
	now := v.Now.In(v.Zone)
	s := &preview{
		From: v.Words.Moment(p.From.In(v.Zone), now), To: v.Words.Moment(p.To.In(v.Zone), now),
		Machines: int(p.Machines), Cut: p.Cut, More: int(p.MovedLeftOff),
	}
	length := func(seconds int64) string { return v.Words.Length(float64(seconds)) }
	for _, c := range p.Categories {
		if c.NowSeconds != c.ThenSeconds {
			s.Categories = append(s.Categories, shift{c.Category, length(c.NowSeconds), length(c.ThenSeconds)})
		}
	}
	for _, m := range p.Moved {
		if len(s.Moved) == shownMoved {
			s.More++
			continue
		}
		s.Moved = append(s.Moved, moved{m.App, m.Now, m.Then, length(m.FocusSeconds)})
	}
	return s
}

// act previews a list, puts an application or a category into it, or writes it.
func act(v *frame.Visit) (frame.Done, error) {
	d := typed(v)
	switch do := v.Form.Get("do"); do {
	case "put", "add":
		return d.alter(v, do)
	case "preview":
		return d.look(v)
	case "write":
		list, err := listOf(d.Text)
		if err != nil {
			return frame.Done{}, err
		}
		_, err = v.Do(frame.Call{Method: http.MethodPut, Path: frame.Path("categories"), Body: api.CategoryList{Categories: list}, Version: d.Version})
		return frame.Done{To: frame.Said("categories", "changed")}, err
	}
	return frame.Done{}, problem.BadRequest("")
}

// alter changes the list as it is now by a form of the page, and looks what that would do.
func (d *draft) alter(v *frame.Visit, do string) (frame.Done, error) {
	list, newest, err := read(v)
	if err != nil {
		return frame.Done{}, err
	}
	d.Version, d.Base = newest, textOf(list)
	name := v.Form.Get("category")
	i := slices.IndexFunc(list, func(c api.Category) bool { return c.Name == name })
	switch {
	case do == "add":
		list = append(list, api.Category{Name: name, Colour: v.Form.Get("colour"), Rating: api.Rating(v.Form.Get("rating")), Patterns: []api.Pattern{}})
	case i < 0:
		return frame.Done{}, problem.NotFound("There is no such category.")
	default:
		list[i].Patterns = append(list[i].Patterns, api.Pattern{App: v.Form.Get("app")})
	}
	d.Text = textOf(list)
	return d.look(v)
}

// look asks what the list would change.
func (d *draft) look(v *frame.Visit) (frame.Done, error) {
	list, err := listOf(d.Text)
	if err != nil {
		return frame.Done{}, err
	}
	d.preview = &api.CategoryPreview{}
	_, err = v.Do(frame.Call{Method: http.MethodPost, Path: frame.Path("categories", "preview"), Body: api.CategoryList{Categories: list}, Into: d.preview})
	return frame.Done{Show: d}, err
}

// listOf reads a list as people edit it. A name that is not known is an error, as in the API: a
// pattern that was misspelt would match other uses than were meant.
func listOf(text string) ([]api.Category, error) {
	list := []api.Category{}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&list)
	if err == nil && decoder.More() {
		err = errors.New("more after the list's end")
	}
	if err != nil {
		line := strings.Count(text[:min(int(decoder.InputOffset()), len(text))], "\n") + 1
		return nil, problem.BadRequest(fmt.Sprintf("categories: after line %d: %s", line, strings.TrimPrefix(err.Error(), "json: ")))
	}
	return slices.Clip(list), nil
}

// textOf writes a list as people edit it: a pattern a line.
func textOf(list []api.Category) string {
	if len(list) == 0 {
		return "[]\n"
	}
	var b strings.Builder
	one := func(v any) string {
		var line bytes.Buffer
		e := json.NewEncoder(&line)
		e.SetEscapeHTML(false)
		_ = e.Encode(v) // texts alone
		return strings.TrimSpace(line.String())
	}
	b.WriteString("[\n")
	for i, c := range list {
		fmt.Fprintf(&b, "  {\"name\": %s, \"colour\": %s, \"rating\": %s, \"patterns\": [", one(c.Name), one(c.Colour), one(c.Rating))
		for k, p := range c.Patterns {
			fmt.Fprintf(&b, "\n    %s%s", one(p), comma(k, len(c.Patterns)))
		}
		fmt.Fprintf(&b, "]}%s\n", comma(i, len(list)))
	}
	b.WriteString("]\n")
	return b.String()
}

func comma(i, of int) string {
	if i == of-1 {
		return ""
	}
	return ","
}

// differences are what differs in a list from what it was.
func differences(before, now []api.Category) (list []difference) {
	was := map[string]api.Category{}
	for _, c := range before {
		was[c.Name] = c
	}
	for _, c := range now {
		old, there := was[c.Name]
		delete(was, c.Name)
		d := difference{Name: c.Name, Gone: missing(old, c), Come: missing(c, old)}
		switch {
		case !there:
			d.Kind = "added"
		case len(d.Gone)+len(d.Come) > 0:
			d.Kind = "changed.one"
		default:
			continue
		}
		list = append(list, d)
	}
	for _, c := range before {
		if _, gone := was[c.Name]; gone {
			list = append(list, difference{Name: c.Name, Kind: "removed"})
		}
	}
	return list
}

// missing is what a category has that another has not.
func missing(a, b api.Category) (list []string) {
	if a.Colour != b.Colour && a.Colour != "" {
		list = append(list, a.Colour)
	}
	if a.Rating != b.Rating && a.Rating != "" {
		list = append(list, string(a.Rating))
	}
	for _, p := range a.Patterns {
		if !slices.Contains(b.Patterns, p) {
			list = append(list, strings.TrimSpace(p.App+" "+p.Title))
		}
	}
	return list
}
