// Package tokens is the page of API tokens and of tokens that enrol hosts.
package tokens

import (
	_ "embed" // for the page's template
	"net/http"
	"strconv"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/ui/frame"
)

//go:embed tokens.html
var html string

// view is what tokens.html shows.
type view struct {
	Tokens      []token
	Enrollments []enrollment
	// Secret is that of what was just made, which is shown this once; For is what it is for.
	Secret, For string
}

type token struct {
	api.Token
	Made string
}

type enrollment struct {
	api.Enrollment
	Until string
}

// made is a secret that Act shows once.
type made struct{ secret, kind string }

// Page returns the page.
func Page() frame.Page {
	return frame.Page{Name: "tokens", HTML: html, Admin: true, Make: show, Act: act}
}

func show(v *frame.Visit) (any, error) {
	var list api.TokenList
	if _, err := v.Do(frame.Call{Method: http.MethodGet, Path: frame.Path("tokens"), Into: &list}); err != nil {
		return nil, err
	}
	var enrolling api.EnrollmentList
	if _, err := v.Do(frame.Call{Method: http.MethodGet, Path: frame.Path("enrollments"), Into: &enrolling}); err != nil {
		return nil, err
	}
	s := &view{}
	for _, t := range list.Tokens {
		s.Tokens = append(s.Tokens, token{t, v.Words.Date(t.CreatedAt.In(v.Zone))})
	}
	for i := range enrolling.Enrollments {
		e := &enrolling.Enrollments[i]
		s.Enrollments = append(s.Enrollments, enrollment{*e, v.Words.Moment(e.ExpiresAt.In(v.Zone), v.Now.In(v.Zone))})
	}
	if m, ok := v.Shown.(made); ok {
		s.Secret, s.For = m.secret, m.kind
	}
	return s, nil
}

func act(v *frame.Visit) (frame.Done, error) {
	switch v.Form.Get("do") {
	case "make":
		draft := api.TokenDraft{Name: v.Form.Get("name"), Role: v.Form.Get("role")}
		if group := v.Form.Get("group"); group != "" {
			draft.Groups = []string{group}
		}
		var m api.TokenMade
		_, err := v.Do(frame.Call{Method: http.MethodPost, Path: frame.Path("tokens"), Body: draft, Into: &m})
		return frame.Done{Show: made{m.Secret, "token"}}, err
	case "remove":
		_, err := v.Do(frame.Call{Method: http.MethodDelete, Path: frame.Path("tokens", v.Form.Get("id"))})
		return frame.Done{To: frame.Said("tokens", "removed")}, err
	case "enrol":
		draft, err := draftOf(v)
		if err != nil {
			return frame.Done{}, err
		}
		var m api.EnrollmentMade
		_, err = v.Do(frame.Call{Method: http.MethodPost, Path: frame.Path("enrollments"), Body: draft, Into: &m})
		return frame.Done{Show: made{m.Secret, "enrollment"}}, err
	case "revoke":
		_, err := v.Do(frame.Call{Method: http.MethodDelete, Path: frame.Path("enrollments", v.Form.Get("id"))})
		return frame.Done{To: frame.Said("tokens", "removed")}, err
	}
	return frame.Done{}, problem.BadRequest("")
}

// draftOf reads what a token that enrols is to be.
func draftOf(v *frame.Visit) (d api.EnrollmentDraft, err error) {
	d.Kind = api.EnrollKind(v.Form.Get("kind"))
	uses, err := strconv.Atoi(v.Form.Get("uses"))
	if err != nil {
		return d, problem.BadRequest("uses: a whole number is wanted")
	}
	days, err := strconv.Atoi(v.Form.Get("days"))
	if err != nil || days < 1 || days > 3650 {
		return d, problem.BadRequest("days: a whole number is wanted")
	}
	d.Uses, d.ExpiresInSec = &uses, new(int64(days)*int64(24*time.Hour/time.Second))
	return d, nil
}
