package ingest

import (
	"context"
	"net/http"
	"sync"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/text"
)

// renameTimeout bounds changing a name: the reply that reports what is stored waits
// for it.
const renameTimeout = 2 * time.Second

// maxNames bounds how many hosts' names are remembered; with more all are forgotten,
// which costs each host one question to the database.
const maxNames = 100_000

// names are what hosts last called themselves.
type names struct {
	mu     sync.Mutex
	byHost map[int64]string
}

func newNames() *names { return &names{byHost: make(map[int64]string)} }

// changed reports whether a host called itself otherwise the last time, or was not
// heard yet.
func (n *names) changed(host int64, name string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.byHost[host] != name
}

func (n *names) note(host int64, name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.byHost) >= maxNames {
		clear(n.byHost)
	}
	n.byHost[host] = name
}

// rename has a host shown by the name that it has now. Events are stored whether or
// not that works: the next request sends the name again.
func (in *Ingest) rename(r *http.Request, host directory.Host) {
	name := r.Header.Get(api.HostnameHeader)
	if name == "" || len(name) > api.MaxHostnameBytes || !text.Visible(name) || !in.names.changed(host.Key, name) {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), renameTimeout)
	defer cancel()
	if err := in.directory.RenameHost(ctx, host.Key, name); err != nil {
		in.log.Warn("a host's name could not be changed", "host_id", host.HostID, "error", err)
		return
	}
	in.names.note(host.Key, name)
}
