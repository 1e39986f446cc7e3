// Package now is the page of what everybody does at the moment: a row an account, or, where
// there are many, a row a group.
package now

import (
	"cmp"
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
	"activity-tracker.example/server/internal/store/query"
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
	Now(ctx context.Context, caller string) ([]*live.Item, error)
	Groups(ctx context.Context) ([]query.GroupMembers, error)
}

// Page returns the page.
func Page(board Board, reports *report.Reports) frame.Page {
	return frame.Page{HTML: html, Make: func(v *frame.Visit) (any, error) { return show(v, board, reports) }}
}

func show(v *frame.Visit, board Board, reports *report.Reports) (any, error) {
	chosen, search := v.Query.Get("group"), strings.ToLower(strings.TrimSpace(v.Query.Get("q")))
	scope := v.Caller.Scope
	visible, err := seen(v.Context(), reports, scope, chosen)
	if err != nil {
		return nil, err
	}
	items, err := all(v, board)
	if err != nil {
		return nil, err
	}
	v.Look(looked.At{What: api.LookedLive}, true)
	s := &view{AsOf: v.Now.In(v.Zone).Format("15:04:05"), Zone: v.Zone.String(), Group: chosen, Search: v.Query.Get("q"), State: state(v.Query.Get("state"))}
	counts := make([]int, len(order()))
	var list []*live.Item
	for _, item := range items {
		if _, ok := visible[item.Key]; visible != nil && !ok || !matches(&item.Machine, search) {
			continue
		}
		counts[place(item.Machine.Status)]++
		list = append(list, item)
	}
	for i, state := range order() {
		s.Counts = append(s.Counts, count{State: string(state), N: counts[i], Link: s.link("state", string(state)), Chosen: string(state) == s.State})
	}
	s.All, s.Changes = s.link("state", ""), streamed
	if len(list) > maxRows {
		s.Changes = asked
	}
	if len(list) > maxRows && chosen == "" && search == "" && s.State == "" {
		groups, err := board.Groups(v.Context())
		if err != nil {
			return nil, err
		}
		s.overview(v.Context(), scope, groups, list)
	}
	if len(s.Overview) == 0 {
		see(v.Context(), list)
		s.rows(v, list)
	}
	s.Groups, err = v.GroupNames(reports)
	return s, err
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

// rows lists accounts by their names.
func (s *view) rows(v *frame.Visit, list []*live.Item) {
	if s.State != "" {
		list = slices.DeleteFunc(list, func(item *live.Item) bool { return string(item.Machine.Status) != s.State })
	}
	slices.SortFunc(list, func(a, b *live.Item) int {
		return cmp.Or(cmp.Compare(name(&a.Machine), name(&b.Machine)), cmp.Compare(a.Machine.MachineID, b.Machine.MachineID))
	})
	s.More = max(0, len(list)-maxRows)
	for _, item := range list[:min(len(list), maxRows)] {
		access.See(v.Context(), item.Key)
		m := &item.Machine
		r := row{State: string(m.Status), Name: name(m), Account: m.MachineID, Host: m.Hostname}
		if m.Status == api.MachineOffline || m.Status == api.MachineNotCollected { // of all others it is minutes ago
			r.Since = v.Words.Moment(m.LastSeen.In(v.Zone), v.Now.In(v.Zone))
		}
		s.Rows = append(s.Rows, r)
	}
}

// overview counts the accounts of each group that the visitor sees. Of a group of few people
// the counts show what each does.
func (s *view) overview(ctx context.Context, scope directory.Scope, groups []query.GroupMembers, list []*live.Item) {
	states, alone := make(map[int32]int, len(list)), make(map[int32]bool, len(list))
	for _, item := range list {
		states[item.Key], alone[item.Key] = place(item.Machine.Status), true
	}
	for i := range groups {
		g := &groups[i]
		if scope.Limited() && !slices.Contains(scope.Groups, g.Key) {
			continue
		}
		counts := make([]int, len(order()))
		for _, machine := range g.Machines {
			if state, found := states[machine]; found {
				counts[state]++
				delete(alone, machine)
			}
		}
		if g.People < access.Anonymous {
			access.See(ctx, g.Machines...)
		}
		s.Overview = append(s.Overview, newGroup(g.Name, counts))
	}
	if len(alone) == 0 || len(s.Overview) == 0 {
		return
	}
	counts := make([]int, len(order()))
	for machine := range alone {
		counts[states[machine]]++
		if len(alone) < access.Anonymous {
			access.See(ctx, machine)
		}
	}
	s.Overview = append(s.Overview, newGroup("", counts))
}

func newGroup(name string, counts []int) group {
	g := group{Name: name}
	if name != "" {
		g.Link = "./?" + url.Values{"group": {name}}.Encode()
	}
	for i, state := range order() {
		g.Counts = append(g.Counts, count{State: string(state), N: counts[i]})
		g.N += counts[i]
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

// all returns what everybody does, or that it cannot be known at the moment.
func all(v *frame.Visit, board Board) ([]*live.Item, error) {
	ctx, cancel := context.WithTimeout(v.Context(), boardWait)
	defer cancel()
	items, err := board.Now(ctx, v.Caller.ID)
	switch {
	case err == nil:
		return items, nil
	case errors.Is(err, live.ErrTooMany), errors.Is(err, live.ErrTooManyOfToken):
		return nil, problem.New(api.CodeRateLimited, "")
	}
	return nil, problem.Unavailable(err)
}

// order is that of the counts.
func order() []api.MachineStatus {
	return []api.MachineStatus{api.MachineActive, api.MachineIdle, api.MachineLocked, api.MachineDisconnected, api.MachineOffline, api.MachineNotCollected}
}

// place is a state's in order.
func place(s api.MachineStatus) int {
	switch s {
	case api.MachineActive:
		return 0
	case api.MachineIdle:
		return 1
	case api.MachineLocked:
		return 2 //nolint:mnd // its place
	case api.MachineDisconnected:
		return 3 //nolint:mnd // its place
	case api.MachineNotCollected:
		return 5 //nolint:mnd // its place
	case api.MachineOffline:
		return 4 //nolint:mnd // its place
	default:
		return 4 //nolint:mnd // what is unknown is not there
	}
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

func name(m *api.LiveMachine) string { return cmp.Or(m.UserLabel, m.Username, m.MachineID) }

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
