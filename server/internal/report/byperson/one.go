package byperson

import (
	"context"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/minutes"
)

// PersonDayQuestion asks for a person's day.
type PersonDayQuestion struct {
	Person report.PersonID
	Day    report.Day
}

// Summary sums up a person's day.
func (r *Reports) Summary(ctx context.Context, scope directory.Scope, q PersonDayQuestion) (api.PersonSummary, error) {
	day := q.Day
	activity, t, err := r.reader.PersonActivity(ctx, scope, int64(q.Person), []time.Time{day.Start, day.End}, report.TopApps)
	if err != nil {
		return api.PersonSummary{}, err
	}
	s := activity[0]
	return api.PersonSummary{
		Person: q.Person.String(), Partial: t.Partial, Date: day.Date, TZ: day.Zone.String(),
		Totals:        s.Counts.Totals(),
		ActiveMinutes: report.MinuteCount(s.ActiveSeconds), IdleMinutes: report.MinuteCount(s.IdleSeconds),
		ActiveSeconds: report.Millis(s.ActiveSeconds), IdleSeconds: report.Millis(s.IdleSeconds),
		FirstActivity: report.InUTC(s.First), LastActivity: report.InUTC(s.Last), TopApps: report.AppMinutes(s.Apps), Estimated: s.Estimated || t.Estimated,
	}, nil
}

// Timeline sums up each hour of a person's day.
func (r *Reports) Timeline(ctx context.Context, scope directory.Scope, q PersonDayQuestion) (api.PersonTimeline, error) {
	day := q.Day
	hours := day.Hours()
	activity, t, err := r.reader.PersonActivity(ctx, scope, int64(q.Person), hours, 1)
	if err != nil {
		return api.PersonTimeline{}, err
	}
	reply := api.PersonTimeline{Person: q.Person.String(), Partial: t.Partial, Date: day.Date, TZ: day.Zone.String(), Hours: []api.Hour{}, Estimated: t.Estimated}
	for i, s := range activity {
		reply.Hours = append(reply.Hours, report.HourOf(hours[i], day.Zone, s))
	}
	return reply, nil
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
	reply.Segments = segments(t.Grid)
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
func segments(g *minutes.Grid) []api.Segment {
	list := []api.Segment{}
	for _, s := range g.Segments() {
		list = append(list, api.Segment{
			State: s.State.String(), Start: s.Start, End: s.End, ActiveSeconds: float64(s.ActiveMS) / 1000, Reason: reason(s),
		})
	}
	return list
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
