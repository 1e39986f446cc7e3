package byperson

import (
	"context"

	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/store/directory"
)

// TrendWeek is what people did in one week, or in the part of it that was asked for.
type TrendWeek struct {
	report.Period
	// ActiveSeconds is of all of them together; Active is how many did anything.
	ActiveSeconds float64
	Active        int
}

// Trend adds up the weeks of a range, of the people that Rhythm is about: it notes nobody
// whom that does not.
func (r *Reports) Trend(ctx context.Context, scope directory.Scope, q RhythmQuestion) ([]TrendWeek, error) {
	periods, err := q.Days.Periods(report.ByWeek)
	if err != nil || len(periods) == 0 {
		return nil, err
	}
	list := make([]TrendWeek, len(periods))
	for i := range periods {
		list[i].Period = periods[i]
	}
	page := report.PeoplePage{Limit: report.PeopleAtOnce(q.Days.Days())}
	for more := true; more; {
		people, others, err := r.reader.SumPeople(ctx, q.filter(scope, page), report.Bounds(periods), false)
		if err != nil {
			return nil, report.TooLong(err)
		}
		for i := range people {
			page.After = people[i].ID
			for week := range list {
				if seconds := people[i].Sums[week].ActiveSeconds; seconds > 0 {
					list[week].ActiveSeconds += seconds
					list[week].Active++
				}
			}
		}
		more = others
	}
	return list, nil
}
