// Package closing closes months, and answers what was closed.
package closing

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"iter"
	"math"
	"strconv"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/months"
)

const (
	// PeopleMax bounds a page of a closed month: some 9,000 rows.
	PeopleMax     = 300
	peopleDefault = 100
	// listMax and listDefault bound a page of closings.
	listMax     = 1000
	listDefault = 100
	monthForm   = "2006-01"
)

// errMoved ends an answer of several pages.
var errMoved = errors.New("the month was opened and closed again meanwhile")

// Reports closes months, and answers what was closed.
type Reports struct{ months *months.Months }

// New returns the reports.
func New(m *months.Months) *Reports { return &Reports{m} }

// ParseMonth reads a month as 2026-03.
func ParseMonth(given string) (time.Time, error) {
	first, err := time.Parse(monthForm, given)
	if err == nil {
		_, err = report.ParseDay(first.Format(time.DateOnly), "")
	}
	if err != nil {
		return first, report.InvalidError("month: want a month such as 2026-03, from 1999 to 2199")
	}
	return first, nil
}

// Parse reads which month of which group is meant; an empty group is everybody.
func Parse(month, group string) (of months.Of, err error) {
	if of.First, err = ParseMonth(month); err != nil || group == "" {
		return of, err
	}
	name, err := report.ParseGroupName(group)
	of.Group = string(name)
	return of, err
}

// Draft is a month to be closed.
type Draft struct {
	months.Of
	months.Calendar
}

// ParseDraft reads it. The zone must be named: days of another would be closed unnoticed.
func ParseDraft(month, group, zone string) (d Draft, err error) {
	if d.Of, err = Parse(month, group); err != nil {
		return d, err
	}
	if zone == "" {
		return d, report.InvalidError("tz is missing: want an IANA time zone such as Europe/Moscow")
	}
	days, err := report.ParseRange(d.First.Format(time.DateOnly), d.First.AddDate(0, 1, -1).Format(time.DateOnly), zone)
	if err != nil {
		return d, err
	}
	list, err := days.Periods(report.ByDay)
	if err != nil {
		return d, err
	}
	d.Zone = days.Zone.String()
	for _, p := range list {
		date, err := time.Parse(time.DateOnly, p.First)
		if err != nil {
			return d, err
		}
		d.Dates, d.Bounds = append(d.Dates, date), append(d.Bounds, p.Start.UTC())
	}
	d.Bounds = append(d.Bounds, days.End.UTC())
	return d, nil
}

// Close closes a month. Errors are those of months.Close, and report.ErrTooLong.
func (r *Reports) Close(ctx context.Context, scope directory.Scope, d Draft) (api.ClosedMonth, error) {
	c, err := r.months.Close(ctx, scope, d.Of, d.Calendar)
	return told(&c), report.TooLong(err)
}

// Open opens one again. Errors are those of months.Open.
func (r *Reports) Open(ctx context.Context, scope directory.Scope, of months.Of) error {
	return r.months.Open(ctx, scope, of)
}

func told(c *months.Closing) api.ClosedMonth {
	return api.ClosedMonth{
		Month: c.First.Format(monthForm), Group: c.Group, TZ: c.TZ, ClosedAt: c.ClosedAt.UTC(), ClosedByKind: c.ActorKind, ClosedByID: c.ActorID,
		ClosedByName: c.ActorName, People: c.People, Digest: hex.EncodeToString(c.Digest),
	}
}

// ListQuestion asks which months are closed.
type ListQuestion struct {
	// From and To bound when they begin.
	From, To time.Time
	// Limit is how many at most, 0 where the caller has no wish; Before the last one of the
	// page before.
	Limit  int
	Before int64
}

// ParseList reads it as it stands in a URL; an empty year is all of them.
func ParseList(year, limit, cursor string) (q ListQuestion, err error) {
	q.From, q.To, q.Before = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), math.MaxInt64
	if year != "" {
		if q.From, err = ParseMonth(year + "-01"); err != nil {
			return q, report.InvalidError("year: want a year from 1999 to 2199")
		}
		q.To = q.From.AddDate(1, 0, 0)
	}
	page, err := report.ParsePeoplePage(limit, "", listMax)
	if err != nil {
		return q, err
	}
	q.Limit = page.Limit
	if cursor != "" {
		if q.Before, err = strconv.ParseInt(cursor, 10, 64); err != nil || q.Before < 1 {
			return q, report.InvalidError("cursor: want next_cursor of the page before")
		}
	}
	return q, nil
}

