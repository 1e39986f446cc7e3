package report

import (
	"errors"
	"testing"
	"time"

	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/people"
)

func TestParseEventsQuestion(t *testing.T) {
	const start, end = "2026-05-04T10:00:00+03:00", "2026-05-05T10:00:00Z"
	from := time.Date(2026, 5, 4, 7, 0, 0, 0, time.UTC)
	tests := []struct {
		name                                 string
		machineID, start, end, limit, cursor string
		want                                 EventsQuestion
		invalid                              string
		unknown                              bool
	}{
		{"all", "m", start, end, "", "", EventsQuestion{MachineID: "m", Start: from, End: from.Add(27 * time.Hour)}, "", false},
		{"a plus that became a space", "m", "2026-05-04T10:00:00 03:00", end, "7", "", EventsQuestion{MachineID: "m", Start: from, End: from.Add(27 * time.Hour), Limit: 7}, "", false},
		{"after a cursor", "m", start, end, "", eventsCursor(from), EventsQuestion{MachineID: "m", Start: from.Add(time.Microsecond), End: from.Add(27 * time.Hour)}, "", false},
		{"a limit of none", "m", start, end, "0", "", EventsQuestion{}, "limit: want 1 to 5000", false},
		{"no start", "m", "", end, "", "", EventsQuestion{}, "start: want an RFC 3339 time such as 2024-01-15T00:00:00Z", false},
		{"backwards", "m", end, start, "", "", EventsQuestion{}, "end is before start", false},
		{"another list's cursor", "m", start, end, "", eventsCursor(from.Add(-time.Second)), EventsQuestion{}, "cursor: from a list with another start and end", false},
		{"no machine can have that name", "a\x00b", start, end, "", "", EventsQuestion{}, "", true},
	}
	for _, test := range tests {
		got, err := ParseEventsQuestion(test.machineID, test.start, test.end, test.limit, test.cursor)
		var invalid InvalidError
		switch {
		case test.unknown:
			if !errors.Is(err, db.ErrNotFound) {
				t.Errorf("%s: %v", test.name, err)
			}
		case test.invalid != "":
			if !errors.As(err, &invalid) || string(invalid) != test.invalid {
				t.Errorf("%s: %v", test.name, err)
			}
		case err != nil || got != test.want:
			t.Errorf("%s: %v, %+v, want %+v", test.name, err, got, test.want)
		}
	}
}

func TestParseSubject(t *testing.T) {
	groups := encodeCursor(cursorGroups, "Reception")
	tests := []struct {
		name                                         string
		per, machineID, person, group, limit, cursor string
		want                                         Subject
		wrong                                        error
	}{
		{"nothing asked", "", "", "", "", "", "", Subject{Per: PerMachine}, nil},
		{"a page of groups", "group", "", "", "", "5", groups, Subject{Per: PerGroup, Page: Page{Limit: 5, After: "Reception"}}, nil},
		{"machines by a cursor of groups", "", "", "", "", "", groups, Subject{}, errCursor},
		{"a page of one", "all", "", "", "", "", groups, Subject{}, InvalidError("cursor: a report per=all is one page")},
		{"another word", "user", "", "", "", "", "", Subject{}, InvalidError("per: want machine, person, group or all")},
		{"a page of people", "person", "", "", "g", "5", PeopleCursor(7), Subject{Per: PerPerson, Group: "g", Page: Page{Limit: 5, After: "7"}}, nil},
		{"a person", "", "", "p7", "", "", "", Subject{Per: PerPerson, Person: 7}, nil},
		{"people by a cursor of groups", "person", "", "", "", "", groups, Subject{}, errCursor},
		{"a person among machines", "machine", "", "p7", "", "", "", Subject{}, InvalidError("person: goes only with per=person")},
		{"a machine among people", "person", "m", "", "", "", "", Subject{}, InvalidError("machine_id: goes only with per=machine")},
		{"a person who can't be", "", "", "7", "", "", "", Subject{}, people.ErrNone},
		{"a machine among groups", "group", "m", "", "", "", "", Subject{}, InvalidError("machine_id: goes only with per=machine")},
		{"a machine that can't be", "", "\x00", "", "", "", "", Subject{}, db.ErrNotFound},
		{"a group that can't be", "all", "", "", " x", "", "", Subject{}, directory.ErrNoGroup},
	}
	for _, test := range tests {
		got, err := ParseSubject(test.per, test.machineID, test.person, test.group, test.limit, test.cursor)
		if !errors.Is(err, test.wrong) || test.wrong == nil && got != test.want {
			t.Errorf("%s: %+v %v", test.name, got, err)
		}
	}
}
