package report

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/query"
)

// ActivityQuestion asks for a report of activity.
type ActivityQuestion struct {
	Days    Range
	By      Step
	Subject Subject
}

// Activity adds up what machines, groups or all machines did in each period of a
// range.
func (r *Reports) Activity(ctx context.Context, scope directory.Scope, q ActivityQuestion) (api.ActivityReport, error) {
	q.By = cmp.Or(q.By, ByDay)
	s := r.subjects(scope, q.Subject)
	reply := api.ActivityReport{
		From: q.Days.First(), To: q.Days.Last(), TZ: q.Days.Zone.String(), By: string(q.By), Per: string(s.Per),
	}
	rows, next, err := r.activity(ctx, &s, q)
	reply.Rows, reply.NextCursor = rows, s.cursor(next)
	return reply, err
}

// activity returns the rows of a page, and after which machine or group the next
// begins, if any.
func (r *Reports) activity(ctx context.Context, s *subjects, q ActivityQuestion) (rows []api.ActivityRow, next string, err error) {
	periods, err := q.Days.Periods(q.By)
	if err != nil {
		return nil, "", err
	}
	h := hoursSheet{reports: r, periods: periods, bounds: Bounds(periods), now: r.now(), rows: []api.ActivityRow{}}
	switch s.Per {
	case PerMachine:
		next, err = h.machines(ctx, s)
	case PerPerson:
		next, err = h.people(ctx, s, q.Days.Days())
	default:
		next, err = s.addUp(ctx, func(group string, f directory.MachineFilter) (int, error) { return h.addUp(ctx, group, f) })
	}
	return h.rows, next, TooLong(err)
}

// EachActivity returns all rows of a report from its page's beginning on, page by
// page. The first error ends it.
func (r *Reports) EachActivity(ctx context.Context, scope directory.Scope, q ActivityQuestion) iter.Seq2[api.ActivityRow, error] {
	return Pages(ctx, ReportTimeout, q.Subject.Page.After, func(ctx context.Context, after string) ([]api.ActivityRow, string, error) {
		q.Subject.Page = Page{After: after}
		s := r.subjects(scope, q.Subject)
		return r.activity(ctx, &s, q)
	})
}

// hours makes the rows of one report.
type hoursSheet struct {
	reports *Reports
	periods []Period
	bounds  []time.Time
	now     time.Time
	rows    []api.ActivityRow
}

// machines adds the rows of a page of machines.
func (h *hoursSheet) machines(ctx context.Context, s *subjects) (next string, err error) {
	n := min(s.Page.Limit, machinesAtOnce, max(1, maxPageRows/max(1, len(h.periods))))
	list, err := h.reports.reader.SumMachines(ctx, s.machines(n), h.bounds)
	if err != nil {
		return "", err
	}
	if len(list) > n {
		list = list[:n]
		next = list[n-1].MachineID
	}
	h.rows = slices.Grow(h.rows, len(list)*len(h.periods))
	for _, m := range list {
		access.See(ctx, m.Key)
		for i, p := range h.periods {
			h.rows = append(h.rows, h.row(p, total{Sums: m.Sums[i], machines: 1, untracked: p.untracked(m.Sums[i], h.now)}, string(s.Group)))
			row := &h.rows[len(h.rows)-1]
			row.MachineID, row.UserLabel, row.Username, row.Hostname = m.MachineID, m.UserLabel, m.Username, m.Hostname
		}
	}
	return next, nil
}

// people adds the rows of a page of people.
func (h *hoursSheet) people(ctx context.Context, s *subjects, days int) (next string, err error) {
	n := min(s.Page.Limit, PeopleAtOnce(days), max(1, maxPageRows/max(1, len(h.periods))))
	list, more, err := h.reports.reader.SumPeople(ctx, s.people(n), h.bounds, true)
	if err != nil {
		return "", err
	}
	h.rows = slices.Grow(h.rows, len(list)*len(h.periods))
	for i := range list {
		p := &list[i]
		access.See(ctx, p.Keys()...)
		for j, period := range h.periods {
			row := h.row(period, total{Sums: p.Sums[j], machines: int64(len(p.Accounts)), untracked: period.untracked(p.Sums[j], h.now)}, string(s.Group))
			row.Person, row.PersonLabel, row.Partial, row.Estimated = PersonID(p.ID).String(), p.Label, p.Partial, p.Estimated
			h.rows = append(h.rows, row)
		}
		if more {
			next = placeOf(p.ID)
		}
	}
	return next, nil
}

// addUp adds the rows of a group, or of all machines, from the machines that f
// asks for.
func (h *hoursSheet) addUp(ctx context.Context, group string, f directory.MachineFilter) (int, error) {
	totals := make([]total, len(h.periods))
	var keys []int32
	for {
		list, err := h.reports.reader.SumMachines(ctx, f, h.bounds)
		if err != nil {
			return 0, err
		}
		for _, m := range list {
			keys = append(keys, m.Key)
			for i, p := range h.periods {
				totals[i].add(m.Sums[i], p.untracked(m.Sums[i], h.now))
			}
		}
		if len(list) < f.Limit {
			break
		}
		f.After = list[len(list)-1].MachineID
	}
	if err := h.reports.people.SeeFew(ctx, keys); err != nil {
		return 0, err
	}
	for i, p := range h.periods {
		h.rows = append(h.rows, h.row(p, totals[i], group))
	}
	return len(h.periods), nil
}

// total is what some machines, or accounts of one person, add up to in one period.
type total struct {
	query.Sums
	machines  int64
	untracked float64
}

func (t *total) add(s query.Sums, untracked float64) {
	t.machines++
	t.untracked += untracked
	t.Events += s.Events
	t.Counts.Add(&s.Counts)
	t.ActiveSeconds += s.ActiveSeconds
	t.IdleSeconds += s.IdleSeconds
	if s.First != nil && (t.First == nil || s.First.Before(*t.First)) {
		t.First = s.First
	}
	if s.Last != nil && (t.Last == nil || s.Last.After(*t.Last)) {
		t.Last = s.Last
	}
}

// untracked is how many seconds of a period have passed without a record of one
// machine. Records may reach beyond the period in which they begin: then it is
// none.
func (p Period) untracked(s query.Sums, now time.Time) float64 {
	end := p.End
	if now.Before(end) {
		end = now
	}
	return max(0, end.Sub(p.Start).Seconds()-s.ActiveSeconds-s.IdleSeconds)
}

func (h *hoursSheet) row(p Period, t total, group string) api.ActivityRow {
	return api.ActivityRow{
		Group: group, Machines: t.machines, PeriodStart: p.First, PeriodEnd: p.Last,
		ActiveMinutes: MinuteCount(t.ActiveSeconds), IdleMinutes: MinuteCount(t.IdleSeconds), UntrackedMinutes: MinuteCount(t.untracked),
		ActiveSeconds: Millis(t.ActiveSeconds), IdleSeconds: Millis(t.IdleSeconds), UntrackedSeconds: Millis(t.untracked),
		FirstActivity: InUTC(t.First), LastActivity: InUTC(t.Last),
		Totals: t.Counts.Totals(), Events: t.Events,
	}
}
