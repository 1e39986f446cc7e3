package byperson

import (
	"context"
	"slices"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/query"
)

// MaxGroups is how many groups can be compared.
const MaxGroups = 4

// CompareQuestion asks for groups side by side.
type CompareQuestion struct {
	Days   report.Range
	Groups []report.GroupName
}

// ParseCompare reads a question as it stands in a URL.
func ParseCompare(from, to, zone string, groups []string) (q CompareQuestion, err error) {
	if q.Days, err = report.ParseRange(from, to, zone); err != nil {
		return q, err
	}
	if q.Days.Days() > maxRhythmDays {
		return q, report.InvalidError("from and to: want at most 400 days")
	}
	for _, given := range groups {
		name, err := report.ParseGroupName(given)
		if err != nil {
			return q, err
		}
		if !slices.Contains(q.Groups, name) {
			q.Groups = append(q.Groups, name)
		}
	}
	if len(q.Groups) > MaxGroups {
		return q, report.InvalidError("group: want at most four of them")
	}
	return q, nil
}

// GroupFigures are those of the people of a group, nobody's alone.
type GroupFigures struct {
	Group string
	// People is how many of them did anything. Few means that they are too few to be shown:
	// there are no figures then.
	People int
	Few    bool
	// Lower, Middle and Upper are quartiles of people's active seconds a day, of the days on
	// which each did anything.
	Lower, Middle, Upper float64
	// Hours are the 168 of a week, of People together.
	Hours []api.RhythmHour
}

// Compare returns what the people of each group did, in the order in which groups are asked
// for. Of fewer than access.Anonymous people nothing is returned.
func (r *Reports) Compare(ctx context.Context, scope directory.Scope, q CompareQuestion) ([]GroupFigures, error) {
	list := make([]GroupFigures, len(q.Groups))
	for i, group := range q.Groups {
		var err error
		if list[i], err = r.groupFigures(ctx, scope, q.Days, group); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (r *Reports) groupFigures(ctx context.Context, scope directory.Scope, days report.Range, group report.GroupName) (GroupFigures, error) {
	f := GroupFigures{Group: string(group)}
	who := Who{Group: group}
	w := newWeek(days, r.now())
	page := report.PeoplePage{Limit: report.PeopleAtOnce(days.Days())}
	var means []float64
	for more := true; more; {
		people, others, err := r.reader.SumPeople(ctx, who.filter(scope, page), w.hours, false)
		if err != nil {
			return f, report.TooLong(err)
		}
		for i := range people {
			page.After = people[i].ID
			if mean := w.mean(&people[i], days.Zone); mean > 0 {
				means = append(means, mean)
				w.add(&people[i])
			}
		}
		more = others
	}
	f.People = len(means)
	if f.Few = f.People < access.Anonymous; f.Few {
		return f, nil
	}
	slices.Sort(means)
	f.Lower, f.Middle, f.Upper = quantile(means, 1), quantile(means, 2), quantile(means, 3)
	f.Hours = w.list()
	return f, nil
}

// mean is for how many seconds somebody was active on the days on which they were; 0: on none.
func (w *week) mean(p *query.PersonSums, zone *time.Location) float64 {
	var active float64
	worked, last := 0, -1
	for i := range w.places {
		seconds := p.Sums[i].ActiveSeconds
		if seconds <= 0 {
			continue
		}
		active += seconds
		if day := w.hours[i].In(zone).YearDay(); day != last {
			worked, last = worked+1, day
		}
	}
	if worked == 0 {
		return 0
	}
	return active / float64(worked)
}

// quantile is the quarter-th quartile of sorted numbers, between two where it falls there.
func quantile(sorted []float64, quarter int) float64 {
	const quarters = 4
	place := float64(len(sorted)-1) * float64(quarter) / quarters
	below := int(place)
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (sorted[above]-sorted[below])*(place-float64(below))
}
