package byperson

import (
	"context"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/query"
)

const (
	daysAWeek, hoursADay = 7, 24
	// maxRhythmDays bounds the days of a rhythm: a year and a month more, as the sheet of
	// hours by day.
	maxRhythmDays = 400
)

// RhythmQuestion asks for sums by hour of the week.
type RhythmQuestion struct {
	Days report.Range
	Who
}

// ParseRhythm reads a question as it stands in a URL.
func ParseRhythm(from, to, zone, person, group string) (q RhythmQuestion, err error) {
	if q.Days, err = report.ParseRange(from, to, zone); err != nil {
		return q, err
	}
	if q.Days.Days() > maxRhythmDays {
		return q, report.InvalidError("from and to: want at most 400 days")
	}
	q.Who, err = ParseWho(person, group)
	return q, err
}

// Rhythm adds up what a person, or all people of a group or in scope, did in each hour of the
// week.
func (r *Reports) Rhythm(ctx context.Context, scope directory.Scope, q RhythmQuestion) (api.RhythmReport, error) {
	reply := q.reply()
	w := newWeek(q.Days, r.now())
	page := report.PeoplePage{Limit: report.PeopleAtOnce(q.Days.Days())}
	var few access.Handful
	for more := true; more; {
		list, others, err := r.reader.SumPeople(ctx, q.filter(scope, page), w.hours, false)
		if err != nil {
			return reply, report.TooLong(err)
		}
		for i := range list {
			p := &list[i]
			few.Add(p.Keys()...)
			reply.People++
			reply.Partial, reply.Estimated = reply.Partial || p.Partial, reply.Estimated || p.Estimated
			w.add(p)
			page.After = p.ID
		}
		more = others
	}
	few.See(ctx)
	reply.Hours = w.list()
	return reply, nil
}

func (q *RhythmQuestion) reply() api.RhythmReport {
	reply := api.RhythmReport{From: q.Days.First(), To: q.Days.Last(), TZ: q.Days.Zone.String(), Group: string(q.Group)}
	if q.Person != 0 {
		reply.Person = q.Person.String()
	}
	return reply
}

// week adds up the hours of a range by hour of the week.
type week struct {
	// hours are the bounds of the range's hours, and places where in cells each lies.
	hours  []time.Time
	places []int
	cells  [daysAWeek * hoursADay]cell
}

// cell is an hour of the week; times are in seconds.
type cell struct {
	times        int64
	active, idle float64
}

func newWeek(days report.Range, now time.Time) *week {
	w := &week{hours: days.Hours()}
	for _, start := range w.hours[:len(w.hours)-1] {
		local := start.In(days.Zone)
		place := (int(local.Weekday())+daysAWeek-1)%daysAWeek*hoursADay + local.Hour()
		w.places = append(w.places, place)
		if start.Before(now) {
			w.cells[place].times++
		}
	}
	return w
}

func (w *week) add(p *query.PersonSums) {
	for i, place := range w.places {
		w.cells[place].active += p.Sums[i].ActiveSeconds
		w.cells[place].idle += p.Sums[i].IdleSeconds
	}
}

// list returns all hours of a week, from Monday at midnight.
func (w *week) list() []api.RhythmHour {
	list := make([]api.RhythmHour, len(w.cells))
	for i, c := range w.cells {
		list[i] = api.RhythmHour{
			Weekday: int64(i/hoursADay + 1), Hour: int64(i % hoursADay), Times: c.times,
			ActiveMinutes: report.MinuteCount(c.active), IdleMinutes: report.MinuteCount(c.idle),
			ActiveSeconds: report.Millis(c.active), IdleSeconds: report.Millis(c.idle),
		}
	}
	return list
}
