// Package now is the page of what everybody does at the moment: a row an account, or, where
// there are many, a row a group.
package now

import (
	"context"
	_ "embed" // for the page's template
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/live"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/ui/frame"
)

//go:embed now.html
var html string

const (
	// maxRows is how many accounts a page lists; over so many it opens with groups, and
	// beyond it a search or a group narrows.
	maxRows = 500
	// boardWait is how long the board may take: it reads the machines when somebody looks.
	boardWait = 6 * time.Second
	// streamed is up to how many accounts the page changes by what is streamed; of more it
	// asks for itself again from time to time.
	streamed = "stream"
	asked    = "ask"
)

// view is what now.html shows.
type view struct {
	AsOf, Zone    string
	Counts        []count
	Rows          []row
	More          int
	Group, Search string
	State         string
	Groups        []string
	// Overview are groups, where there are too many accounts to begin with; Alone are
	// accounts in no group.
	Overview []group
	// Changes is how the page changes by itself.
	Changes string
	// All leads to the page without a chosen state.
	All string
}

// count is how many are in a state; Link leads to those.
type count struct {
	State, Link string
	N           int
	Chosen      bool
}

type row struct{ State, Name, Account, Host, Since string }

// group is a row of counts, in the order of the states; Name is empty for accounts in none.
type group struct {
	Name, Link string
	N          int
	Counts     []count
}

// Board is where it stands what every account does.
type Board interface {
	Now(ctx context.Context, caller string) (items []*live.Item, age time.Duration, err error)
	Overview(ctx context.Context, caller string) (*live.Overview, error)
}

// Page returns the page.
func Page(board Board, reports *report.Reports) frame.Page {
	return frame.Page{HTML: html, Make: func(v *frame.Visit) (any, error) { return show(v, board, reports) }}
}

func show(v *frame.Visit, board Board, reports *report.Reports) (any, error) {
	s := &view{
		Zone: v.Zone.String(), Changes: streamed,
		Group: v.Query.Get("group"), Search: strings.TrimSpace(v.Query.Get("q")), State: state(v.Query.Get("state")),
	}
	visible, err := seen(v.Context(), reports, v.Caller.Scope, s.Group)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(v.Context(), boardWait)
	defer cancel()
	items, age, err := board.Now(ctx, v.Caller.ID)
	if err != nil {
		return nil, refused(err)
	}
	s.AsOf = v.Now.Add(-age).In(v.Zone).Format("15:04:05")
	var counted *live.Overview
	if len(items) > maxRows && s.Group == "" && s.Search == "" && s.State == "" {
		if counted, err = board.Overview(ctx, v.Caller.ID); err != nil {
			return nil, refused(err)
		}
	}
	v.Look(looked.At{What: api.LookedLive}, true)
	s.fill(v, items, visible, counted)
	s.All = s.link("state", "")
	s.Groups, err = v.GroupNames(reports)
	return s, err
}

// fill shows the machines that are visible, or, where they are many and were counted, groups.
func (s *view) fill(v *frame.Visit, items []*live.Item, visible map[int32]struct{}, counted *live.Overview) {
	if counted != nil && visible == nil {
		s.Changes = asked
		s.count(counted.All)
		if len(counted.Groups) > 0 {
			s.overview(v.Context(), v.Caller.Scope, counted)
		} else {
			s.rows(v, items)
		}
		return
	}
	list, search := make([]*live.Item, 0, min(len(items), maxRows)), strings.ToLower(s.Search)
	counts := live.Counts{}
	for _, item := range items {
		if _, ok := visible[item.Key]; (visible == nil || ok) && matches(&item.Machine, search) {
			counts[item.Machine.Status]++
			list = append(list, item)
		}
	}
	s.count(counts)
	if len(list) > maxRows {
		s.Changes = asked
		if counted != nil && len(counted.Groups) > 0 {
			s.overview(v.Context(), v.Caller.Scope, counted)
			return
		}
	}
	see(v.Context(), list)
	if s.State != "" {
		list = slices.DeleteFunc(list, func(item *live.Item) bool { return string(item.Machine.Status) != s.State })
	}
	s.rows(v, list)
}

