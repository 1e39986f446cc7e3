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
	"activity-tracker.example/server/internal/store/query"
)

// cursorPersonEvents is the kind of cursor that pages through the events of a person.
const cursorPersonEvents = "v"

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
	return Pages(ctx, pageTimeout, q.From, func(ctx context.Context, from query.PersonPlace) ([]api.Event, query.PersonPlace, error) {
		page, err := r.reader.PersonEvents(ctx, scope, int64(q.Person), from, q.End, eventsMax)
		if err != nil || !page.More {
			return page.Events, query.PersonPlace{}, err
		}
		return page.Events, placeAfter(&page.Events[len(page.Events)-1]), nil
	})
}
