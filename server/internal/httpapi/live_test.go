package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
)

// events is a stream of GET /api/live.
type eventStream struct {
	t     *testing.T
	lines *bufio.Scanner
	// seen is what the stream sent so far.
	seen map[string]api.MachineStatus
}

func watch(t *testing.T, b *servertest.Bench, token string) *eventStream {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.URL+"/api/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := b.HTTP.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	if res.StatusCode != http.StatusOK || res.Header.Get("X-Accel-Buffering") != "no" {
		t.Fatal(res.Status, res.Header)
	}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	return &eventStream{t: t, lines: lines, seen: map[string]api.MachineStatus{}}
}

// next reads an event; false at the stream's end.
func (e *eventStream) next() bool {
	e.t.Helper()
	name := ""
	for e.lines.Scan() {
		field, value, _ := strings.Cut(e.lines.Text(), ": ")
		switch field {
		case "event":
			name = value
		case "data":
			var data api.LiveMachines
			if err := json.Unmarshal([]byte(value), &data); err != nil {
				e.t.Fatal(err, value)
			}
			if name == "snapshot" {
				clear(e.seen)
			}
			for _, m := range data.Machines {
				e.seen[m.MachineID] = m.Status
			}
			return true
		}
	}
	return false
}

// wants reads until the stream has sent that.
func (e *eventStream) wants(want map[string]api.MachineStatus) {
	e.t.Helper()
	for !maps.Equal(e.seen, want) {
		if !e.next() {
			e.t.Fatalf("the stream ended (%v) with %v, want %v", e.lines.Err(), e.seen, want)
		}
	}
}

func TestLive(t *testing.T) {
	databaseURL := servertest.NewDatabase(t)
	b, other := servertest.New(t, databaseURL), servertest.New(t, databaseURL)
	host, viewer := b.Host("h"), b.Token(directory.RoleViewer)
	now := time.Now().UTC().Truncate(time.Second)
	event := func(machine string, ago time.Duration, idle bool, connected *bool) api.Event {
		return api.Event{MachineID: machine, Timestamp: now.Add(-ago), IsIdle: idle, Connected: connected}
	}
	type statuses = map[string]api.MachineStatus
	empty := watch(t, b, viewer)
	if !empty.next() || len(empty.seen) != 0 {
		t.Errorf("%v", empty.seen)
	}
	b.Send(host, event("a", time.Minute, false, nil), event("i", time.Minute, true, ptr(true)), event("d", time.Minute, true, ptr(false)), event("o", time.Hour, false, ptr(false)))
	want := statuses{"a": "active", "i": "idle", "d": "disconnected", "o": "offline"}
	empty.wants(want)
	// Who comes later begins with what is; another server sends the same.
	streams := []*eventStream{empty, watch(t, b, viewer), watch(t, other, viewer)}
	b.Send(host, event("a", 0, true, nil), event("d", 0, false, ptr(true)), event("o", 2*time.Hour, false, ptr(true)))
	want["a"], want["d"] = "idle", "active"
	for _, s := range streams {
		s.wants(want)
	}
	// A screen that is locked, of a machine that is known and of one that is new.
	locked := func(machine string) api.Event {
		e := event(machine, -time.Second, true, ptr(true))
		e.Locked = ptr(true)
		return e
	}
	b.Send(host, locked("d"), locked("l"))
	want["d"], want["l"] = "locked", "locked"
	streams[1].wants(want)
	b.Send(host, event("d", -2*time.Second, true, ptr(true)), event("l", -2*time.Second, false, ptr(true)))
	want["d"], want["l"] = "idle", "active"
	streams[1].wants(want)
	// The status of MACHINE stays as it is in the contract.
	b.Send(host, event("i", -time.Second, true, ptr(false)))
	want["i"] = "disconnected"
	streams[1].wants(want)
	var m api.Machine
	b.Do(http.MethodGet, "/api/machines/i", viewer, nil).Wants(200, &m)
	if m.Status != api.MachineIdle {
		t.Errorf("%+v", m)
	}
	// Silence makes a machine offline without anything being stored.
	b.Clock.Ahead.Store(int64(20 * time.Minute))
	streams[1].wants(statuses{"a": "offline", "i": "offline", "d": "offline", "l": "offline", "o": "offline"})
	// A server that stops ends its streams at once; the other's go on.
	b.StopLive()
	for streams[1].next() {
	}
	b.Do(http.MethodGet, "/api/live", viewer, nil).Refused(503, api.CodeUnavailable)
}

