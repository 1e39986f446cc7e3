package preview

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/category"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/query"
)

// Categories answers where the time of the last week on the machines in scope would count
// with other categories. No title is shown.
func (p *Previews) Categories(ctx context.Context, scope directory.Scope, draft []api.Category) (api.CategoryPreview, error) {
	present, err := p.directory.Categories(ctx)
	if err != nil {
		return api.CategoryPreview{}, err
	}
	s := shift{now: category.NewRules(present.Categories), then: category.NewRules(draft), focus: map[api.MovedUse]int64{}}
	s.base = len(draft) + 1
	w, err := p.walk(ctx, scope, query.Classes{Of: s.of, NeedsTitle: func(app string) bool { return s.now.NeedsTitle(app) || s.then.NeedsTitle(app) }}, s.page)
	if err != nil {
		return api.CategoryPreview{}, err
	}
	reply := api.CategoryPreview{From: w.from, To: w.to, Machines: w.machines, Cut: w.cut}
	reply.Categories, reply.Moved, reply.MovedLeftOff = s.rows()
	return reply, nil
}

// shift adds up by the category of now and of the draft.
type shift struct {
	now, then *category.Rules
	// base makes one class of two: now's times base, and then's.
	base  int
	focus map[api.MovedUse]int64 // by uses without their seconds
}

func (s *shift) of(app, title string) int {
	return (s.now.Of(app, title)-category.None)*s.base + s.then.Of(app, title) - category.None
}

func (s *shift) page(list []query.MachineUse) bool {
	for i := range list {
		for k := range list[i].Uses {
			u := &list[i].Uses[k]
			s.focus[api.MovedUse{
				App: u.App, Now: s.now.Name(u.Class/s.base + category.None), Then: s.then.Name(u.Class%s.base + category.None),
			}] += focus(u)
		}
	}
	return true
}

func (s *shift) rows() (categories []api.CategoryShift, moved []api.MovedUse, leftOff int64) {
	now, then := map[string]int64{}, map[string]int64{}
	moved = []api.MovedUse{}
	for u, ms := range s.focus {
		now[u.Now] += ms
		then[u.Then] += ms
		if u.FocusSeconds = seconds(ms); u.Now != u.Then {
			moved = append(moved, u)
		}
	}
	slices.SortFunc(moved, func(a, b api.MovedUse) int {
		return cmp.Or(cmp.Compare(b.FocusSeconds, a.FocusSeconds), cmp.Compare(a.App, b.App), cmp.Compare(a.Now, b.Now), cmp.Compare(a.Then, b.Then))
	})
	if leftOff = int64(len(moved) - maxRows); leftOff > 0 {
		moved = moved[:maxRows]
	}
	for name := range then {
		now[name] += 0
	}
	categories = []api.CategoryShift{}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		categories = append(categories, api.CategoryShift{Category: name, NowSeconds: seconds(now[name]), ThenSeconds: seconds(then[name])})
	}
	return categories, moved, max(0, leftOff)
}
