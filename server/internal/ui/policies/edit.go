package policies

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/ui/frame"
)

// shownApps is how many applications a preview lists.
const shownApps = 50

// draft is what a form has: a text that is not written yet.
type draft struct {
	HostGroup, Text, From string
	// Version is that of all versions when the text was begun, and Base the one that the text
	// was made from.
	Version, Base string
	Rule          rule
	preview       *api.TitlePreview
}

// rule is one that the form adds to the text.
type rule struct{ App, Title, Action, With, Where string }

// editor is the text to edit.
type editor struct {
	draft

	// Preview is what the text would do to the titles of the last week.
	Preview *preview
	// Changes are what it decides otherwise than what is in force.
	Changes []change
	// Same means that it was looked at, and decides nothing otherwise.
	Same bool
	// Meanwhile are the versions that others have written since, and Theirs what these decide
	// otherwise than what the text was made from.
	Meanwhile []version
	Theirs    []change
	Newest    string
}

// preview is what becomes of titles.
type preview struct {
	From, To string
	Machines int
	Cut      bool
	Apps     []previewApp
	// Kept is how many other applications keep all of theirs, More how many are not listed.
	Kept, More int
}

type previewApp struct {
	api.TitlePreviewApp

	KeptTime, ReplacedTime, DroppedTime string
}

// draftOf returns what was typed, and nil where the page is only looked at.
func draftOf(v *frame.Visit) *draft {
	if d, ok := v.Shown.(*draft); ok {
		return d
	}
	if v.Form == nil {
		return nil
	}
	return typed(v.Form)
}

func typed(form url.Values) *draft {
	return &draft{
		HostGroup: form.Get("host_group"), From: form.Get("from"), Version: form.Get("version"), Base: form.Get("base"),
		Text: strings.ReplaceAll(form.Get("text"), "\r\n", "\n"),
		Rule: rule{form.Get("app"), form.Get("title"), form.Get("action"), form.Get("with"), form.Get("where")},
	}
}

// edit returns the editor: with what was typed, or with the text of a version, or with the one
// in force.
func (p *page) edit(group string, d *draft, shown *policy.Written, held policy.Written) (*editor, error) {
	if d == nil {
		from := held
		if shown != nil {
			from = *shown
		}
		d = &draft{HostGroup: group, Text: textOf(&from.Policy), Version: p.newest, Base: strconv.FormatInt(from.Version, 10)}
	}
	e := &editor{draft: *d, Newest: p.newest}
	if doc, err := policy.Parse([]byte(d.Text)); err == nil {
		e.Changes = changes(p.Words, &held.Policy, &doc)
		e.Same = len(e.Changes) == 0 && d.preview != nil
	}
	if d.preview != nil {
		e.Preview = p.previewed(d.preview)
	}
	begun, _ := strconv.ParseInt(strings.Trim(d.Version, `"`), 10, 64)
	for i := range p.infos {
		if d.Version != p.newest && p.infos[i].Version > begun {
			e.Meanwhile = append(e.Meanwhile, *p.worded(&p.infos[i]))
		}
	}
	if len(e.Meanwhile) == 0 {
		return e, nil
	}
	var base policy.Written
	if n, err := strconv.ParseInt(d.Base, 10, 64); err == nil && n > 0 {
		if base, err = p.version(d.Base); err != nil {
			return nil, err
		}
	}
	e.Theirs = changes(p.Words, &base.Policy, &held.Policy)
	return e, nil
}

func (p *page) previewed(t *api.TitlePreview) *preview {
	at := func(at time.Time) string { return p.Words.Moment(at.In(p.Zone), p.Now.In(p.Zone)) }
	s := &preview{From: at(t.From), To: at(t.To), Machines: int(t.Machines), Cut: t.Cut, More: int(t.AppsLeftOff)}
	length := func(share api.TitleShare) string { return p.Words.Length(float64(share.FocusSeconds)) }
	for i := range t.Apps {
		a := &t.Apps[i]
		switch {
		case a.Replaced.Titles+a.Dropped.Titles == 0:
			s.Kept++
		case len(s.Apps) == shownApps:
			s.More++
		default:
			s.Apps = append(s.Apps, previewApp{*a, length(a.Kept), length(a.Replaced), length(a.Dropped)})
		}
	}
	return s
}

// act previews a text, adds a rule to it, or writes it.
func act(v *frame.Visit) (frame.Done, error) {
	d := typed(v.Form)
	switch v.Form.Get("do") {
	case "rule":
		if err := d.addRule(); err != nil {
			return frame.Done{}, err
		}
		return d.look(v)
	case "preview":
		return d.look(v)
	case "write":
		return d.write(v)
	}
	return frame.Done{}, problem.BadRequest("")
}

// look asks what the text would do.
func (d *draft) look(v *frame.Visit) (frame.Done, error) {
	text, err := d.json()
	if err != nil {
		return frame.Done{}, err
	}
	d.preview = &api.TitlePreview{}
	_, err = v.Do(frame.Call{Method: http.MethodPost, Path: frame.Path("policies", "preview"), Body: api.PolicyPreviewDraft{Policy: text}, Into: d.preview})
	return frame.Done{Show: d}, err
}

// write writes the text as a version, unless there is one that its writer has not seen.
func (d *draft) write(v *frame.Visit) (frame.Done, error) {
	text, err := d.json()
	if err != nil {
		return frame.Done{}, err
	}
	ask := policy.Draft{Policy: text}
	if d.HostGroup != "" {
		ask.HostGroup = &d.HostGroup
	}
	if d.From != "" {
		at, err := time.ParseInLocation("2006-01-02T15:04", d.From, v.Zone)
		if err != nil {
			return frame.Done{}, problem.BadRequest("valid_from: want a day and a time")
		}
		ask.ValidFrom = &at
	}
	_, err = v.Do(frame.Call{Method: http.MethodPut, Path: frame.Path("policies"), Body: ask, Version: d.Version})
	to := "policy"
	if d.HostGroup != "" {
		to += "?" + url.Values{"host_group": {d.HostGroup}}.Encode()
	}
	return frame.Done{To: frame.Said(to, "written")}, err
}

// addRule puts the form's rule into the text.
func (d *draft) addRule() error {
	doc, err := policy.Parse([]byte(d.Text))
	var field *policy.FieldError
	if errors.As(err, &field) {
		return problem.BadRequest("policy: " + field.Error())
	}
	if err != nil {
		return fmt.Errorf("reading a policy: %w", err)
	}
	fresh := policy.Rule{App: d.Rule.App, Title: d.Rule.Title, Action: policy.Action(d.Rule.Action)}
	if fresh.Action == policy.Replace {
		fresh.With = d.Rule.With
	}
	if d.Rule.Where == "last" {
		doc.TitleRules = append(doc.TitleRules, fresh)
	} else {
		doc.TitleRules = append(policy.Rules{fresh}, doc.TitleRules...)
	}
	d.Text, d.Rule = textOf(&doc), rule{}
	return nil
}

// json returns the text as the API takes it, or where it is no JSON.
func (d *draft) json() (json.RawMessage, error) {
	var any json.RawMessage
	err := json.Unmarshal([]byte(d.Text), &any)
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		before := d.Text[:min(int(syntax.Offset), len(d.Text))]
		return nil, problem.BadRequest(fmt.Sprintf("policy: line %d: %s", strings.Count(before, "\n")+1, syntax))
	case err != nil:
		return nil, problem.BadRequest("policy: " + err.Error())
	}
	return any, nil
}

// textOf writes a policy as people edit it.
func textOf(d *policy.Document) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(d); err != nil {
		return "{}"
	}
	return b.String()
}
