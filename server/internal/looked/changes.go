package looked

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/directory"
)

// Changes returns a page of who changed what, the newest first.
func (l *List) Changes(ctx context.Context, _ directory.Scope, p Page) (api.ChangeList, error) {
	p.Limit = cmp.Or(p.Limit, pageDefault)
	list := api.ChangeList{Changes: []api.Change{}}
	entries, err := l.changes.List(ctx, p.before, p.Limit+1)
	if err != nil {
		return list, err
	}
	if len(entries) > p.Limit {
		entries = entries[:p.Limit]
		list.NextCursor = cursorAfter(entries[p.Limit-1].Seq)
	}
	for i := range entries {
		list.Changes = append(list.Changes, ToldChange(&entries[i]))
	}
	return list, nil
}

// EachChange returns all of them from the page's beginning on. The first error ends it.
func (l *List) EachChange(ctx context.Context, _ directory.Scope, p Page) iter.Seq2[api.Change, error] {
	return pages(ctx, p.before, func(ctx context.Context, before int64) ([]audit.Entry, error) {
		return l.changes.List(ctx, before, pageMax)
	}, func(e *audit.Entry) (int64, api.Change) { return e.Seq, ToldChange(e) })
}

// ToldChange returns a change as the API and commands show one.
func ToldChange(e *audit.Entry) api.Change {
	c := api.Change{
		Seq: e.Seq, At: e.At.UTC(), What: e.What, ActorKind: e.ActorKind, ActorID: e.ActorID, ActorName: e.ActorName,
		SubjectID: e.SubjectID, Subject: e.Subject, Details: map[string]string{},
	}
	for _, text := range []*string{e.ActorName, e.Subject, e.Details} {
		if text == nil {
			c.Erased++
		}
	}
	if e.Details != nil && *e.Details != "" {
		if err := json.Unmarshal([]byte(*e.Details), &c.Details); err != nil {
			// Somebody has changed it, as verify reports.
			c.Details["unreadable"] = fmt.Sprint(err)
		}
	}
	return c
}
