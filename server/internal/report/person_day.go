package report

import (
	"cmp"
	"context"
	"iter"
	"strconv"
	"strings"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/minutes"
	"activity-tracker.example/server/internal/store/query"
)

// cursorPersonEvents is the kind of cursor that pages through the events of a person.
const cursorPersonEvents = "v"

// PersonDayQuestion asks for a person's day.
type PersonDayQuestion struct {
	Person PersonID
	Day    Day
}

// PersonSummary sums up a person's day.
func (r *Reports) PersonSummary(ctx context.Context, scope directory.Scope, q PersonDayQuestion) (api.PersonSummary, error) {
	day := q.Day
	spans, t, err := r.reader.PersonActivity(ctx, scope, int64(q.Person), []time.Time{day.Start, day.End}, topApps)
	if err != nil {
		return api.PersonSummary{}, err
	}
	s := spans[0]
	return api.PersonSummary{
		Person: q.Person.String(), Partial: t.Partial, Date: day.Date, TZ: day.Zone.String(),
		Totals:        s.Counts.Totals(),
		ActiveMinutes: minuteCount(s.ActiveSeconds), IdleMinutes: minuteCount(s.IdleSeconds),
		ActiveSeconds: millis(s.ActiveSeconds), IdleSeconds: millis(s.IdleSeconds),
		FirstActivity: inUTC(s.First), LastActivity: inUTC(s.Last), TopApps: appMinutes(s.Apps), Estimated: s.Estimated || t.Estimated,
	}, nil
}

// PersonTimeline sums up each hour of a person's day.
func (r *Reports) PersonTimeline(ctx context.Context, scope directory.Scope, q PersonDayQuestion) (api.PersonTimeline, error) {
	day := q.Day
	hours := day.Hours()
	spans, t, err := r.reader.PersonActivity(ctx, scope, int64(q.Person), hours, 1)
	if err != nil {
		return api.PersonTimeline{}, err
	}
	reply := api.PersonTimeline{Person: q.Person.String(), Partial: t.Partial, Date: day.Date, TZ: day.Zone.String(), Hours: []api.Hour{}, Estimated: t.Estimated}
	for i, s := range spans {
		reply.Hours = append(reply.Hours, hourOf(hours[i], day.Zone, s))
	}
	return reply, nil
}

// PersonDay returns the segments of a person's day, up to now.
func (r *Reports) PersonDay(ctx context.Context, scope directory.Scope, q PersonDayQuestion) (api.PersonDay, error) {
	day, end := q.Day, q.Day.End
	if now := r.now().Truncate(minutes.Length); now.Before(end) {
		end = now
	}
	reply := api.PersonDay{Person: q.Person.String(), Date: day.Date, TZ: day.Zone.String(), Segments: []api.Segment{}}
	t, err := r.reader.PersonMinutes(ctx, scope, int64(q.Person), day.Start, end)
	if err != nil {
		return reply, err
	}
	reply.Partial, reply.Estimated = t.Partial, t.Estimated
	for _, s := range t.Grid.Segments() {
		reply.Segments = append(reply.Segments, api.Segment{
			State: s.State.String(), Start: s.Start, End: s.End, ActiveSeconds: float64(s.ActiveMS) / 1000,
		})
	}
	return reply, nil
}

// PersonEventsQuestion asks for the events of a person's accounts, Start ≤ timestamp < End.
type PersonEventsQuestion struct {
	Person PersonID
	From   query.PersonPlace
	End    time.Time
	// Limit is how many at most; 0 where the caller has no wish.
	Limit int
}

// ParsePersonEvents reads a question as it stands in a URL.
func ParsePersonEvents(person, start, end, limit, cursor string) (PersonEventsQuestion, error) {
	var q PersonEventsQuestion
	var err error
	if q.Limit, q.From.At, q.End, err = parseEventsSpan(start, end, limit); err != nil {
		return q, err
	}
	if cursor != "" {
		if q.From, err = parsePersonPlace(cursor, q.From.At, q.End); err != nil {
			return q, err
		}
	}
	q.Person, err = ParsePersonID(person)
	return q, err
}

func parsePersonPlace(cursor string, from, to time.Time) (query.PersonPlace, error) {
	var p query.PersonPlace
	position, err := decodeCursor(cursorPersonEvents, cursor)
	if err != nil {
		return p, err
	}
	at, after, _ := strings.Cut(position, " ")
	micros, err := strconv.ParseInt(at, 10, 64)
	if err != nil || !plausible(after) {
		return p, errCursor
	}
	p.At, p.After = time.UnixMicro(micros).UTC(), after
	if p.At.Before(from) || !p.At.Before(to) {
		return p, InvalidError("cursor: from a list with another start and end")
	}
	return p, nil
}

func placeAfter(last *api.Event) query.PersonPlace {
	return query.PersonPlace{At: last.Timestamp, After: last.MachineID}
}

// PersonEvents returns a page of the events of a person's accounts.
func (r *Reports) PersonEvents(ctx context.Context, scope directory.Scope, q PersonEventsQuestion) (api.PersonEvents, error) {
	reply := api.PersonEvents{Person: q.Person.String()}
	page, err := r.reader.PersonEvents(ctx, scope, int64(q.Person), q.From, q.End, cmp.Or(q.Limit, eventsDefault))
	if err != nil {
		return reply, err
	}
	reply.Partial, reply.Events = page.Partial, page.Events
	if page.More {
		next := placeAfter(&page.Events[len(page.Events)-1])
		reply.NextCursor = encodeCursor(cursorPersonEvents, strconv.FormatInt(next.At.UnixMicro(), 10)+" "+next.After)
	}
	return reply, nil
}

// EachPersonEvent returns all events of a person as EachMachine returns machines.
func (r *Reports) EachPersonEvent(ctx context.Context, scope directory.Scope, q PersonEventsQuestion) iter.Seq2[api.Event, error] {
	return pages(ctx, pageTimeout, q.From, func(ctx context.Context, from query.PersonPlace) ([]api.Event, query.PersonPlace, error) {
		page, err := r.reader.PersonEvents(ctx, scope, int64(q.Person), from, q.End, eventsMax)
		if err != nil || !page.More {
			return page.Events, query.PersonPlace{}, err
		}
		return page.Events, placeAfter(&page.Events[len(page.Events)-1]), nil
	})
}
