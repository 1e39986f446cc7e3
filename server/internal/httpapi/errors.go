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
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/tabular"
)

// kind is what a caller is told of an error that another part returned.
type kind struct {
	is     error
	code   api.Code
	detail string
	// retry is when to try again; zero means no advice.
	retry time.Duration
}

// kinds is the table of them. Of several that an error is, the first counts.
func kinds() []kind {
	return []kind{
		{report.ErrTooLong, api.CodeUnavailable, "The report takes too long: ask for fewer days, for one group, or page by machine.", answerRetry},
		{directory.ErrGroupExists, api.CodeGroupExists, "Another group has that name.", 0},
		{directory.ErrTooManyGroups, api.CodeTooManyGroups, "There are as many groups as there may be: " + strconv.Itoa(directory.MaxGroups) + ".", 0},
		{directory.ErrNoGroup, api.CodeNotFound, "There is no such group.", 0},
		{directory.ErrNoneKnown, api.CodeNotFound, "None of these machines exists, and the group was left as it is. An empty list empties it.", 0},
		{directory.ErrOfPerson, api.CodeOfPerson, "A person in the group brings the machine: take the person out of the group.", 0},
		{people.ErrNone, api.CodeNotFound, "There is no such person.", 0},
		{people.ErrTooMany, api.CodeTooManyAccounts, "A person may have " + strconv.Itoa(people.MaxAccounts) + " accounts.", 0},
		{db.ErrNotFound, api.CodeNotFound, "There is no such machine.", 0},
		{
			directory.ErrCategoriesChanged, api.CodeChangedMeanwhile,
			"The categories have been changed since: GET them again and repeat the change on the new list.", 0,
		},
		{live.ErrTooManyOfToken, api.CodeRateLimited, "Too many streams are open for this caller.", liveRetry * time.Millisecond},
		{live.ErrTooMany, api.CodeUnavailable, "Too many streams are open on this server.", liveRetry * time.Millisecond},
		{live.ErrStopped, api.CodeUnavailable, "The server stops.", liveRetry * time.Millisecond},
		{
			tabular.ErrWorkbookTooLarge, api.CodeBadRequest, fmt.Sprintf(
				"A workbook has at most %d rows and %d bytes of text: ask for less, for a page with limit, or for CSV.",
				tabular.MaxWorkbookRows, tabular.MaxWorkbookText), 0,
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
	for _, k := range kinds() {
		if errors.Is(err, k.is) {
			e := problem.New(k.code, k.detail)
			e.RetryAfter, e.Cause = k.retry, err
			return e
		}
	}
	return auth.Answer(err)
}

// later returns a refusal with the advice to try again after a while.
func later(e *problem.Error, after time.Duration) *problem.Error {
	e.RetryAfter = after
	return e
}
