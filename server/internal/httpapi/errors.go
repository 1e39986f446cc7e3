package httpapi

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/live"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/months"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/tabular"
)

// kinds is the table of them. Of several that an error is, the first counts.
func kinds() []problem.Kind {
	return []problem.Kind{
		{Is: report.ErrTooLong, Code: api.CodeUnavailable, Detail: "The report takes too long: ask for fewer days, for one group, or page by machine.", Retry: answerRetry},
		{Is: directory.ErrGroupExists, Code: api.CodeGroupExists, Detail: "Another group has that name."},
		{Is: directory.ErrTooManyGroups, Code: api.CodeTooManyGroups, Detail: "There are as many groups as there may be: " + strconv.Itoa(directory.MaxGroups) + "."},
		{Is: directory.ErrNoGroup, Code: api.CodeNotFound, Detail: "There is no such group."},
		{Is: directory.ErrNoneKnown, Code: api.CodeNotFound, Detail: "None of these machines exists, and the group was left as it is. An empty list empties it."},
		{Is: directory.ErrOfPerson, Code: api.CodeOfPerson, Detail: "A person in the group brings the machine: take the person out of the group."},
		{Is: directory.ErrClosedMonths, Code: api.CodeMonthClosed, Detail: "The group has closed months, which would be gone with it: open them first (GET /api/months)."},
		{Is: months.ErrNone, Code: api.CodeNotFound, Detail: "This month is not closed."},
		{Is: months.ErrClosed, Code: api.CodeMonthClosed, Detail: "This month is closed already: DELETE opens it again, and forgets what was kept."},
		{Is: months.ErrNotOver, Code: api.CodeMonthNotOver, Detail: "This month is not over in that time zone."},
		{Is: months.ErrNotKept, Code: api.CodeBadRequest, Detail: "month: not all that was recorded of it is kept any more."},
		{Is: people.ErrNone, Code: api.CodeNotFound, Detail: "There is no such person."},
		{Is: people.ErrPartial, Code: api.CodeForbidden, Detail: "The person has accounts that you do not see (partial): whoever sees all of them names the person."},
		{Is: people.ErrTooMany, Code: api.CodeTooManyAccounts, Detail: "A person may have " + strconv.Itoa(people.MaxAccounts) + " accounts."},
		{Is: db.ErrNotFound, Code: api.CodeNotFound, Detail: "There is no such machine."},
		{
			Is: directory.ErrCategoriesChanged, Code: api.CodeChangedMeanwhile,
			Detail: "The categories have been changed since: GET them again and repeat the change on the new list.",
		},
		{Is: live.ErrTooManyOfToken, Code: api.CodeRateLimited, Detail: "Too many streams are open for this caller.", Retry: liveRetry * time.Millisecond},
		{Is: live.ErrTooMany, Code: api.CodeUnavailable, Detail: "Too many streams are open on this server.", Retry: liveRetry * time.Millisecond},
		{Is: live.ErrStopped, Code: api.CodeUnavailable, Detail: "The server stops.", Retry: liveRetry * time.Millisecond},
		{
			Is: tabular.ErrWorkbookTooLarge, Code: api.CodeBadRequest, Detail: fmt.Sprintf(
				"A workbook has at most %d rows and %d bytes of text: ask for less, for a page with limit, or for CSV.",
				tabular.MaxWorkbookRows, tabular.MaxWorkbookText),
		},
	}
}

// asProblem turns an error into a refusal.
func asProblem(err error) error {
	var refusal *problem.Error
	if errors.As(err, &refusal) {
		return refusal
	}
	var invalid report.InvalidError
	if errors.As(err, &invalid) {
		return problem.BadRequest(invalid.Error())
	}
	var unknown people.UnknownError
	if errors.As(err, &unknown) {
		return problem.NotFound(fmt.Sprintf("There are no machines %q, and nothing was joined.", unknown.MachineIDs))
	}
	if refusal := problem.OfKind(err, kinds()); refusal != nil {
		return refusal
	}
	return auth.Answer(err)
}

// later returns a refusal with the advice to try again after a while.
func later(e *problem.Error, after time.Duration) *problem.Error {
	e.RetryAfter = after
	return e
}
