package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/httpserver"
	"activity-tracker.example/server/internal/live"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/text"
)

const (
	// heartbeat keeps proxies, which give up after a minute of silence, and
	// shows when the reader has gone.
	heartbeat = 15 * time.Second
	// liveWrite bounds sending one event to a reader.
	liveWrite = 30 * time.Second
	// liveBatch is how many machines one event holds, some 100 KB.
	liveBatch = 500
	// liveFirst is how long a stream waits for what it begins with: the machines are
	// read every 5 s.
	liveFirst = 6 * time.Second
	// liveRetry is how long a reader whose stream ended should wait, in
	// milliseconds: all of them come back when a server restarts.
	liveRetry = 5000
)

// live streams what machines do as server-sent events. Each stream begins with a
// snapshot, so a reader that comes back needs nothing of what it missed, and there
// are no ids.
func (s *server) live(w http.ResponseWriter, r *http.Request) {
	st := &stream{server: s, caller: auth.Caller(r.Context())}
	if err := st.look(r.Context()); err != nil {
		problem.Write(w, r, asProblem(err))
		return
	}
	if err := st.watch(); err != nil {
		problem.Write(w, r, asProblem(err))
		return
	}
	defer func() { s.Live.Leave(st.watcher) }()
	err := st.begin(r.Context())
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	if st.pieces, err = httpserver.InPieces(w, liveWrite); err != nil {
		problem.Write(w, r, err)
		return
	}
	defer st.pieces.End()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	// nginx holds replies back unless this header forbids it.
	h.Set("X-Accel-Buffering", "no")
	if err := st.send(fmt.Appendf(nil, "retry: %d\n\n", liveRetry)); err != nil {
		return
	}
	// What ends a stream, mostly a reader that went away, is nobody's error.
	_ = st.run(r.Context())
}

// stream is one reader of what machines do.
type stream struct {
	*server
	pieces  *httpserver.Pieces
	caller  auth.Principal
	watcher *live.Watcher
	// visible are the machines that the caller may see, where it is limited.
	visible map[int32]struct{}
	// first is what the stream begins with, if that has come already.
	first *live.Message
}

// begin waits a moment for what the stream begins with, so that it is refused where it
// can't be written who looks. A database that is slow holds no stream up.
func (st *stream) begin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, liveFirst)
	defer cancel()
	select {
	case m, open := <-st.watcher.Messages:
		if !open {
			return asProblem(live.ErrStopped)
		}
		st.first = &m
		return st.keep(ctx, st.seen(m))
	case <-st.Stopping:
	case <-ctx.Done():
	}
	return nil
}

// keep writes down that the caller is shown these machines.
func (st *stream) keep(ctx context.Context, machines []*live.Item) error {
	ctx, look := looked.Begin(ctx, st.Access, looked.At{What: api.LookedLive})
	look.Several()
	for _, item := range machines {
		access.See(ctx, item.Key)
	}
	return look.Keep(ctx)
}

// look reads what the caller may see.
func (st *stream) look(ctx context.Context) error {
	scope := st.caller.Scope
	if !scope.Limited() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	keys, err := st.Reports.MachineKeys(ctx, scope)
	if err == nil {
		st.visible = keys
	}
	return err
}

func (st *stream) watch() error {
	watcher, err := st.Live.Watch(st.caller.ID)
	st.watcher = watcher
	return err
}

func (st *stream) run(ctx context.Context) error {
	beat, again := time.NewTicker(heartbeat), time.NewTicker(st.Live.Recheck())
	defer beat.Stop()
	defer again.Stop()
	if st.first != nil {
		if err := st.sendItems(ctx, *st.first); err != nil {
			return err
		}
	}
	for {
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-st.Stopping:
			return nil
		case m, open := <-st.watcher.Messages:
			if !open {
				return nil
			}
			err = st.sendItems(ctx, m)
		case <-beat.C:
			err = st.send([]byte(":\n\n"))
		case <-again.C:
			err = st.recheck(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// recheck ends the stream of a caller who may no longer call, and begins it anew
// where the caller sees other machines than before.
func (st *stream) recheck(ctx context.Context) error {
	caller, err := st.Guard.Again(ctx, st.caller)
	if err == nil {
		before := st.visible
		st.caller = caller
		if err = st.look(ctx); err == nil && !maps.Equal(before, st.visible) {
			st.Live.Leave(st.watcher)
			return st.watch()
		}
	}
	if errors.Is(err, db.ErrUnavailable) {
		// Nothing new is sent meanwhile.
		return nil
	}
	return err
}

// seen returns what the reader may see of a message.
func (st *stream) seen(m live.Message) []*live.Item {
	// The items are everybody's: a slow reader of a snapshot holds no copy of it.
	machines := make([]*live.Item, 0, len(m.Items))
	for _, item := range m.Items {
		if _, seen := st.visible[item.Key]; seen || !st.caller.Scope.Limited() {
			machines = append(machines, item)
		}
	}
	return machines
}

// sendItems sends what the reader may see of a message, when it is written down.
func (st *stream) sendItems(ctx context.Context, m live.Message) error {
	machines := st.seen(m)
	if err := st.keep(ctx, machines); err != nil {
		return err
	}
	name := "change"
	if m.Snapshot {
		name = "snapshot"
	} else if len(machines) == 0 {
		return nil
	}
	slices.SortFunc(machines, func(x, y *live.Item) int { return strings.Compare(x.Machine.MachineID, y.Machine.MachineID) })
	for first := true; first || len(machines) > 0; first = false {
		n := min(len(machines), liveBatch)
		part := api.LiveMachines{Machines: make([]api.LiveMachine, n), More: m.Snapshot && n < len(machines)}
		for i := range n {
			part.Machines[i] = machines[i].Machine
		}
		data, err := json.Marshal(part)
		if err != nil {
			return fmt.Errorf("writing an event: %w", err)
		}
		if err := st.send(slices.Concat([]byte("event: "+name+"\ndata: "), text.EscapedJSON(data), []byte("\n\n"))); err != nil {
			return err
		}
		machines = machines[n:]
	}
	return nil
}

// send sends text at once, within its own time.
func (st *stream) send(text []byte) error {
	_, err := st.pieces.Send(text)
	return err
}
