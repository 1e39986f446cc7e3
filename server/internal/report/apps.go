package report

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/category"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/query"
)

// AppsBy is what the rows of a report of applications tell apart.
type AppsBy string

// What they may tell apart.
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
// on all machines.
func (r *Reports) Apps(ctx context.Context, scope directory.Scope, q AppsQuestion) (api.AppsReport, error) {
	q.By = cmp.Or(q.By, ByApp)
	s := r.subjects(scope, q.Subject)
	reply := api.AppsReport{
		From: q.Days.From.Format(dateForm), To: q.Days.To.Format(dateForm), TZ: q.Days.Zone.String(), By: string(q.By), Per: string(s.Per),
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
	u := uses{reader: r.reader, days: q.Days, rules: rules, byApp: q.By != ByCategory, rows: []api.AppRow{}}
	if s.Per == PerMachine {
		next, err = u.machines(ctx, s)
	} else {
		next, err = s.addUp(ctx, func(group string, f directory.MachineFilter) (int, error) { return u.addUp(ctx, group, f) })
	}
	return u.rows, next, tooLong(err)
}

// EachApp returns all rows of a report as EachActivity does.
func (r *Reports) EachApp(ctx context.Context, scope directory.Scope, q AppsQuestion) iter.Seq2[api.AppRow, error] {
	return pages(ctx, ReportTimeout, q.Subject.Page.After, func(ctx context.Context, after string) ([]api.AppRow, string, error) {
		q.Subject.Page = Page{After: after}
		s := r.subjects(scope, q.Subject)
		return r.apps(ctx, &s, q)
	})
}

// uses makes the rows of one report.
type uses struct {
	reader *query.Reader
	days   Range
	rules  *category.Rules
	byApp  bool
	rows   []api.AppRow
}

// machines adds the rows of a page of machines.
func (u *uses) machines(ctx context.Context, s *subjects) (next string, err error) {
	n := min(s.Page.Limit, machinesAtOnce)
	list, more, err := u.reader.AppUse(ctx, s.machines(n), u.days.Start, u.days.End, classes(u.rules))
	if err != nil {
		return "", err
	}
	for i, m := range list {
		if i == n || len(u.rows) >= maxPageRows {
			return list[i-1].MachineID, nil
		}
		sum := useSum{}
		sum.add(m.Uses, u.byApp)
		u.add(sum, api.AppRow{
			MachineID: m.MachineID, UserLabel: m.UserLabel, Username: m.Username, Hostname: m.Hostname, Group: string(s.Group), Machines: 1,
		})
	}
	if more {
		return list[len(list)-1].MachineID, nil
	}
	return "", nil
}

// addUp adds the rows of a group, or of all machines, from the machines that f
// asks for.
func (u *uses) addUp(ctx context.Context, group string, f directory.MachineFilter) (int, error) {
	sum, machines := useSum{}, int64(0)
	for {
		list, more, err := u.reader.AppUse(ctx, f, u.days.Start, u.days.End, classes(u.rules))
		if err != nil {
			return 0, err
		}
		for _, m := range list {
			sum.add(m.Uses, u.byApp)
			machines++
		}
		if !more && len(list) < f.Limit {
			break
		}
		f.After = list[len(list)-1].MachineID
	}
	before := len(u.rows)
	u.add(sum, api.AppRow{Group: group, Machines: machines})
	return len(u.rows) - before, nil
}

// useKey is what one row tells of; the application is empty in a report by
// category.
type useKey struct {
	app      string
	category int
}

// useSum adds up uses in milliseconds.
type useSum map[useKey]int64

func (s useSum) add(list []query.Use, byApp bool) {
	for _, use := range list {
		k := useKey{category: use.Class}
		if byApp {
			k.app = use.App
		}
		s[k] += use.MS
	}
}

// add adds rows like the given one, longest first.
func (u *uses) add(sum useSum, like api.AppRow) {
	order := func(a, b useKey) int {
		return cmp.Or(cmp.Compare(sum[b], sum[a]), cmp.Compare(a.app, b.app), cmp.Compare(a.category, b.category))
	}
	keys := make([]useKey, 0, len(sum))
	for k := range sum {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, order)
	if len(keys) > maxApps {
		for _, k := range keys[maxApps:] {
			if k.app == "" {
				continue
			}
			sum[useKey{category: k.category}] += sum[k]
			delete(sum, k)
		}
		keys = keys[:0]
		for k := range sum {
			keys = append(keys, k)
		}
		slices.SortFunc(keys, order)
	}
	for _, k := range keys {
		row := like
		row.App, row.Category, row.Rating = k.app, u.rules.Name(k.category), u.rules.Rating(k.category)
		seconds := float64(sum[k]) / 1000
		row.Minutes, row.Seconds = minutes(seconds), millis(seconds)
		u.rows = append(u.rows, row)
	}
}
