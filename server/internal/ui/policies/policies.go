// Package policies is the page of policy: what is in force in plain words, who wrote which
// version, and a text to edit with what it would change before it does.
package policies

import (
	_ "embed" // for the page's template
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/ui/frame"
	"activity-tracker.example/server/internal/ui/words"
)

//go:embed policies.html
var html string

const (
	// maxText bounds the form: more than a policy may have, so that the API refuses it.
	maxText = 1 << 20
	// maxVersions is how many versions are looked at for what is in force, and shownVersions
	// how many the page lists.
	maxVersions   = "1000"
	shownVersions = 50
)

// view is what policies.html shows.
type view struct {
	// HostGroup is for which hosts the page is; empty: all.
	HostGroup  string
	HostGroups []string
	Holds      []holding
	Editor     *editor
	Versions   []version
	// More means that there are older versions than the page lists.
	More bool
}

// holding is a version in force, in plain words. For is its host group; empty: all hosts.
type holding struct {
	For     string
	Version *version
	Facts   []fact
	Text    string
}

// version is when a version was written and by whom.
type version struct {
	policy.Info

	For, From, Written, Author string
	Waits                      bool
}

// Page returns the page.
func Page() frame.Page {
	return frame.Page{Name: "policy", HTML: html, Admin: true, FormBytes: maxText, Make: show, Act: act}
}

// page is what is read for one look at it.
type page struct {
	*frame.Visit

	// newest is the version of all versions, for If-Match.
	newest string
	infos  []policy.Info
	names  map[string]string
}

func show(v *frame.Visit) (any, error) {
	p := &page{Visit: v}
	if err := p.read(); err != nil {
		return nil, err
	}
	s := &view{HostGroup: v.Query.Get("host_group")}
	draft := draftOf(v)
	if draft != nil {
		s.HostGroup = draft.HostGroup
	}
	var shown *policy.Written
	if text := v.Query.Get("version"); text != "" && draft == nil {
		one, err := p.version(text)
		if err != nil {
			return nil, err
		}
		shown = &one
		s.HostGroup = groupOf(&one.Info)
	}
	var groups api.HostGroupList
	if _, err := v.Do(frame.Call{Method: http.MethodGet, Path: frame.Path("host-groups"), Into: &groups}); err != nil {
		return nil, err
	}
	for i := range groups.HostGroups {
		s.HostGroups = append(s.HostGroups, groups.HostGroups[i].Name)
	}
	if s.HostGroup != "" && !slices.Contains(s.HostGroups, s.HostGroup) {
		return nil, problem.NotFound("There is no such host group.")
	}
	held, err := p.holds(s)
	if err != nil {
		return nil, err
	}
	s.Versions = p.versions()
	s.More = len(p.infos) > shownVersions
	if v.Caller.Role == directory.RoleAdmin {
		s.Editor, err = p.edit(s.HostGroup, draft, shown, held)
	} else if shown != nil {
		s.Holds = []holding{p.holding(shown)}
	}
	return s, err
}

// read reads all versions without their texts, and who wrote them.
func (p *page) read() error {
	var list policy.InfoList
	newest, err := p.Do(frame.Call{Method: http.MethodGet, Path: frame.Path("policies"), Query: url.Values{"limit": {maxVersions}}, Into: &list})
	if err != nil {
		return err
	}
	var log api.ChangeList
	if _, err := p.Do(frame.Call{Method: http.MethodGet, Path: frame.Path("audit"), Query: url.Values{"limit": {maxVersions}}, Into: &log}); err != nil {
		return err
	}
	p.newest, p.infos, p.names = newest, list.Policies, map[string]string{}
	for i := range log.Changes {
		c := &log.Changes[i]
		if key := c.ActorKind + " " + c.ActorID; c.ActorName != nil && p.names[key] == "" {
			p.names[key] = *c.ActorName
		}
	}
	return nil
}

// version reads a version with its text.
func (p *page) version(number string) (one policy.Written, err error) {
	_, err = p.Do(frame.Call{Method: http.MethodGet, Path: frame.Path("policies", number), Into: &one})
	return one, err
}

// holds adds what is in force for all hosts and for the chosen ones, and returns the last.
func (p *page) holds(s *view) (held policy.Written, err error) {
	for _, group := range slices.Compact([]string{"", s.HostGroup}) {
		held = policy.Written{}
		i := slices.IndexFunc(p.infos, func(one policy.Info) bool { return one.InForce && groupOf(&one) == group })
		if i >= 0 {
			if held, err = p.version(strconv.FormatInt(p.infos[i].Version, 10)); err != nil {
				return held, err
			}
		} else if group != "" {
			held.HostGroup = &group
		}
		s.Holds = append(s.Holds, p.holding(&held))
	}
	return held, nil
}

func (p *page) holding(one *policy.Written) holding {
	h := holding{For: groupOf(&one.Info), Facts: facts(p.Words, &one.Policy), Text: textOf(&one.Policy)}
	if one.Version > 0 {
		h.Version = p.worded(&one.Info)
	}
	if h.For != "" { // what it does not say is as for all hosts
		h.Facts = slices.DeleteFunc(h.Facts, func(f fact) bool { return f.Usual })
	}
	return h
}

func (p *page) versions() (list []version) {
	for i := range p.infos[:min(len(p.infos), shownVersions)] {
		list = append(list, *p.worded(&p.infos[i]))
	}
	return list
}

// worded adds what people read of a version.
func (p *page) worded(one *policy.Info) *version {
	now := p.Now.In(p.Zone)
	return &version{
		Info: *one, For: groupOf(one), From: p.Words.Moment(one.ValidFrom.In(p.Zone), now), Written: p.Words.Moment(one.CreatedAt.In(p.Zone), now),
		Author: p.author(one.Author), Waits: one.ValidFrom.After(p.Now),
	}
}

// author is whom a version names, as people know them.
func (p *page) author(author string) string {
	if uid, ok := strings.CutPrefix(author, "command by uid "); ok {
		return p.Words.T("policy.by.command", uid)
	}
	if name := p.names[author]; name != "" {
		return name
	}
	return author
}

func groupOf(one *policy.Info) string {
	if one.HostGroup == nil {
		return ""
	}
	return *one.HostGroup
}

// table is what the template of changes takes.
type table struct {
	W    *words.Words
	List []change
}

// Table joins changes with the words for them.
func (*view) Table(w *words.Words, list []change) table { return table{w, list} }
