// Package hosts is the pages of enrolled hosts, one by one and in groups, and of how an agent
// is installed.
package hosts

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

//go:embed hosts.html
var listHTML string

//go:embed host.html
var oneHTML string

// view is what hosts.html shows.
type view struct {
	Search, Next string
	Hosts        []host
	Install      install
	Groups       []groupRow
}

// host is one as the pages show it.
type host struct {
	api.EnrolledHost
	agent

	// Name is what it is called.
	Name string
	// Link is it in an address, Accounts how many machine_ids it has.
	Link, Accounts string
	// Last is when its newest record ended; empty before the first.
	Last, Enrolled string
}

// groupRow is a group of hosts in their list.
type groupRow struct {
	Name, Link, Hosts string
	// Rule means that equal user names are one person there.
	Rule bool
}

// install is how a host gets its agent.
type install struct {
	// Script is set where the server has the line that does all of it.
	Script bool
	// Base is where hosts find the server.
	Base string
}

// one is what host.html shows.
type one struct {
	host
	Install install
}

// Pages returns them; base is where hosts find the server, if anybody has named it.
func Pages(base string) []frame.Page {
	return []frame.Page{
		{Name: "hosts", HTML: listHTML, Admin: true, Make: func(v *frame.Visit) (any, error) { return list(v, base) }, Act: open},
		{Name: "hosts/", HTML: oneHTML, Hidden: true, Make: func(v *frame.Visit) (any, error) { return single(v, base) }, Act: act},
		{Name: "host-groups/", HTML: groupHTML, Hidden: true, Make: group, Act: actOnGroup, FormBytes: maxGroupForm},
	}
}

func list(v *frame.Visit, base string) (any, error) {
	s := &view{Search: strings.TrimSpace(v.Query.Get("q")), Install: installs(v, base)}
	query := url.Values{"q": {s.Search}, "cursor": {v.Query.Get("cursor")}}
	var found api.EnrolledHostList
	if _, err := v.Do(frame.Call{Method: http.MethodGet, Path: frame.Path("hosts"), Query: query, Into: &found}); err != nil {
		return nil, err
	}
	for i := range found.Hosts {
		s.Hosts = append(s.Hosts, shown(v, &found.Hosts[i]))
	}
	if found.NextCursor != "" {
		s.Next = "?" + url.Values{"q": {s.Search}, "cursor": {found.NextCursor}}.Encode()
	}
	groups, err := hostGroups(v)
	for i := range groups {
		g := &groups[i]
		s.Groups = append(s.Groups, groupRow{g.Name, url.PathEscape(g.Name), v.Words.Number(len(g.Hosts)), g.SameDirectory})
	}
	return s, err
}

// open leads to the page of a group of hosts, which there may not be yet.
func open(v *frame.Visit) (frame.Done, error) {
	name := strings.TrimSpace(v.Form.Get("group"))
	if name == "" || name == "." || name == ".." || len(name) > api.MaxGroupBytes {
		return frame.Done{}, problem.BadRequest("")
	}
	return frame.Done{To: "host-groups/" + url.PathEscape(name)}, nil
}

// installs finds out how a host gets its agent.
func installs(v *frame.Visit, base string) install {
	_, err := v.Do(frame.Call{Method: http.MethodGet, Path: "/install.sh"})
	return install{Script: err == nil, Base: cmp.Or(base, "https://…")}
}

func shown(v *frame.Visit, h *api.EnrolledHost) host {
	s := host{
		EnrolledHost: *h, agent: agentOf(v, h), Name: cmp.Or(h.Label, h.Hostname, h.HostID), Link: url.PathEscape(h.HostID),
		Accounts: v.Words.Number(int(h.Machines)), Enrolled: v.Words.Date(h.EnrolledAt.In(v.Zone)),
	}
	if h.LastSeen != nil {
		s.Last = v.Words.Moment(h.LastSeen.In(v.Zone), v.Now.In(v.Zone))
	}
	return s
}

func single(v *frame.Visit, base string) (any, error) {
	var h api.EnrolledHost
	if _, err := v.Do(frame.Call{Method: http.MethodGet, Path: frame.Path("hosts", v.ID), Into: &h}); err != nil {
		return nil, err
	}
	return &one{host: shown(v, &h), Install: installs(v, base)}, nil
}

// act does what a form of a host's page asks for.
func act(v *frame.Visit) (frame.Done, error) {
	to := "hosts/" + url.PathEscape(v.ID)
	switch v.Form.Get("do") {
	case "label":
		patch := api.HostPatch{Label: new(v.Form.Get("label"))}
		_, err := v.Do(frame.Call{Method: http.MethodPatch, Path: frame.Path("hosts", v.ID), Body: patch})
		return frame.Done{To: frame.Said(to, "changed")}, err
	case "revoke":
		if v.Form.Get("sure") == "" {
			return frame.Done{}, problem.BadRequest("")
		}
		_, err := v.Do(frame.Call{Method: http.MethodDelete, Path: frame.Path("hosts", v.ID, "credential")})
		return frame.Done{To: frame.Said(to, "revoked")}, err
	case "move":
		body := api.MachineMove{MachineIDs: lines(v.Form.Get("accounts"))}
		_, err := v.Do(frame.Call{Method: http.MethodPost, Path: frame.Path("hosts", v.ID, "machines"), Body: body})
		return frame.Done{To: frame.Said(to, "moved")}, err
	}
	return frame.Done{}, problem.BadRequest("")
}

// lines are those of a text that are not empty.
func lines(text string) []string {
	list := []string{}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			list = append(list, line)
		}
	}
	return list
}
