// Package users is the pages of people who log in.
package users

import (
	"cmp"
	_ "embed" // for the pages' templates
	"net/http"
	"net/url"
	"slices"
	"strings"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/ui/frame"
)

// partsHTML is what both pages have.
//
//go:embed parts.html
var partsHTML string

//go:embed users.html
var listHTML string

//go:embed user.html
var oneHTML string

// maxForm bounds a form: it may name as many groups as a user is limited to.
const maxForm = 64 << 10

// view is what users.html shows.
type view struct {
	Users      []user
	Choice     choice
	Invitation *invited
}

// user is one as the pages show them.
type user struct {
	api.User

	Link, Last, Made string
	// Tied is whom of those who are measured they are.
	Tied string
}

// invited is an invitation, which is shown this once.
type invited struct{ Login, Link, Until string }

// one is what user.html shows.
type one struct {
	user

	Invitation *invited
	Choice     choice
	Logins     []login
	// Self means that it is who looks.
	Self bool
	// Search has looked for people to tie them to.
	Search string
	Found  []candidate
}

type login struct {
	api.LoginSession

	Since, Seen string
}

// candidate is somebody whom a user may be tied to.
type candidate struct{ ID, Name, Accounts string }

// Pages returns them; base is where people find the server, if anybody has named it.
func Pages(base string) []frame.Page {
	return []frame.Page{
		{Name: "users", HTML: partsHTML + listHTML, Admin: true, FormBytes: maxForm, Make: list, Act: func(v *frame.Visit) (frame.Done, error) { return invite(v, base) }},
		{Name: "users/", HTML: partsHTML + oneHTML, Hidden: true, FormBytes: maxForm, Make: single, Act: func(v *frame.Visit) (frame.Done, error) { return act(v, base) }},
	}
}

func list(v *frame.Visit) (any, error) {
	var all api.UserList
	if _, err := v.Do(frame.Call{Method: http.MethodGet, Path: frame.Path("users"), Into: &all}); err != nil {
		return nil, err
	}
	slices.SortStableFunc(all.Users, func(a, b api.User) int { return cmp.Compare(a.Login, b.Login) })
	s := &view{}
	for i := range all.Users {
		s.Users = append(s.Users, shown(v, &all.Users[i]))
	}
	s.Invitation, _ = v.Shown.(*invited)
	var err error
	s.Choice, err = choices(v, api.UserAccess{Role: "viewer", Groups: []string{}}, "")
	return s, err
}

func shown(v *frame.Visit, u *api.User) user {
	s := user{User: *u, Link: url.PathEscape(u.ID), Made: v.Words.Date(u.CreatedAt.In(v.Zone)), Tied: u.Person}
	if u.LastLoginAt != nil {
		s.Last = v.Words.Moment(u.LastLoginAt.In(v.Zone), v.Now.In(v.Zone))
	}
	if s.Tied == "" && len(u.Accounts) > 0 {
		s.Tied = strings.Join(u.Accounts, ", ")
	}
	return s
}

func single(v *frame.Visit) (any, error) {
	var u api.User
	if _, err := v.Do(frame.Call{Method: http.MethodGet, Path: frame.Path("users", v.ID), Into: &u}); err != nil {
		return nil, err
	}
	var logins api.LoginSessionList
	if _, err := v.Do(frame.Call{Method: http.MethodGet, Path: frame.Path("users", v.ID, "sessions"), Into: &logins}); err != nil {
		return nil, err
	}
	s := &one{user: shown(v, &u), Self: u.ID == v.Caller.ID, Search: strings.TrimSpace(v.Query.Get("q"))}
	s.Invitation, _ = v.Shown.(*invited)
	for _, l := range logins.Sessions {
		s.Logins = append(s.Logins, login{l, v.Words.Moment(l.CreatedAt.In(v.Zone), v.Now.In(v.Zone)), v.Words.Moment(l.LastSeenAt.In(v.Zone), v.Now.In(v.Zone))})
	}
	var err error
	if s.Choice, err = choices(v, u.UserAccess, u.Version); err == nil && s.Search != "" {
		s.Found, err = candidates(v, s.Search)
	}
	return s, err
}

// candidates looks for people by a part of what they are called.
func candidates(v *frame.Visit, search string) ([]candidate, error) {
	const few = "20"
	var found api.PersonList
	_, err := v.Do(frame.Call{Method: http.MethodGet, Path: frame.Path("people"), Query: url.Values{"q": {search}, "limit": {few}}, Into: &found})
	var list []candidate
	for i := range found.People {
		p := &found.People[i]
		c := candidate{ID: p.ID, Name: cmp.Or(p.Label, p.ID)}
		for k, a := range p.Accounts {
			if k > 0 {
				c.Accounts += ", "
			}
			c.Accounts += a.MachineID
		}
		list = append(list, c)
	}
	return list, err
}

// invite makes a user, and shows their invitation.
func invite(v *frame.Visit, base string) (frame.Done, error) {
	if v.Form.Get("do") != "invite" {
		return frame.Done{}, problem.BadRequest("")
	}
	draft := api.UserInvite{Login: strings.TrimSpace(v.Form.Get("login")), UserAccess: accessOf(v)}
	return show(v, base, frame.Call{Method: http.MethodPost, Path: frame.Path("users"), Body: draft})
}

// show has the API make an invitation, and shows it.
func show(v *frame.Visit, base string, c frame.Call) (frame.Done, error) {
	var made api.UserInvitation
	c.Into = &made
	if _, err := v.Do(c); err != nil {
		return frame.Done{}, err
	}
	// Behind # it is in no server's log, wherever the link is opened.
	return frame.Done{Show: &invited{made.User.Login, base + "/invitation#" + made.Invitation, v.Words.Moment(made.ExpiresAt.In(v.Zone), v.Now.In(v.Zone))}}, nil
}

// act does what a form of a user's page asks for.
func act(v *frame.Visit, base string) (frame.Done, error) {
	path := frame.Path("users", v.ID)
	c := frame.Call{Method: http.MethodDelete}
	said := "changed"
	switch v.Form.Get("do") {
	case "access":
		c.Method, c.Path, c.Body, c.Version = http.MethodPut, path+"/access", accessOf(v), frame.Quoted(v.Form.Get("version"))
	case "disable", "enable":
		c.Method, c.Path, c.Body = http.MethodPatch, path, api.UserPatch{Disabled: new(v.Form.Get("do") == "disable")}
	case "again":
		return show(v, base, frame.Call{Method: http.MethodPost, Path: path + "/invitation"})
	case "logout":
		c.Path, said = path+"/sessions", "ended"
	case "end":
		c.Path, said = frame.Path("users", v.ID, "sessions", v.Form.Get("id")), "ended"
	case "forget":
		c.Path, said = path+"/second-step", "forgotten"
	case "tie":
		c.Method, c.Path, c.Body = http.MethodPut, path+"/person", api.UserPerson{Person: strings.TrimSpace(v.Form.Get("person"))}
	case "untie":
		c.Path = path + "/person"
	default:
		return frame.Done{}, problem.BadRequest("")
	}
	_, err := v.Do(c)
	return frame.Done{To: frame.Said("users/"+url.PathEscape(v.ID), said)}, err
}
