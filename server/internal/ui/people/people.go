// Package people is the pages of who is who: which accounts are one person's, what they are
// called, and who is erased.
package people

import (
	"cmp"
	_ "embed" // for the pages' templates
	"net/http"
	"net/url"
	"strings"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/ui/frame"
)

//go:embed list.html
var listHTML string

//go:embed one.html
var oneHTML string

const (
	// peopleShown is how many people a page lists, foundShown how many it finds to join.
	peopleShown = "50"
	foundShown  = "20"
	// groupsShown is how many groups a page offers to choose from.
	groupsShown = "200"
	// accountsListed is how many accounts of a person stand in the list of people.
	accountsListed = 5
	// erasuresShown is how many certificates a page lists, the newest.
	erasuresShown = "100"
)

// view is what the page shows: all, one, or certificates.
type view struct {
	// Admin means that the visitor may do more than name people.
	Admin        bool
	List         *listed
	One          *one
	Certificates *certificates
	Import       *importing
}

// listed is a page of people.
type listed struct {
	Search, Group, Next string
	Groups              []string
	People              []person
}

// person is one as the pages show them.
type person struct {
	ID, Name, Label string
	Accounts        []account
	// More is how many accounts the list leaves to the person's own page.
	More    int
	Partial bool
	Last    string
}

type account struct {
	api.Account

	Last   string
	Groups []string
}

// Page returns the page; what it shows stands in its query.
func Page() frame.Page {
	return frame.Page{Name: "people", HTML: listHTML + oneHTML + importHTML, Admin: true, FormBytes: maxCSV, Make: show, Act: act}
}

func show(v *frame.Visit) (any, error) {
	s := &view{Admin: v.Caller.Role == directory.RoleAdmin}
	q := v.Query
	var err error
	switch {
	case v.Shown != nil || q.Has("many") || v.Form.Has("csv"):
		s.Import, err = showImport(v)
	case q.Has("erasure"):
		s.Certificates, err = showCertificates(v, q.Get("erasure"))
	case q.Get("person") != "":
		s.One, err = showOne(v, s.Admin)
	default:
		s.List, err = list(v)
	}
	return s, err
}

func list(v *frame.Visit) (*listed, error) {
	s := &listed{Search: strings.TrimSpace(v.Query.Get("q")), Group: v.Query.Get("group")}
	query := url.Values{"limit": {peopleShown}, "q": {s.Search}, "group": {s.Group}, "cursor": {v.Query.Get("cursor")}}
	var found api.PersonList
	if _, err := v.Do(frame.Call{Method: http.MethodGet, Path: frame.Path("people"), Query: query, Into: &found}); err != nil {
		return nil, err
	}
	for i := range found.People {
		p := shown(v, &found.People[i])
		if p.More = len(p.Accounts) - accountsListed; p.More > 0 {
			p.Accounts = p.Accounts[:accountsListed]
		}
		s.People = append(s.People, p)
	}
	if found.NextCursor != "" {
		query.Del("limit")
		query.Set("cursor", found.NextCursor)
		s.Next = "?" + query.Encode()
	}
	var groups api.GroupList
	_, err := v.Do(frame.Call{Method: http.MethodGet, Path: frame.Path("groups"), Query: url.Values{"limit": {groupsShown}}, Into: &groups})
	for i := range groups.Groups {
		s.Groups = append(s.Groups, groups.Groups[i].Name)
	}
	return s, err
}

func shown(v *frame.Visit, p *api.Person) person {
	s := person{ID: p.ID, Name: p.Label, Label: p.Label, Partial: p.Partial}
	var last time.Time
	for i := range p.Accounts {
		a := &p.Accounts[i]
		s.Name = cmp.Or(s.Name, a.UserLabel, a.Username)
		if a.LastSeen.After(last) {
			last = a.LastSeen
		}
		s.Accounts = append(s.Accounts, account{Account: *a, Last: v.Words.Moment(a.LastSeen.In(v.Zone), v.Now.In(v.Zone))})
	}
	s.Name = cmp.Or(s.Name, p.ID)
	if !last.IsZero() {
		s.Last = v.Words.Moment(last.In(v.Zone), v.Now.In(v.Zone))
	}
	return s
}

// act does what a form asks for. Each goes back to where it was asked for.
func act(v *frame.Visit) (frame.Done, error) {
	id := v.Form.Get("person")
	path, to := frame.Path("people", id), "people?"+url.Values{"person": {id}}.Encode()
	switch v.Form.Get("do") {
	case "label":
		_, err := v.Do(frame.Call{Method: http.MethodPatch, Path: path, Body: api.PersonPatch{Label: new(v.Form.Get("label"))}})
		return frame.Done{To: frame.Said(to, "changed")}, err
	case "join":
		_, err := v.Do(frame.Call{Method: http.MethodPost, Path: path + "/accounts", Body: api.PersonJoin{MachineIDs: v.Form["account"]}})
		return frame.Done{To: frame.Said(to, "joined")}, err
	case "part":
		var at api.Person
		_, err := v.Do(frame.Call{Method: http.MethodDelete, Path: path + "/accounts/" + url.PathEscape(v.Form.Get("account")), Into: &at})
		return frame.Done{To: frame.Said("people?"+url.Values{"person": {at.ID}}.Encode(), "parted")}, err
	case "erase":
		return erase(v, path)
	case "preview", "import":
		return actImport(v)
	}
	return frame.Done{}, problem.BadRequest("")
}
