package report

import (
	"cmp"
	"context"
	"iter"
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
		From: q.Days.From.Format(dateForm), To: q.Days.To.Format(dateForm), TZ: q.Days.Zone.String(), By: string(q.By), Per: string(s.Per),
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
	h := hours{reader: r.reader, periods: periods, bounds: bounds(periods), now: r.now(), rows: []api.ActivityRow{}}
	if s.Per == PerMachine {
		next, err = h.machines(ctx, s)
	} else {
		next, err = s.addUp(ctx, func(group string, f directory.MachineFilter) (int, error) { return h.addUp(ctx, group, f) })
	}
	return h.rows, next, tooLong(err)
}

// EachActivity returns all rows of a report from its page's beginning on, page by
// page. The first error ends it.
func (r *Reports) EachActivity(ctx context.Context, scope directory.Scope, q ActivityQuestion) iter.Seq2[api.ActivityRow, error] {
	return pages(ctx, ReportTimeout, q.Subject.Page.After, func(ctx context.Context, after string) ([]api.ActivityRow, string, error) {
		q.Subject.Page = Page{After: after}
		s := r.subjects(scope, q.Subject)
		return r.activity(ctx, &s, q)
	})
}

// hours makes the rows of one report.
type hours struct {
	reader  *query.Reader
	periods []Period
	bounds  []time.Time
	now     time.Time
	rows    []api.ActivityRow
}

// machines adds the rows of a page of machines.
func (h *hours) machines(ctx context.Context, s *subjects) (next string, err error) {
	n := min(s.Page.Limit, machinesAtOnce, max(1, maxPageRows/max(1, len(h.periods))))
	list, err := h.reader.Spans(ctx, s.machines(n), h.bounds)
	if err != nil {
		return "", err
	}
	if len(list) > n {
		list = list[:n]
		next = list[n-1].MachineID
	}
	for _, m := range list {
		access.See(ctx, m.Key)
		for i, p := range h.periods {
			h.rows = append(h.rows, h.row(p, total{Sums: m.Spans[i], machines: 1, untracked: p.untracked(m.Spans[i], h.now)}))
			row := &h.rows[len(h.rows)-1]
			row.MachineID, row.UserLabel, row.Username, row.Hostname = m.MachineID, m.UserLabel, m.Username, m.Hostname
			row.Group = string(s.Group)
		}
	}
	return next, nil
}

// addUp adds the rows of a group, or of all machines, from the machines that f
// asks for.
func (h *hours) addUp(ctx context.Context, group string, f directory.MachineFilter) (int, error) {
	totals := make([]total, len(h.periods))
	var few handful
	for {
		list, err := h.reader.Spans(ctx, f, h.bounds)
		if err != nil {
			return 0, err
		}
		for _, m := range list {
			few.add(m.Key)
			for i, p := range h.periods {
				totals[i].add(m.Spans[i], p.untracked(m.Spans[i], h.now))
			}
		}
		if len(list) < f.Limit {
			break
		}
		f.After = list[len(list)-1].MachineID
	}
	few.see(ctx)
	for i, p := range h.periods {
		row := h.row(p, totals[i])
		row.Group = group
		h.rows = append(h.rows, row)
	}
	return len(h.periods), nil
}

// total is what some machines add up to in one period.
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

func (h *hours) row(p Period, t total) api.ActivityRow {
	return api.ActivityRow{
		Machines: t.machines, PeriodStart: p.First, PeriodEnd: p.Last,
		ActiveMinutes: minuteCount(t.ActiveSeconds), IdleMinutes: minuteCount(t.IdleSeconds), UntrackedMinutes: minuteCount(t.untracked),
		ActiveSeconds: millis(t.ActiveSeconds), IdleSeconds: millis(t.IdleSeconds), UntrackedSeconds: millis(t.untracked),
		FirstActivity: inUTC(t.First), LastActivity: inUTC(t.Last),
		Totals: t.Counts.Totals(), Events: t.Events,
	}
}
