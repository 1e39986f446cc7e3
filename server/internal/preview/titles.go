package preview

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/query"
)

const (
	// maxTitles is how many different titles are looked at.
	maxTitles = 20_000
	// maxExamples is how many titles an application shows, each of so many bytes.
	maxExamples     = 5
	maxExampleBytes = 200
)

// What becomes of a title.
const (
	untitled = iota
	kept
	replaced
	dropped
	unknown // too many to look at
	fates
)

// use is a title of an application.
type use struct{ app, title string }

// Titles answers what a policy would do to the titles of the last week. It is for whoever
// may see everybody's.
func (p *Previews) Titles(ctx context.Context, d policy.Document) (api.TitlePreview, error) {
	filter, err := policy.NewFilter(d.TitleRules)
	if err != nil {
		return api.TitlePreview{}, err
	}
	j := judge{
		filter: filter, off: d.Titles != nil && !*d.Titles,
		known: map[use]int{}, fresh: map[use]int{}, apps: map[string]*app{}, most: maxTitles,
	}
	w, err := p.walk(ctx, directory.Scope{}, query.Classes{Of: j.of, NeedsTitle: func(string) bool { return true }}, j.page)
	if err != nil {
		return api.TitlePreview{}, err
	}
	reply := api.TitlePreview{From: w.from, To: w.to, Machines: w.machines, Cut: w.cut}
	reply.Apps, reply.AppsLeftOff = j.rows()
	return reply, nil
}

// judge finds what becomes of titles.
type judge struct {
	filter *policy.Filter
	off    bool // no title is recorded at all
	// known are the titles of the machines that were looked at, fresh those of the page
	// that is being read.
	known, fresh map[use]int
	apps         map[string]*app
	most         int
	full         bool
}

// app is what becomes of an application's titles.
type app struct {
	titles, focus [fates]int64
	examples      []api.TitleExample
}

// of returns what becomes of a title. It answers the same until the page's end, also where
// the page is read again.
func (j *judge) of(app, title string) int {
	if title == "" {
		return untitled
	}
	u := use{app, title}
	if fate, ok := j.known[u]; ok {
		return fate
	}
	if fate, ok := j.fresh[u]; ok {
		return fate
	}
	if len(j.known)+len(j.fresh) >= j.most {
		j.full = true
		return unknown
	}
	fate := kept
	switch left := j.left(app, title); left {
	case title:
	case "":
		fate = dropped
	default:
		fate = replaced
	}
	j.fresh[u] = fate
	return fate
}

// left is what is left of a title.
func (j *judge) left(app, title string) string {
	if j.off {
		return ""
	}
	return j.filter.Title(app, title)
}

// page adds a page of machines, and reports whether others can follow.
func (j *judge) page(list []query.MachineUse) bool {
	for i := range list {
		for k := range list[i].Uses {
			u := &list[i].Uses[k]
			j.app(u.App).focus[u.Class] += focus(u)
		}
	}
	for u, fate := range j.fresh {
		j.known[u] = fate
		a := j.app(u.app)
		a.titles[fate]++
		if fate != kept {
			a.examples = append(a.examples, api.TitleExample{Title: cut(u.title), With: j.left(u.app, u.title)})
			slices.SortFunc(a.examples, func(a, b api.TitleExample) int { return cmp.Compare(a.Title, b.Title) })
			a.examples = a.examples[:min(len(a.examples), maxExamples)]
		}
	}
	clear(j.fresh)
	return !j.full
}

// cut returns a title of a bearable length.
func cut(title string) string {
	if len(title) <= maxExampleBytes {
		return title
	}
	return strings.ToValidUTF8(title[:maxExampleBytes], "") + "…"
}

func (j *judge) app(name string) *app {
	a := j.apps[name]
	if a == nil {
		a = &app{}
		j.apps[name] = a
	}
	return a
}

// rows are the applications, those with most titles that would not be kept first.
func (j *judge) rows() (rows []api.TitlePreviewApp, leftOff int64) {
	names := slices.SortedFunc(maps.Keys(j.apps), func(a, b string) int {
		x, y := j.apps[a], j.apps[b]
		return cmp.Or(
			cmp.Compare(y.titles[replaced]+y.titles[dropped], x.titles[replaced]+x.titles[dropped]),
			cmp.Compare(y.titles[kept], x.titles[kept]), cmp.Compare(a, b),
		)
	})
	rows = []api.TitlePreviewApp{}
	for _, name := range names {
		a := j.apps[name]
		if a.titles == [fates]int64{} {
			continue // without a title there is nothing to do
		}
		if len(rows) == maxRows {
			leftOff++
			continue
		}
		rows = append(rows, api.TitlePreviewApp{
			App: name, Kept: a.share(kept), Replaced: a.share(replaced), Dropped: a.share(dropped), Examples: append([]api.TitleExample{}, a.examples...),
		})
	}
	return rows, leftOff
}

func (a *app) share(fate int) api.TitleShare {
	return api.TitleShare{Titles: a.titles[fate], FocusSeconds: seconds(a.focus[fate])}
}
