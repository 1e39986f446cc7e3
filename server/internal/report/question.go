package report

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/text"
	"activity-tracker.example/server/internal/timestamp"
)

// InvalidError is a question that can't be answered as it was put; its text is what
// is wanted.
type InvalidError string

func (e InvalidError) Error() string { return string(e) }

// MachineID is a machine_id that a machine may have. What could not have been stored
// is not asked for.
type MachineID string

// ParseMachineID reads a machine_id; one that no machine can have is
// db.ErrNotFound.
func ParseMachineID(given string) (MachineID, error) {
	if !plausible(given) {
		return "", db.ErrNotFound
	}
	return MachineID(given), nil
}

// GroupName is a name that a group may have.
type GroupName string

// ParseGroupName reads a group's name; one that no group can have is
// directory.ErrNoGroup.
func ParseGroupName(given string) (GroupName, error) {
	if !nameable(given) {
		return "", directory.ErrNoGroup
	}
	return GroupName(given), nil
}

// Page is a part of a list.
type Page struct {
	// Limit is how many entries at most; 0 where the caller has no wish.
	Limit int
	// After is the key of the last entry of the page before: a machine_id or a
	// group's name. Empty: from the beginning.
	After string
}

// ParseMachinesPage reads limit and cursor of a list of machines.
func ParseMachinesPage(limit, cursor string) (Page, error) {
	n, err := parseLimit(limit, machinesMax)
	if err != nil || cursor == "" {
		return Page{Limit: n}, err
	}
	after, err := parseMachinesCursor(cursor)
	return Page{Limit: n, After: after}, err
}

// ParseGroupsPage reads limit and cursor of a list of groups.
func ParseGroupsPage(limit, cursor string) (Page, error) {
	n, err := parseLimit(limit, groupsMax)
	if err != nil || cursor == "" {
		return Page{Limit: n}, err
	}
	after, err := decodeCursor(cursorGroups, cursor)
	if err != nil || !nameable(after) {
		return Page{}, errCursor
	}
	return Page{Limit: n, After: after}, nil
}

// EventsQuestion asks for a machine's events, Start ≤ timestamp < End.
type EventsQuestion struct {
	MachineID  MachineID
	Start, End time.Time
	// Limit is how many at most; 0 where the caller has no wish.
	Limit int
}

// ParseEventsQuestion reads a question as it stands in a URL.
func ParseEventsQuestion(machineID, start, end, limit, cursor string) (EventsQuestion, error) {
	var q EventsQuestion
	var err error
	if q.Limit, q.Start, q.End, err = parseEventsSpan(start, end, limit); err != nil {
		return q, err
	}
	if cursor != "" {
		if q.Start, err = parseEventsCursor(cursor, q.Start, q.End); err != nil {
			return q, err
		}
	}
	q.MachineID, err = ParseMachineID(machineID)
	return q, err
}

// parseEventsSpan reads from when to when events are asked for, and how many.
func parseEventsSpan(start, end, limit string) (n int, from, to time.Time, err error) {
	if n, err = parseLimit(limit, eventsMax); err != nil {
		return n, from, to, err
	}
	if from, err = parseTime("start", start); err != nil {
		return n, from, to, err
	}
	if to, err = parseTime("end", end); err != nil {
		return n, from, to, err
	}
	if to.Before(from) {
		return n, from, to, InvalidError("end is before start")
	}
	return n, from, to, nil
}

// Per is what the rows of a report are of.
type Per string

// What the rows of a report may be of.
const (
	PerMachine Per = "machine"
	PerPerson  Per = "person"
	PerGroup   Per = "group"
	PerAll     Per = "all"
)

// Subject is what a report is of. Empty fields ask for nothing.
type Subject struct {
	// Per is PerMachine where it is empty.
	Per       Per
	MachineID MachineID
	Person    PersonID
	Group     GroupName
	// Page is of machines, of groups with PerGroup, or of people with PerPerson, by the
	// digits of their ids.
	Page Page
}

// ParseSubject reads a subject as it stands in a URL. Who asks for one person means
// PerPerson.
func ParseSubject(per, machineID, person, group, limit, cursor string) (Subject, error) {
	s := Subject{Per: Per(per)}
	if s.Per == "" && person != "" {
		s.Per = PerPerson
	}
	s.Per = cmp.Or(s.Per, PerMachine)
	if err := s.parsePage(limit, cursor); err != nil {
		return s, err
	}
	if machineID != "" && s.Per != PerMachine {
		return s, InvalidError("machine_id: goes only with per=machine")
	}
	if person != "" && s.Per != PerPerson {
		return s, InvalidError("person: goes only with per=person")
	}
	var err error
	if machineID != "" {
		if s.MachineID, err = ParseMachineID(machineID); err != nil {
			return s, err
		}
	}
	if person != "" {
		if s.Person, err = ParsePersonID(person); err != nil {
			return s, err
		}
	}
	if group != "" {
		s.Group, err = ParseGroupName(group)
	}
	return s, err
}

// parsePage reads which page of what it is of.
func (s *Subject) parsePage(limit, cursor string) error {
	kind := cursorMachines
	switch s.Per {
	case PerMachine:
	case PerPerson:
		page, err := ParsePeoplePage(limit, cursor, PeopleMax)
		s.Page = Page{Limit: page.Limit, After: placeOf(page.After)}
		return err
	case PerGroup:
		kind = cursorGroups
	case PerAll:
		if cursor != "" {
			return InvalidError("cursor: a report per=all is one page")
		}
	default:
		return InvalidError("per: want machine, person, group or all")
	}
	var err error
	if s.Page.Limit, err = parseLimit(limit, machinesMax); err != nil || cursor == "" {
		return err
	}
	if s.Page.After, err = decodeCursor(kind, cursor); err != nil {
		return err
	}
	if s.Page.After == "" || !text.Printable(s.Page.After) {
		return errCursor
	}
	return nil
}

// ParseStep reads the length of a report's periods; empty means days.
func ParseStep(given string) (Step, error) {
	switch s := cmp.Or(Step(given), ByDay); s {
	case ByDay, ByWeek, ByMonth:
		return s, nil
	}
	return "", InvalidError("by: want day, week or month")
}

// ParseAppsBy reads what the rows of a report of applications distinguish; empty
// means applications.
func ParseAppsBy(given string) (AppsBy, error) {
	switch by := cmp.Or(AppsBy(given), ByApp); by {
	case ByApp, ByCategory:
		return by, nil
	}
	return "", InvalidError("by: want app or category")
}

// parseLimit reads how many entries are wanted; 0 where the caller has no wish.
func parseLimit(given string, most int) (int, error) {
	if given == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(given)
	if err != nil || n < 1 || n > most {
		return 0, InvalidError("limit: want 1 to " + strconv.Itoa(most))
	}
	return n, nil
}

func parseTime(name, given string) (time.Time, error) {
	// A "+" that was not escaped arrives as a space: time zones are written
	// with it, and people forget.
	t, err := timestamp.Parse(strings.ReplaceAll(given, " ", "+"))
	if err != nil {
		return t, InvalidError(name + ": want an RFC 3339 time such as 2024-01-15T00:00:00Z")
	}
	return t, nil
}

// plausible reports whether there can be a machine of that name: PostgreSQL fails on
// a NUL.
func plausible(machineID string) bool {
	return machineID != "" && len(machineID) <= api.MaxMachineIDBytes && text.Printable(machineID)
}

// nameable reports whether a group can have that name. Not a dot or two: whatever
// handles a path takes them out of it.
func nameable(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= api.MaxGroupBytes && text.Printable(name) && strings.TrimSpace(name) == name
}
