package byperson

import (
	"context"
	"iter"
	"slices"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/minutes"
	"activity-tracker.example/server/internal/store/query"
)

// PersonDayQuestion asks for a person's day.
type PersonDayQuestion struct {
	Person report.PersonID
	Day    report.Day
}

// Summary sums up a person's day.
func (r *Reports) Summary(ctx context.Context, scope directory.Scope, q PersonDayQuestion) (api.PersonSummary, error) {
	a, err := r.reader.PersonActivity(ctx, scope, int64(q.Person), []time.Time{q.Day.Start, q.Day.End}, report.TopApps)
	if err != nil {
		return api.PersonSummary{}, err
	}
	return q.summary(&a), nil
}

func (q *PersonDayQuestion) summary(a *query.PersonActivity) api.PersonSummary {
	s := &a.Whole
	return api.PersonSummary{
		Person: q.Person.String(), Partial: a.Partial, Date: q.Day.Date, TZ: q.Day.Zone.String(),
		Totals:        s.Counts.Totals(),
		ActiveMinutes: report.MinuteCount(s.ActiveSeconds), IdleMinutes: report.MinuteCount(s.IdleSeconds),
		ActiveSeconds: report.Millis(s.ActiveSeconds), IdleSeconds: report.Millis(s.IdleSeconds),
		FirstActivity: report.InUTC(s.First), LastActivity: report.InUTC(s.Last), TopApps: report.AppMinutes(s.Apps), Estimated: s.Estimated || a.Estimated,
	}
}

// Timeline sums up each hour of a person's day.
func (r *Reports) Timeline(ctx context.Context, scope directory.Scope, q PersonDayQuestion) (api.PersonTimeline, error) {
	hours := q.Day.Hours()
	a, err := r.reader.PersonActivity(ctx, scope, int64(q.Person), hours, 1)
	if err != nil {
		return api.PersonTimeline{}, err
	}
	return api.PersonTimeline{
		Person: q.Person.String(), Partial: a.Partial, Date: q.Day.Date, TZ: q.Day.Zone.String(), Hours: q.timeline(&a, hours), Estimated: a.Estimated,
	}, nil
}

func (q *PersonDayQuestion) timeline(a *query.PersonActivity, hours []time.Time) []api.Hour {
	list := make([]api.Hour, len(a.Spans))
	for i := range a.Spans {
		list[i] = report.HourOf(hours[i], q.Day.Zone, a.Spans[i])
	}
	return list
}

// WholeDay is all that a page has about somebody's day, but for single records.
type WholeDay struct {
	Summary api.PersonSummary
	Hours   []api.Hour
	// Segments are up to now.
	Segments iter.Seq[api.Segment]
}

// WholeDay is Summary, Timeline and PersonDay, read once.
func (r *Reports) WholeDay(ctx context.Context, scope directory.Scope, q PersonDayQuestion) (WholeDay, error) {
	hours := q.Day.Hours()
	a, err := r.reader.PersonActivity(ctx, scope, int64(q.Person), hours, report.TopApps)
	if err != nil {
		return WholeDay{}, err
	}
	past := *a.Grid
	past.List = a.Grid.Part(q.Day.Start, until(q.Day, r.now()))
	return WholeDay{q.summary(&a), q.timeline(&a, hours), segments(&past)}, nil
}

// PersonDay returns the segments of a person's day, up to now.
func (r *Reports) PersonDay(ctx context.Context, scope directory.Scope, q PersonDayQuestion) (api.PersonDay, error) {
	day := q.Day
	reply := api.PersonDay{Person: q.Person.String(), Date: day.Date, TZ: day.Zone.String(), Segments: []api.Segment{}}
	t, err := r.reader.PersonMinutes(ctx, scope, int64(q.Person), day.Start, until(day, r.now()))
	if err != nil {
		return reply, err
	}
	reply.Partial, reply.Estimated = t.Partial, t.Estimated
	reply.Segments = listed(segments(t.Grid))
	return reply, nil
}

// until is the end of a day, or now.
func until(d report.Day, now time.Time) time.Time {
	if now = now.Truncate(minutes.Length); now.Before(d.End) {
		return now
	}
	return d.End
}

// segments returns minutes as the API shows them.
func segments(g *minutes.Grid) iter.Seq[api.Segment] {
	return func(yield func(api.Segment) bool) {
		for s := range g.Segments() {
			if !yield(api.Segment{State: s.State.String(), Start: s.Start, End: s.End, ActiveSeconds: float64(s.ActiveMS) / 1000, Reason: reason(s)}) {
				return
			}
		}
	}
}

// listed is a list of segments. They are counted first: what grows is copied again and again.
func listed(all iter.Seq[api.Segment]) []api.Segment {
	n := 0
	for range all {
		n++
	}
	return slices.AppendSeq(make([]api.Segment, 0, n), all)
}

// reason is why nothing was collected; empty of other states.
func reason(s minutes.Segment) api.NotCollectedReason {
	switch {
	case s.State != minutes.NotCollected:
		return ""
	case s.Paused:
		return api.NotCollectedPause
	}
	return api.NotCollectedHours
}
