// Package now is the page of what everybody does at the moment.
package now

import (
	"cmp"
	"context"
	_ "embed" // for the page's template
	"errors"
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
	// maxRows is how many accounts a page lists; beyond it a search or a group narrows.
	maxRows = 500
	// boardWait is how long the board may take: it reads the machines when somebody looks.
	boardWait = 6 * time.Second
)

// view is what now.html shows.
type view struct {
	AsOf, Zone    string
	Counts        []count
	Rows          []row
	More          int
	Group, Search string
	Groups        []string
}

type count struct {
	State string
	N     int
}

type row struct{ State, Name, Account, Host, Since string }

// Board is where it stands what every account does.
type Board interface {
	Now(ctx context.Context, caller string) ([]*live.Item, error)
}

// Page returns the page.
func Page(board Board, reports *report.Reports) frame.Page {
	return frame.Page{HTML: html, Make: func(v *frame.Visit) (any, error) { return show(v, board, reports) }}
}

func show(v *frame.Visit, board Board, reports *report.Reports) (any, error) {
	group, search := v.Query.Get("group"), strings.ToLower(strings.TrimSpace(v.Query.Get("q")))
	scope := v.Caller.Scope
	visible, err := seen(v.Context(), reports, scope, group)
	if err != nil {
		return nil, err
	}
	items, err := all(v, board)
	if err != nil {
		return nil, err
	}
	v.Look(looked.At{What: api.LookedLive}, true)
	s := view{AsOf: v.Now.In(v.Zone).Format("15:04:05"), Zone: v.Zone.String(), Group: group, Search: v.Query.Get("q")}
	counts := map[api.MachineStatus]int{}
	var list []*live.Item
	for _, item := range items {
		if _, ok := visible[item.Key]; visible != nil && !ok || !matches(&item.Machine, search) {
			continue
		}
		counts[item.Machine.Status]++
		list = append(list, item)
	}
	for _, state := range order() {
		s.Counts = append(s.Counts, count{string(state), counts[state]})
	}
	slices.SortFunc(list, func(a, b *live.Item) int {
		return cmp.Or(cmp.Compare(name(&a.Machine), name(&b.Machine)), cmp.Compare(a.Machine.MachineID, b.Machine.MachineID))
	})
	s.More = max(0, len(list)-maxRows)
	for _, item := range list[:min(len(list), maxRows)] {
		access.See(v.Context(), item.Key)
		m := &item.Machine
		s.Rows = append(s.Rows, row{string(m.Status), name(m), m.MachineID, m.Hostname, v.Words.Moment(m.LastSeen.In(v.Zone), v.Now.In(v.Zone))})
	}
	s.Groups, err = v.GroupNames(reports)
	return &s, err
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
	return []api.MachineStatus{api.MachineActive, api.MachineIdle, api.MachineDisconnected, api.MachineOffline}
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
