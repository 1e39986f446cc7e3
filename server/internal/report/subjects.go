package report

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"time"

	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/people"
)

// ReportTimeout bounds one page of a report: one that adds up a large group over a
// long time reads much more than a list does.
const ReportTimeout = 50 * time.Second

const (
	// machinesAtOnce is how many machines are summed up in one statement.
	machinesAtOnce = 200
	// maxPageRows ends a page of a report after the machine or group with
	// which it has so many rows: some 5 MB.
	maxPageRows = 10_000
	// cursorGroups is the kind of cursor that pages through groups.
	cursorGroups = "g"
)

// subjects is a page of what a report is of.
type subjects struct {
	directory *directory.Directory
	scope     directory.Scope
	Subject
}

// subjects returns what a report is of, with the usual limit where there is none.
func (r *Reports) subjects(scope directory.Scope, s Subject) subjects {
	s.Per = cmp.Or(s.Per, PerMachine)
	s.Page.Limit = cmp.Or(s.Page.Limit, machinesDefault)
	return subjects{directory: r.directory, scope: scope, Subject: s}
}

// machines is the filter of a page of up to n machines, and of one more that shows
// whether there is a next page.
func (s *subjects) machines(n int) directory.MachineFilter {
	return directory.MachineFilter{Scope: s.scope, MachineID: string(s.MachineID), Group: string(s.Group), After: s.Page.After, Limit: n + 1}
}

// people is the filter of a page of up to n people.
func (s *subjects) people(n int) people.Filter {
	// What was read as a cursor is a number.
	after, _ := strconv.ParseInt(s.Page.After, 10, 64)
	return people.Filter{Scope: s.scope, ID: int64(s.Person), Group: string(s.Group), After: after, Limit: n}
}

// addUp calls do with each group of a page, or once for all machines, and returns after
// which group the next page begins. do returns how many rows it made. It is not for PerMachine and
// PerPerson, where the rows of many come from one statement.
func (s *subjects) addUp(ctx context.Context, do func(group string, f directory.MachineFilter) (rows int, err error)) (next string, err error) {
	if s.Per == PerAll || s.Group != "" {
		if s.Page.After != "" {
			return "", nil
		}
		_, err := do(string(s.Group), directory.MachineFilter{Scope: s.scope, Group: string(s.Group), Limit: machinesAtOnce})
		return "", err
	}
	groups, err := s.directory.Groups(ctx, s.scope, s.Page.After, s.Page.Limit+1)
	if err != nil {
		return "", err
	}
	rows := 0
	for i, g := range groups {
		if i == s.Page.Limit || rows >= maxPageRows {
			return groups[i-1].Name, nil
		}
		n, err := do(g.Name, directory.MachineFilter{Scope: s.scope, Group: g.Name, Limit: machinesAtOnce})
		// One that was removed since they were listed is left out.
		if err != nil && !errors.Is(err, directory.ErrNoGroup) {
			return "", err
		}
		rows += n
	}
	return "", nil
}

// cursor returns the cursor of the page after that machine or group; none where
// there is no such page.
func (s *subjects) cursor(next string) string {
	switch {
	case next == "":
		return ""
	case s.Per == PerMachine:
		return encodeCursor(cursorMachines, next)
	case s.Per == PerPerson:
		return encodeCursor(cursorPeople, next)
	default:
		return encodeCursor(cursorGroups, next)
	}
}
