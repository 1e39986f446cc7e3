package report

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/category"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/query"
)

// AppsBy is what the rows of a report of applications distinguish.
type AppsBy string

// What they may distinguish.
const (
	ByApp      AppsBy = "app"
	ByCategory AppsBy = "category"
)

// maxApps bounds the rows of one machine or group that name an application: a host
// may report any names. The rest is joined.
const maxApps = 1000

// AppsQuestion asks for a report of applications.
type AppsQuestion struct {
	Days    Range
	By      AppsBy
	Subject Subject
}

// Apps adds up for how long applications had the focus on machines, in groups or
// on all machines, with somebody there and without.
func (r *Reports) Apps(ctx context.Context, scope directory.Scope, q AppsQuestion) (api.AppsReport, error) {
	q.By = cmp.Or(q.By, ByApp)
	s := r.subjects(scope, q.Subject)
	reply := api.AppsReport{
		From: q.Days.First(), To: q.Days.Last(), TZ: q.Days.Zone.String(), By: string(q.By), Per: string(s.Per),
	}
	rows, next, err := r.apps(ctx, &s, q)
	reply.Rows, reply.NextCursor = rows, s.cursor(next)
	return reply, err
}

// apps returns the rows of a page, and after which machine or group the next begins,
// if any.
func (r *Reports) apps(ctx context.Context, s *subjects, q AppsQuestion) (rows []api.AppRow, next string, err error) {
	rules, err := r.rules(ctx)
	if err != nil {
		return nil, "", err
	}
	u := uses{reports: r, days: q.Days, rules: rules, byApp: q.By != ByCategory, rows: []api.AppRow{}}
	switch s.Per {
	case PerMachine:
		next, err = u.machines(ctx, s)
	case PerPerson:
		next, err = u.people(ctx, s)
	default:
		next, err = s.addUp(ctx, func(group string, f directory.MachineFilter) (int, error) { return u.addUp(ctx, group, f) })
	}
	return u.rows, next, TooLong(err)
}

// EachApp returns all rows of a report as EachActivity does.
func (r *Reports) EachApp(ctx context.Context, scope directory.Scope, q AppsQuestion) iter.Seq2[api.AppRow, error] {
	return Pages(ctx, ReportTimeout, q.Subject.Page.After, func(ctx context.Context, after string) ([]api.AppRow, string, error) {
		q.Subject.Page = Page{After: after}
		s := r.subjects(scope, q.Subject)
		return r.apps(ctx, &s, q)
	})
}

// uses makes the rows of one report.
type uses struct {
	reports *Reports
	days    Range
	rules   *category.Rules
	byApp   bool
	rows    []api.AppRow
}

// machines adds the rows of a page of machines.
func (u *uses) machines(ctx context.Context, s *subjects) (next string, err error) {
	n := min(s.Page.Limit, machinesAtOnce)
	list, more, err := u.reports.reader.AppUse(ctx, s.machines(n), u.days.Start, u.days.End, classes(u.rules))
	if err != nil {
		return "", err
	}
	for i, m := range list {
		if i == n || len(u.rows) >= maxPageRows {
			return list[i-1].MachineID, nil
		}
		access.See(ctx, m.Key)
		sum := useSum{}
		sum.add(m.Uses, u.byApp)
		u.add(sum, api.AppRow{
			MachineID: m.MachineID, UserLabel: m.UserLabel, Username: m.Username, Hostname: m.Hostname, Group: string(s.Group), Machines: 1,
			Estimated: m.Estimated,
		})
	}
	if more {
		return list[len(list)-1].MachineID, nil
	}
	return "", nil
}

// people adds the rows of a page of people.
func (u *uses) people(ctx context.Context, s *subjects) (next string, err error) {
	list, more, err := u.reports.reader.PeopleAppUse(ctx, s.people(min(s.Page.Limit, machinesAtOnce)), u.days.Start, u.days.End, classes(u.rules))
	if err != nil {
		return "", err
	}
	for i := range list {
		p := &list[i]
		access.See(ctx, p.Keys()...)
		sum := useSum{}
		sum.add(p.Uses, u.byApp)
		u.add(sum, api.AppRow{
			Group: string(s.Group), Machines: int64(len(p.Accounts)), Estimated: p.Estimated,
			Person: PersonID(p.ID).String(), PersonLabel: p.Label, Partial: p.Partial,
		})
		if next = placeOf(p.ID); len(u.rows) >= maxPageRows && i < len(list)-1 {
			return next, nil
		}
	}
	if !more {
		return "", nil
	}
	return next, nil
}

// addUp adds the rows of a group, or of all machines, from the machines that f
// asks for.
func (u *uses) addUp(ctx context.Context, group string, f directory.MachineFilter) (int, error) {
	sum, row := useSum{}, api.AppRow{Group: group}
	var keys []int32
	for {
		list, more, err := u.reports.reader.AppUse(ctx, f, u.days.Start, u.days.End, classes(u.rules))
		if err != nil {
			return 0, err
		}
		for _, m := range list {
			keys = append(keys, m.Key)
			sum.add(m.Uses, u.byApp)
			row.Machines++
			row.Estimated = row.Estimated || m.Estimated
		}
		if !more && len(list) < f.Limit {
			break
		}
		f.After = list[len(list)-1].MachineID
	}
	if err := u.reports.people.SeeFew(ctx, keys); err != nil {
		return 0, err
	}
	before := len(u.rows)
	u.add(sum, row)
	return len(u.rows) - before, nil
}

// useKey is what one row is about; the application is empty in a report by
// category.
type useKey struct {
	app      string
	category int
}

// useTime is a time in milliseconds: with somebody there, and only open.
type useTime struct{ active, open int64 }

func (t useTime) plus(o useTime) useTime { return useTime{t.active + o.active, t.open + o.open} }

// useSum adds up uses.
type useSum map[useKey]useTime

func (s useSum) add(list []query.Use, byApp bool) {
	for _, use := range list {
		k := useKey{category: use.Class}
		if byApp {
			k.app = use.App
		}
		s[k] = s[k].plus(useTime{use.Active, use.Open})
	}
}

// longest lists the keys, longest first.
func (s useSum) longest() []useKey {
	return slices.SortedFunc(maps.Keys(s), func(a, b useKey) int {
		return cmp.Or(cmp.Compare(s[b].active, s[a].active), cmp.Compare(s[b].open, s[a].open),
			cmp.Compare(a.app, b.app), cmp.Compare(a.category, b.category))
	})
}

// joinShortest joins what is too much, each category for itself.
func (s useSum) joinShortest() {
	if len(s) <= maxApps {
		return
	}
	for _, k := range s.longest()[maxApps:] {
		if k.app == "" {
			continue
		}
		joined := useKey{category: k.category}
		s[joined] = s[joined].plus(s[k])
		delete(s, k)
	}
}

// add adds rows like the given one, longest first.
func (u *uses) add(sum useSum, like api.AppRow) {
	sum.joinShortest()
	for _, k := range sum.longest() {
		row, of := like, sum[k]
		row.App, row.Category, row.Rating = k.app, u.rules.Name(k.category), u.rules.Rating(k.category)
		row.Seconds, row.OpenSeconds = float64(of.active)/1000, float64(of.open)/1000
		row.Minutes, row.OpenMinutes = MinuteCount(row.Seconds), MinuteCount(row.OpenSeconds)
		u.rows = append(u.rows, row)
	}
}
