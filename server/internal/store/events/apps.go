package events

import (
	"activity-tracker.example/server/internal/store/dictionary"
)

// newApps returns the uses of missing applications, of each host as many as it may
// name.
func newApps(batches []Batch, rows []row, missing map[string]struct{}) (list dictionary.AppUses) {
	type use struct {
		host int64
		name string
	}
	seen, named := map[use]struct{}{}, map[int64]int{}
	note := func(host int64, name string) {
		if _, ok := missing[name]; !ok || named[host] == dictionary.MaxHostApps {
			return
		}
		u := use{host, name}
		if _, ok := seen[u]; ok {
			return
		}
		seen[u] = struct{}{}
		named[host]++
		list.Names, list.Hosts = append(list.Names, name), append(list.Hosts, host)
	}
	for i := range rows {
		host, e := batches[rows[i].batch].Host, rows[i].event
		note(host, e.ActiveApp)
		for j := range e.Focus {
			note(host, e.Focus[j].App)
		}
	}
	return list
}
