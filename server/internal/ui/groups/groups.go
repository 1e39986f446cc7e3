// Package groups is the pages of groups of people and accounts.
package groups

import (
	"cmp"
	_ "embed" // for the pages' templates
	"net/http"
	"net/url"
	"strings"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/ui/frame"
)

//go:embed groups.html
var listHTML string

//go:embed group.html
var oneHTML string

const (
	// peopleShown is how many people of a group a page lists, foundShown how many it finds.
	peopleShown = "200"
	foundShown  = "20"
	// closedShown is how many closed months the page looks at for those of the group.
	closedShown = "1000"
)

// view is what groups.html shows.
type view struct {
	Groups []row
	Next   string
}

type row struct{ Name, Link, Accounts, Made string }

// one is what group.html shows.
type one struct {
	Name, Link, Accounts string
	// People were put in themselves, and bring all their accounts.
	People     []person
	MorePeople bool
	// Members are all accounts that it holds.
	Members []member
	Next    string
	// Closed are its closed months, which keep it from being removed.
	Closed []string
	Search string
	Found  []person
}

type person struct {
	ID, Name string
	Accounts []string
	// In means that they are in the group.
	In bool
}

type member struct {
	ID, Name, Host string
	// By is the person who brings it; empty: it was put in itself.
	By string
}

// Pages returns them.
func Pages() []frame.Page {
	return []frame.Page{
		{Name: "groups", HTML: listHTML, Admin: true, Make: list, Act: add},
		{Name: "groups/", HTML: oneHTML, Hidden: true, Make: single, Act: act},
	}
}

func list(v *frame.Visit) (any, error) {
	var found api.GroupList
	query := url.Values{"cursor": {v.Query.Get("cursor")}}
	if _, err := v.Do(frame.Call{Method: http.MethodGet, Path: frame.Path("groups"), Query: query, Into: &found}); err != nil {
		return nil, err
	}
	s := &view{}
	for i := range found.Groups {
		g := &found.Groups[i]
		s.Groups = append(s.Groups, row{g.Name, url.PathEscape(g.Name), v.Words.Number(int(g.Machines)), v.Words.Date(g.CreatedAt.In(v.Zone))})
	}
	if found.NextCursor != "" {
		s.Next = "?" + url.Values{"cursor": {found.NextCursor}}.Encode()
	}
	return s, nil
}

// add makes a group, and leads to its page.
func add(v *frame.Visit) (frame.Done, error) {
	name := strings.TrimSpace(v.Form.Get("name"))
	if name == "" || name == "." || name == ".." {
		return frame.Done{}, problem.BadRequest("")
	}
	_, err := v.Do(frame.Call{Method: http.MethodPut, Path: frame.Path("groups", name)})
	return frame.Done{To: "groups/" + url.PathEscape(name)}, err
}

