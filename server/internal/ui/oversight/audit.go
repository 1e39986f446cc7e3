package oversight

import (
	_ "embed" // for the page's template
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/ui/frame"
)

//go:embed audit.html
var auditHTML string

const (
	// auditPage is how many changes are asked for at once; a page is full with fullPage that fit,
	// or when it has looked at maxAsked times as many.
	auditPage = "200"
	fullPage  = 50
	maxAsked  = 50
)

// auditView is what audit.html shows.
type auditView struct {
	Date, Kind string
	Kinds      []string
	Changes    []change
	// Next leads to older ones.
	Next string
	CSV  string
	// Of is whose data was looked at, as it was asked for, and Looks by whom.
	Of    string
	Looks []look
	// LooksMore leads to the file with all of them, where there are more.
	LooksMore string
}

// change is what somebody changed, as people read it.
type change struct {
	Seq                                int64
	At, Kind, Who, What, Subject, Refs string
	Details                            []detail
	Erased                             bool
}

type detail struct{ Name, Value string }

// look is somebody's look at a person's data.
type look struct{ First, Last, Who, What, Span string }

func kinds() []string {
	return []string{"categories", "enrollment", "group", "host", "host_group", "machine", "month", "note", "people", "person", "policy", "screenshot", "titles", "token", "user"}
}

func showAudit(v *frame.Visit) (any, error) {
	q := v.Query
	s := &auditView{Date: q.Get("date"), Kind: q.Get("kind"), Kinds: kinds(), CSV: "api/audit?format=csv", Of: strings.TrimSpace(q.Get("of"))}
	if s.Kind != "" && !slices.Contains(s.Kinds, s.Kind) {
		return nil, problem.BadRequest("kind: there is none of that name")
	}
	var from, to time.Time
	if s.Date != "" {
		day, err := time.ParseInLocation(time.DateOnly, s.Date, v.Zone)
		if err != nil {
			return nil, problem.BadRequest("date: want a day such as 2026-11-26")
		}
		from, to = day, day.AddDate(0, 0, 1)
	}
	if s.Of != "" {
		if err := s.looks(v); err != nil {
			return nil, err
		}
	}
	return s, s.changes(v, from, to)
}

// changes reads the changes of a day and kind, the newest first. The API has neither filter:
// the chain is read from its newest end, and its times never go back.
func (s *auditView) changes(v *frame.Visit, from, to time.Time) error {
	ask := url.Values{"limit": {auditPage}}
	if cursor := v.Query.Get("cursor"); cursor != "" {
		ask.Set("cursor", cursor)
	}
	for range maxAsked {
		var list api.ChangeList
		if _, err := v.Do(frame.Call{Method: http.MethodGet, Path: frame.Path("audit"), Query: ask, Into: &list}); err != nil {
			return err
		}
		for i := range list.Changes {
			c := &list.Changes[i]
			kind, _, _ := strings.Cut(c.What, ".")
			switch {
			case s.Kind != "" && kind != s.Kind, !to.IsZero() && !c.At.Before(to):
			case c.At.Before(from):
				return nil
			default:
				s.Changes = append(s.Changes, worded(v, c, kind))
			}
		}
		if list.NextCursor == "" {
			return nil
		}
		ask.Set("cursor", list.NextCursor)
		if len(s.Changes) >= fullPage {
			break
		}
	}
	next := url.Values{"cursor": {ask.Get("cursor")}}
	for name, value := range map[string]string{"date": s.Date, "kind": s.Kind} {
		if value != "" {
			next.Set(name, value)
		}
	}
	s.Next = "audit?" + next.Encode()
	return nil
}

// worded is a change as people read it.
func worded(v *frame.Visit, c *api.Change, kind string) change {
	at := c.At.In(v.Zone)
	w := change{
		Seq: c.Seq, At: v.Words.Date(at) + " " + at.Format(time.TimeOnly), Kind: kind, Who: who(v, c.ActorKind, c.ActorID, c.ActorName),
		What: v.Words.Or("audit.what."+c.What, c.What), Refs: c.SubjectID, Erased: c.Erased > 0,
	}
	if c.Subject != nil {
		w.Subject = *c.Subject
	}
	for name, value := range c.Details {
		w.Details = append(w.Details, detail{name, value})
	}
	slices.SortFunc(w.Details, func(a, b detail) int { return strings.Compare(a.Name, b.Name) })
	return w
}

// who is whoever did something: their name, and what kind they are.
func who(v *frame.Visit, kind, id string, name *string) string {
	said := v.Words.Or("audit.by."+kind, kind)
	switch {
	case kind == "server" || kind == "self":
		return said
	case name != nil && *name != "":
		return *name + " (" + said + ")"
	case id != "":
		return id + " (" + said + ")"
	}
	return said
}

// looks reads who looked at the data of all accounts of a person, or at an account's. What reads
// as a person is one where there is one: root of a host names accounts there, and by p17 would
// hide who looked at the person p17.
func (s *auditView) looks(v *frame.Visit) error {
	path := frame.Path("machines", s.Of, "access")
	if isPerson(s.Of) {
		path = frame.Path("people", s.Of, "access")
	}
	var list api.AccessList
	_, err := v.Do(frame.Call{Method: http.MethodGet, Path: path, Query: url.Values{"limit": {"200"}}, Into: &list})
	if isPerson(s.Of) && frame.Refusal(err).Code == api.CodeNotFound {
		path = frame.Path("machines", s.Of, "access")
		_, err = v.Do(frame.Call{Method: http.MethodGet, Path: path, Query: url.Values{"limit": {"200"}}, Into: &list})
	}
	if err != nil {
		return err
	}
	now := v.Now.In(v.Zone)
	for i := range list.Access {
		a := &list.Access[i]
		l := look{
			First: v.Words.Moment(a.FirstAt.In(v.Zone), now), Last: v.Words.Moment(a.LastAt.In(v.Zone), now),
			Who: who(v, a.ReaderKind, a.ReaderID, &a.ReaderName), What: v.Words.Or("looked."+a.What, a.What),
		}
		if a.From != nil && a.To != nil {
			l.Span = v.Words.Moment(a.From.In(v.Zone), now) + " – " + v.Words.Moment(a.To.In(v.Zone), now)
		}
		s.Looks = append(s.Looks, l)
	}
	if list.NextCursor != "" {
		s.LooksMore = strings.TrimPrefix(path, "/") + "?format=csv"
	}
	return nil
}

// isPerson reports whether a text may be the id of a person: p and a number.
func isPerson(text string) bool {
	number, ok := strings.CutPrefix(text, "p")
	return ok && number != "" && strings.Trim(number, "0123456789") == ""
}