// count shows how many are in each state.
func (s *view) count(of live.Counts) {
	for _, state := range order() {
		s.Counts = append(s.Counts, count{State: string(state), N: of[state], Link: s.link("state", string(state)), Chosen: string(state) == s.State})
	}
}

// see notes whose states the counts show, whatever the rows are then of: where there are no more
// than a page lists, a search may be for somebody alone.
func see(ctx context.Context, list []*live.Item) {
	if len(list) > maxRows {
		return
	}
	for _, item := range list {
		access.See(ctx, item.Key)
	}
}

// rows lists accounts, which are in the order of their names.
func (s *view) rows(v *frame.Visit, list []*live.Item) {
	s.More = max(0, len(list)-maxRows)
	for _, item := range list[:min(len(list), maxRows)] {
		access.See(v.Context(), item.Key)
		m := &item.Machine
		r := row{State: string(m.Status), Name: live.Name(m), Account: m.MachineID, Host: m.Hostname}
		if m.Status == api.MachineOffline || m.Status == api.MachineNotCollected { // of all others it is minutes ago
			r.Since = v.Words.Moment(m.LastSeen.In(v.Zone), v.Now.In(v.Zone))
		}
		s.Rows = append(s.Rows, r)
	}
}

// overview shows the counts of each group that the visitor sees, and of accounts in none. Of a
// group of few people the counts show what each does.
func (s *view) overview(ctx context.Context, scope directory.Scope, counted *live.Overview) {
	for i := range counted.Groups {
		g := &counted.Groups[i]
		if scope.Limited() && !slices.Contains(scope.Groups, g.Key) {
			continue
		}
		if g.People < access.Anonymous {
			access.See(ctx, g.Machines...)
		}
		s.Overview = append(s.Overview, newGroup(g.Name, g.Counts))
	}
	if scope.Limited() || len(counted.AloneKeys) == 0 {
		return
	}
	if len(counted.AloneKeys) < access.Anonymous {
		access.See(ctx, counted.AloneKeys...)
	}
	s.Overview = append(s.Overview, newGroup("", counted.Alone))
}

func newGroup(name string, counts live.Counts) group {
	g := group{Name: name}
	if name != "" {
		g.Link = "./?" + url.Values{"group": {name}}.Encode()
	}
	for _, state := range order() {
		g.Counts = append(g.Counts, count{State: string(state), N: counts[state]})
		g.N += counts[state]
	}
	return g
}

// link is this page with something changed.
func (s *view) link(name, value string) string {
	q := url.Values{}
	for key, kept := range map[string]string{"group": s.Group, "q": s.Search, name: value} {
		if kept != "" {
			q.Set(key, kept)
		}
	}
	return "./?" + q.Encode()
}

// refused is why it cannot be known at the moment what everybody does.
func refused(err error) error {
	if errors.Is(err, live.ErrTooMany) || errors.Is(err, live.ErrTooManyOfToken) {
		return problem.New(api.CodeRateLimited, "")
	}
	return problem.Unavailable(err)
}

// order is that of the counts.
func order() []api.MachineStatus {
	return []api.MachineStatus{api.MachineActive, api.MachineIdle, api.MachineLocked, api.MachineDisconnected, api.MachineOffline, api.MachineNotCollected}
}

// state reads a state that is asked for; empty: none, or none that there is.
func state(given string) string {
	if slices.Contains(order(), api.MachineStatus(given)) {
		return given
	}
	return ""
}

// seen returns which accounts are asked for; nil: all.
func seen(ctx context.Context, reports *report.Reports, scope directory.Scope, group string) (map[int32]struct{}, error) {
	if group != "" {
		name, err := report.ParseGroupName(group)
		if err != nil {
			return nil, err
		}
		return reports.GroupKeys(ctx, scope, name)
	}
	if !scope.Limited() {
		return nil, nil //nolint:nilnil // all of them
	}
	return reports.MachineKeys(ctx, scope)
}

func matches(m *api.LiveMachine, search string) bool {
	if search == "" {
		return true
	}
	for _, text := range []string{m.UserLabel, m.Username, m.MachineID, m.Hostname} {
		if strings.Contains(strings.ToLower(text), search) {
			return true
		}
	}
	return false
}