func single(v *frame.Visit) (any, error) {
	path := frame.Path("groups", v.ID)
	var g api.Group
	if _, err := v.Do(frame.Call{Method: http.MethodGet, Path: path, Into: &g}); err != nil {
		return nil, err
	}
	s := &one{Name: g.Name, Link: url.PathEscape(g.Name), Accounts: v.Words.Number(int(g.Machines)), Search: strings.TrimSpace(v.Query.Get("q"))}
	var people api.PersonList
	if _, err := v.Do(frame.Call{Method: http.MethodGet, Path: path + "/people", Query: url.Values{"limit": {peopleShown}}, Into: &people}); err != nil {
		return nil, err
	}
	in, by := map[string]bool{}, map[string]string{}
	for i := range people.People {
		p := personOf(&people.People[i])
		in[p.ID] = true
		s.People = append(s.People, p)
		for _, account := range p.Accounts {
			by[account] = p.Name
		}
	}
	s.MorePeople = people.NextCursor != ""
	for _, read := range []func() error{
		func() error { return s.readMembers(v, path, by) },
		func() error { return s.readClosed(v) },
		func() error { return s.find(v, in) },
	} {
		if err := read(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func personOf(p *api.Person) person {
	s := person{ID: p.ID, Name: p.Label}
	for i := range p.Accounts {
		a := &p.Accounts[i]
		s.Name = cmp.Or(s.Name, a.UserLabel, a.Username)
		s.Accounts = append(s.Accounts, a.MachineID)
	}
	s.Name = cmp.Or(s.Name, p.ID)
	return s
}

// readMembers reads a page of the accounts.
func (s *one) readMembers(v *frame.Visit, path string, by map[string]string) error {
	var found api.MachineList
	query := url.Values{"cursor": {v.Query.Get("cursor")}}
	if _, err := v.Do(frame.Call{Method: http.MethodGet, Path: path + "/machines", Query: query, Into: &found}); err != nil {
		return err
	}
	for i := range found.Machines {
		m := &found.Machines[i]
		s.Members = append(s.Members, member{m.MachineID, cmp.Or(m.UserLabel, m.Username), m.Hostname, by[m.MachineID]})
	}
	if found.NextCursor != "" {
		s.Next = "?" + url.Values{"cursor": {found.NextCursor}}.Encode()
	}
	return nil
}

// readClosed reads which months of the group are closed.
func (s *one) readClosed(v *frame.Visit) error {
	var closed api.ClosedMonthList
	_, err := v.Do(frame.Call{Method: http.MethodGet, Path: frame.Path("months"), Query: url.Values{"limit": {closedShown}}, Into: &closed})
	for i := range closed.Months {
		if closed.Months[i].Group == s.Name {
			s.Closed = append(s.Closed, closed.Months[i].Month)
		}
	}
	return err
}

// find looks for people to put in.
func (s *one) find(v *frame.Visit, in map[string]bool) error {
	if s.Search == "" {
		return nil
	}
	var found api.PersonList
	query := url.Values{"q": {s.Search}, "limit": {foundShown}}
	_, err := v.Do(frame.Call{Method: http.MethodGet, Path: frame.Path("people"), Query: query, Into: &found})
	for i := range found.People {
		p := personOf(&found.People[i])
		p.In = in[p.ID]
		s.Found = append(s.Found, p)
	}
	return err
}

// act does what a form of a group's page asks for.
func act(v *frame.Visit) (frame.Done, error) {
	path := frame.Path("groups", v.ID)
	to := "groups/" + url.PathEscape(v.ID)
	if q := v.Form.Get("q"); q != "" { // where somebody goes on from what they have found
		to += "?" + url.Values{"q": {q}}.Encode()
	}
	c, said := frame.Call{}, "changed"
	switch v.Form.Get("do") {
	case "add-person":
		c.Method, c.Path, said = http.MethodPut, path+"/people/"+url.PathEscape(v.Form.Get("person")), "added"
	case "remove-person":
		c.Method, c.Path, said = http.MethodDelete, path+"/people/"+url.PathEscape(v.Form.Get("person")), "removed"
	case "add-account":
		c.Method, c.Path, said = http.MethodPut, path+"/machines/"+url.PathEscape(v.Form.Get("account")), "added"
	case "remove-account":
		c.Method, c.Path, said = http.MethodDelete, path+"/machines/"+url.PathEscape(v.Form.Get("account")), "removed"
	case "rename":
		name := strings.TrimSpace(v.Form.Get("name"))
		c.Method, c.Path, c.Body = http.MethodPatch, path, api.GroupPatch{Name: &name}
		to = "groups/" + url.PathEscape(name)
	case "remove":
		if v.Form.Get("sure") == "" {
			return frame.Done{}, problem.BadRequest("")
		}
		c.Method, c.Path, to, said = http.MethodDelete, path, "groups", "removed"
	default:
		return frame.Done{}, problem.BadRequest("")
	}
	_, err := v.Do(c)
	return frame.Done{To: frame.Said(to, said)}, err
}