func TestLiveScope(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	host := b.Host("h")
	now := time.Now().UTC().Truncate(time.Second)
	b.Send(host, api.Event{MachineID: "in", Timestamp: now}, api.Event{MachineID: "out", Timestamp: now})
	b.Group("mine", "in")
	stream := watch(t, b, b.Limited("mine"))
	type statuses = map[string]api.MachineStatus
	if !stream.next() || !maps.Equal(stream.seen, statuses{"in": "active"}) {
		t.Fatal(stream.seen)
	}
	// Changes of others are not even hinted at; those of the group come.
	b.Send(host, api.Event{MachineID: "out", Timestamp: now.Add(time.Second), IsIdle: true})
	b.Send(host, api.Event{MachineID: "in", Timestamp: now.Add(time.Second), IsIdle: true})
	if !stream.next() || !maps.Equal(stream.seen, statuses{"in": "idle"}) {
		t.Fatal(stream.seen)
	}
	if err := b.Store.AddMember(t.Context(), "mine", "out"); err != nil {
		t.Fatal(err)
	}
	stream.wants(statuses{"in": "idle", "out": "idle"})
	if err := b.Store.RemoveGroup(t.Context(), "mine"); err != nil {
		t.Fatal(err)
	}
	stream.wants(statuses{})
	tokens, err := b.Store.Tokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range tokens {
		if err := b.Store.RemoveToken(t.Context(), token.ID); err != nil {
			t.Fatal(err)
		}
	}
	for stream.next() {
		t.Error("a revoked token's stream goes on")
	}
}

// A database that was replaced while somebody watches is sent whole, by and by:
// machines that are not in it are gone.
func TestLiveOfAReplacedDatabase(t *testing.T) {
	databaseURL := servertest.NewDatabase(t)
	b := servertest.New(t, databaseURL)
	now := time.Now().UTC().Truncate(time.Second)
	b.Send(b.Host("h"), api.Event{MachineID: "gone", Timestamp: now}, api.Event{MachineID: "other", Timestamp: now})
	stream := watch(t, b, b.Token(directory.RoleViewer))
	stream.wants(map[string]api.MachineStatus{"gone": "active", "other": "active"})
	conn, err := pgx.Connect(t.Context(), databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), "DELETE FROM machine WHERE machine_id = 'gone'"); err != nil {
		t.Fatal(err)
	}
	// Its row is another machine's now.
	if _, err := conn.Exec(t.Context(), "UPDATE machine SET machine_id = 'new' WHERE machine_id = 'other'"); err != nil {
		t.Fatal(err)
	}
	b.Clock.Ahead.Store(int64(20 * time.Minute))
	stream.wants(map[string]api.MachineStatus{"new": "offline"})
}

func TestLiveStreamsAreBounded(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	viewer := b.Token(directory.RoleViewer)
	for range 50 {
		watch(t, b, viewer)
	}
	r := b.Do(http.MethodGet, "/api/live", viewer, nil)
	r.Refused(429, api.CodeRateLimited)
	if r.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	stream := watch(t, b, b.Token(directory.RoleViewer))
	stream.wants(map[string]api.MachineStatus{})
	body := string(b.Do(http.MethodGet, "/metrics", "", nil).Body)
	if !strings.Contains(body, fmt.Sprintf("trackerd_server_live_streams %d", 51)) {
		t.Error("the metrics count other streams")
	}
}
