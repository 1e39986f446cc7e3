// Package byperson answers what people did: one of them on a day, and reports of many.
// Time that a person's accounts share counts once.
package byperson

import (
	"time"

	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/store/query"
)

// Reports answers questions about people from one store.
type Reports struct {
	reader *query.Reader
	now    func() time.Time
}

// New makes the reports; now is the server's clock.
func New(reader *query.Reader, now func() time.Time) *Reports { return &Reports{reader, now} }

// Who is which people are asked for. Empty fields ask for nothing.
type Who struct {
	Person report.PersonID
	// Group is one in which they have accounts: these are asked for.
	Group report.GroupName
}

// ParseWho reads it as it stands in a URL.
func ParseWho(person, group string) (w Who, err error) {
	if person != "" {
		if w.Person, err = report.ParsePersonID(person); err != nil {
			return w, err
		}
	}
	if group != "" {
		w.Group, err = report.ParseGroupName(group)
	}
	return w, err
}

// String names them for a file.
func (w Who) String() string {
	switch {
	case w.Person != 0:
		return "-" + w.Person.String()
	case w.Group != "":
		return "-" + string(w.Group)
	}
	return ""
}

// filter is a page of them.
func (w Who) filter(scope directory.Scope, page report.PeoplePage) people.Filter {
	return people.Filter{Scope: scope, ID: int64(w.Person), Group: string(w.Group), After: page.After, Limit: page.Limit}
}
