package report

import (
	"context"
	"errors"
	"time"

	"activity-tracker.example/server/internal/store"
	"activity-tracker.example/server/internal/text"
)

// ReportTimeout bounds one page of a report: one that adds up a large group over a
// long time reads much more than a list does.
const ReportTimeout = 50 * time.Second

// What the rows of a report may be of.
const (
	perMachine = "machine"
	perGroup   = "group"
	perAll     = "all"
)

const (
	// machinesAtOnce is how many machines are summed up in one statement.
	machinesAtOnce = 200
	// maxPageRows ends a page of a report after the machine or group with
	// which it has so many rows: some 5 MB.
	maxPageRows = 10_000
	// cursorGroups is the kind of cursor that pages through groups.
	cursorGroups = "g"
)

// SubjectQuestion says what a report is of; all fields are as the caller wrote
// them.
type SubjectQuestion struct{ Per, MachineID, Group, Limit, Cursor string }

// subjects is a page of what a report is of.
type subjects struct {
	store *store.Store
	scope store.Scope
	// per is perMachine, perGroup or perAll.
	per              string
	machineID, group string
	// limit and after are how many machines or groups, and after which.
	limit int
	after string
}

// subjects reads a question.
func (r *Reports) subjects(scope store.Scope, q SubjectQuestion) (subjects, error) {
	s := subjects{store: r.store, scope: scope, per: q.Per, machineID: q.MachineID, group: q.Group}
	kind := cursorMachines
	switch q.Per {
	case "":
		s.per = perMachine
	case perMachine:
	case perGroup:
		kind = cursorGroups
	case perAll:
		if q.Cursor != "" {
			return s, InvalidError("cursor: a report per=all is one page")
		}
	default:
		return s, InvalidError("per: want machine, group or all")
	}
	if q.MachineID != "" && s.per != perMachine {
		return s, InvalidError("machine_id: goes only with per=machine")
	}
	var err error
	if s.limit, err = parseLimit(q.Limit, machinesDefault, machinesMax); err != nil {
		return s, err
	}
	if q.Cursor != "" {
		if s.after, err = decodeCursor(kind, q.Cursor); err != nil {
			return s, err
		}
		if s.after == "" || !text.Printable(s.after) {
			return s, errCursor
		}
	}
	// What could not have been stored is not asked for.
	if q.MachineID != "" && !plausible(q.MachineID) {
		return s, store.ErrNotFound
	}
	if q.Group != "" && !nameable(q.Group) {
		return s, store.ErrNoGroup
	}
	return s, nil
}

// machines is the filter of a page of up to n machines, and of one more that tells
// whether there is a next page.
func (s *subjects) machines(n int) store.MachineFilter {
	return store.MachineFilter{Scope: s.scope, MachineID: s.machineID, Group: s.group, After: s.after, Limit: n + 1}
}

// addUp calls do with each group of a page, or once for all machines, and gives the
// cursor of the next page. do gives how many rows it made. It is not for perMachine,
// where the rows of many machines come from one statement.
func (s *subjects) addUp(ctx context.Context, do func(group string, f store.MachineFilter) (rows int, err error)) (next string, err error) {
	if s.per == perAll || s.group != "" {
		if s.after != "" {
			return "", nil
		}
		_, err := do(s.group, store.MachineFilter{Scope: s.scope, Group: s.group, Limit: machinesAtOnce})
		return "", err
	}
	groups, err := s.store.Groups(ctx, s.scope, s.after, s.limit+1)
	if err != nil {
		return "", err
	}
	rows := 0
	for i, g := range groups {
		if i == s.limit || rows >= maxPageRows {
			return encodeCursor(cursorGroups, groups[i-1].Name), nil
		}
		n, err := do(g.Name, store.MachineFilter{Scope: s.scope, Group: g.Name, Limit: machinesAtOnce})
		// One that was removed since they were listed is left out.
		if err != nil && !errors.Is(err, store.ErrNoGroup) {
			return "", err
		}
		rows += n
	}
	return "", nil
}