// List returns a page of the closings in scope, the newest first.
func (r *Reports) List(ctx context.Context, scope directory.Scope, q ListQuestion) (api.ClosedMonthList, error) {
	list, next, err := r.page(ctx, scope, q, cmp.Or(q.Limit, listDefault))
	reply := api.ClosedMonthList{Months: list}
	if next != 0 {
		reply.NextCursor = strconv.FormatInt(next, 10)
	}
	return reply, err
}

// page returns a page, and before which closing the next begins, if any.
func (r *Reports) page(ctx context.Context, scope directory.Scope, q ListQuestion, limit int) (page []api.ClosedMonth, next int64, err error) {
	found, err := r.months.List(ctx, scope, q.From, q.To, q.Before, limit+1)
	if len(found) > limit {
		found = found[:limit]
		next = found[limit-1].ID
	}
	page = make([]api.ClosedMonth, len(found))
	for i := range found {
		page[i] = told(&found[i])
	}
	return page, next, err
}

// Each returns all closings in scope that are asked for, page by page. The first error ends it.
func (r *Reports) Each(ctx context.Context, scope directory.Scope, q ListQuestion) iter.Seq2[api.ClosedMonth, error] {
	return report.Pages(ctx, report.ReportTimeout, q.Before, func(ctx context.Context, before int64) ([]api.ClosedMonth, int64, error) {
		q.Before = before
		return r.page(ctx, scope, q, listMax)
	})
}

// Question asks for a closed month.
type Question struct {
	months.Of
	Page report.PeoplePage
}

// ParseQuestion reads it as it stands in a URL.
func ParseQuestion(month, group, limit, cursor string) (q Question, err error) {
	if q.Of, err = Parse(month, group); err != nil {
		return q, err
	}
	q.Page, err = report.ParsePeoplePage(limit, cursor, PeopleMax)
	return q, err
}

// Span is the time that the month is about, as near as it is known before its zone is: in UTC.
func (q Question) Span() (from, to time.Time) { return q.First, q.First.AddDate(0, 1, 0) }

// Show returns a page of a closed month. Errors are those of months.Page.
func (r *Reports) Show(ctx context.Context, scope directory.Scope, q Question) (api.MonthReport, error) {
	p, err := r.months.Page(ctx, scope, q.Of, q.Page.After, cmp.Or(q.Page.Limit, peopleDefault))
	reply := api.MonthReport{ClosedMonth: told(&p.Closing), Intact: p.Intact, Rows: rows(&p)}
	if p.More {
		reply.NextCursor = report.PeopleCursor(p.People[len(p.People)-1].Person)
	}
	return reply, report.TooLong(err)
}

// EachDay returns all rows of a closed month, page by page. The first error ends it.
func (r *Reports) EachDay(ctx context.Context, scope directory.Scope, q Question) iter.Seq2[api.MonthDay, error] {
	var begun int64
	return report.Pages(ctx, report.ReportTimeout, q.Page.After, func(ctx context.Context, after int64) ([]api.MonthDay, int64, error) {
		p, err := r.months.Page(ctx, scope, q.Of, after, PeopleMax)
		if err == nil && begun != 0 && p.ID != begun {
			err = errMoved
		}
		if err != nil {
			return nil, 0, err
		}
		begun = p.ID
		next := int64(0)
		if p.More {
			next = p.People[len(p.People)-1].Person
		}
		return rows(&p), next, nil
	})
}

// rows returns a page as a table has it.
func rows(p *months.Page) []api.MonthDay {
	list := make([]api.MonthDay, 0, len(p.People)*len(p.Dates))
	for i := range p.People {
		one := &p.People[i]
		for d, date := range p.Dates {
			f, ok := one.Day(d)
			if !ok {
				break
			}
			list = append(list, api.MonthDay{
				DayOf: api.DayOf{Person: report.PersonID(one.Person).String(), Label: one.Label, Partial: one.Partial, Estimated: one.Estimated},
				Date:  date.Format(time.DateOnly), FirstActivity: report.InUTC(f.First), LastActivity: report.InUTC(f.Last),
				ActiveSeconds: seconds(f.ActiveMS), NoInputSeconds: seconds(f.NoInputMS), LockedSeconds: seconds(f.LockedMS),
				DisconnectedSeconds: seconds(f.DisconnectedMS), NotCollectedSeconds: seconds(f.NotCollectedMS), UnknownSeconds: seconds(f.UnknownMS),
				Changed: p.Changed(i, d),
			})
		}
	}
	return list
}

func seconds(ms int64) float64 { return float64(ms) / 1000 }
