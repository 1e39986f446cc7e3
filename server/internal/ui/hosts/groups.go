package hosts

import (
	_ "embed" // for the page's template
	"net/http"
	"net/url"
	"slices"
	"strings"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/ui/frame"
)

//go:embed group.html
var groupHTML string

// maxGroupForm bounds the form of a host group, which names each of its hosts.
const maxGroupForm = 1 << 20

// groupView is what group.html shows.
type groupView struct {
	Name, Link string
	// New means that there is no such group yet.
	New bool
	// Hosts are its hosts, or those that were typed, one a line.
	Hosts string
	// Rule means that equal user names are one person, or would be.
	Rule          bool
	Confirmed, By string
	Preview       *preview
	// Version is of what the form was made from, Base its hosts, and Was its rule.
	Version, Base string
	Was           bool
	// Meanwhile is what somebody else has changed since the form was opened.
	Meanwhile *meanwhile
}

// meanwhile is what became of a group while a form was open.
type meanwhile struct {
	Come, Gone []string
	// Removed means that the group is, Rule that its rule is another now, On how.
	Removed, Rule, On bool
}

// preview is what the rule would do.
type preview struct {
	People, Accounts, More int
	Names                  []nameRow
}

// nameRow is what would become of the accounts of one user name.
type nameRow struct {
	api.NamePreview

	LeftOff int
}

func previewOf(p *api.NamesPreview) *preview {
	s := &preview{People: int(p.People), Accounts: int(p.Accounts), More: int(p.NamesLeftOff)}
	for i := range p.Names {
		s.Names = append(s.Names, nameRow{p.Names[i], int(p.Names[i].AccountsLeftOff)})
	}
	return s
}

// drafted is what a preview was made of.
type drafted struct {
	draft         api.HostGroupMembers
	preview       api.NamesPreview
	version, base string
	was           bool
}

// hostGroups lists the groups of hosts.
func hostGroups(v *frame.Visit) ([]api.HostGroup, error) {
	var all api.HostGroupList
	_, err := v.Do(frame.Call{Method: http.MethodGet, Path: frame.Path("host-groups"), Into: &all})
	return all.HostGroups, err
}

func group(v *frame.Visit) (any, error) {
	all, err := hostGroups(v)
	if err != nil {
		return nil, err
	}
	s := &groupView{Name: v.ID, Link: url.PathEscape(v.ID), New: true, Version: api.NoHostGroupVersion}
	if i := slices.IndexFunc(all, func(g api.HostGroup) bool { return g.Name == v.ID }); i >= 0 {
		g := &all[i]
		s.New, s.Hosts, s.Rule, s.By = false, strings.Join(g.Hosts, "\n"), g.SameDirectory, g.ConfirmedBy
		s.Version, s.Base, s.Was = g.Version, s.Hosts, s.Rule
		if g.ConfirmedAt != nil {
			s.Confirmed = v.Words.Moment(g.ConfirmedAt.In(v.Zone), v.Now.In(v.Zone))
		}
	}
	if v.Form.Has("hosts") {
		s.compare(v.Form)
		s.Hosts, s.Rule = v.Form.Get("hosts"), v.Form.Get("rule") != ""
	}
	if d, ok := v.Shown.(drafted); ok {
		s.Hosts, s.Rule, s.Preview = strings.Join(d.draft.Hosts, "\n"), true, previewOf(&d.preview)
		s.Version, s.Base, s.Was = d.version, d.base, d.was
	}
	return s, nil
}

// compare finds what has changed since a form was opened that was refused. What is typed stays,
// and is then of the version that there is.
func (s *groupView) compare(form url.Values) {
	if !form.Has("version") || form.Get("version") == s.Version {
		return
	}
	m := &meanwhile{Removed: s.New, On: s.Rule, Rule: s.Rule != form.Has("was")}
	before, now := lines(form.Get("base")), lines(s.Hosts)
	for _, host := range now {
		if !slices.Contains(before, host) {
			m.Come = append(m.Come, host)
		}
	}
	for _, host := range before {
		if !slices.Contains(now, host) {
			m.Gone = append(m.Gone, host)
		}
	}
	s.Meanwhile = m
}

// actOnGroup does what a form of a host group asks for. The rule is set after its preview.
func actOnGroup(v *frame.Visit) (frame.Done, error) {
	path := frame.Path("host-groups", v.ID)
	rule := v.Form.Get("rule") != ""
	draft := api.HostGroupMembers{Hosts: lines(v.Form.Get("hosts")), SameDirectory: &rule}
	do := v.Form.Get("do")
	switch {
	case do == "remove" && v.Form.Get("sure") != "":
		_, err := v.Do(frame.Call{Method: http.MethodDelete, Path: path})
		return frame.Done{To: frame.Said("hosts", "removed")}, err
	case do == "set" && rule:
		d := drafted{draft: draft, version: v.Form.Get("version"), base: v.Form.Get("base"), was: v.Form.Has("was")}
		_, err := v.Do(frame.Call{Method: http.MethodPost, Path: path + "/preview", Body: draft, Into: &d.preview})
		return frame.Done{Show: d}, err
	case do == "set" || do == "confirm" && rule:
		_, err := v.Do(frame.Call{Method: http.MethodPut, Path: path, Body: draft, Version: frame.Quoted(v.Form.Get("version"))})
		return frame.Done{To: frame.Said("hosts", "changed")}, err
	}
	return frame.Done{}, problem.BadRequest("")
}
