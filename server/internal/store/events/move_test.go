package events_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/dictionary"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/storetest"
)

// moving is two hosts and two servers, of which each remembers whose the machine is.
type moving struct {
	url      string
	servers  [2]*storetest.Store
	from, to int64
	now      time.Time
}

func newMoving(t *testing.T) *moving {
	t.Helper()
	m := &moving{url: storetest.NewDatabase(t), now: time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)}
	for i := range m.servers {
		m.servers[i] = storetest.OpenAt(t, m.url, partition.Retention{}, m.now)
	}
	m.from = storetest.Ask[int64](t, m.url, "INSERT INTO host (host_id, hostname, enrollment) VALUES ('old', '', '') RETURNING id")
	m.to = storetest.Ask[int64](t, m.url, "INSERT INTO host (host_id, hostname, enrollment) VALUES ('new', '', '') RETURNING id")
	return m
}

// write stores an event of each of some minutes and returns what became of them.
func (m *moving) write(t *testing.T, server int, host int64, minutes ...int) storetest.Written {
	t.Helper()
	var events []api.Event
	for _, minute := range minutes {
		events = append(events, api.Event{MachineID: "m", Timestamp: m.now.Add(time.Duration(minute) * time.Minute), KeyCount: 1})
	}
	w, err := m.servers[server].WriteEvents(t.Context(), storetest.Batch{Host: host, Events: events})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// A machine that was moved is the new host's on every server at once, and no longer
// the old one's, whether rows come after all others or among them.
func TestMove(t *testing.T) {
	m := newMoving(t)
	for server := range m.servers {
		if w := m.write(t, server, m.from, 10*server); w.Accepted != 1 {
			t.Fatalf("%+v", w)
		}
		if w := m.write(t, server, m.to, 10*server+1); len(w.Foreign) != 1 {
			t.Fatalf("%+v", w)
		}
	}
	moved, err := m.servers[0].Dictionary.Move(t.Context(), []string{"m"}, "new")
	if err != nil || len(moved) != 1 || moved[0] != (dictionary.Moved{MachineID: "m", From: "old", To: "new"}) {
		t.Fatalf("%+v, %v", moved, err)
	}
	for server := range m.servers {
		if w := m.write(t, server, m.from, 100+server, 5); w.Accepted != 0 || len(w.Foreign) != 2 {
			t.Errorf("server %d stored the old host's events: %+v", server, w)
		}
		if w := m.write(t, server, m.to, 200+10*server); w.Accepted != 1 {
			t.Errorf("server %d, after all others: %+v", server, w)
		}
		if w := m.write(t, server, m.to, 6+server); w.Accepted != 1 {
			t.Errorf("server %d, among others: %+v", server, w)
		}
	}
	storetest.Exact(t, m.servers[1], 6)
	again, err := m.servers[1].Dictionary.Move(t.Context(), []string{"m"}, "new")
	if err != nil || len(again) != 1 || again[0].From != "new" {
		t.Errorf("%+v, %v", again, err)
	}
}

// While the old host goes on writing, nothing of it is stored from the moment on that
// the machine is moved.
func TestMoveWhileWriting(t *testing.T) {
	m := newMoving(t)
	m.write(t, 0, m.from, 0)
	var writers sync.WaitGroup
	stop := make(chan struct{})
	for server := range m.servers {
		writers.Go(func() {
			for i := 1; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				m.write(t, server, m.from, 2*i+server)
			}
		})
	}
	if _, err := m.servers[0].Dictionary.Move(t.Context(), []string{"m"}, "new"); err != nil {
		t.Fatal(err)
	}
	const count = "SELECT count(*) FROM event"
	at := storetest.Ask[int64](t, m.url, count)
	for server := range m.servers {
		for i := range 20 {
			if w := m.write(t, server, m.from, 100_000+i); len(w.Foreign) != 1 {
				t.Errorf("%+v", w)
			}
		}
	}
	close(stop)
	writers.Wait()
	if after := storetest.Ask[int64](t, m.url, count); after != at {
		t.Errorf("%d events of the old host were stored after the move", after-at)
	}
}

// What can't be moved moves nothing.
func TestMoveRefuses(t *testing.T) {
	m := newMoving(t)
	m.write(t, 0, m.from, 0)
	d := m.servers[0].Dictionary
	for _, test := range []struct {
		machines []string
		host     string
		want     dictionary.UnknownError
	}{
		{[]string{"m"}, "none", dictionary.UnknownError{What: "host", ID: "none"}},
		{[]string{"m", "none"}, "new", dictionary.UnknownError{What: "machine", ID: "none"}},
	} {
		var unknown dictionary.UnknownError
		if _, err := d.Move(t.Context(), test.machines, test.host); !errors.As(err, &unknown) || unknown != test.want {
			t.Errorf("%v to %s: %v", test.machines, test.host, err)
		}
	}
	storetest.Ask[int64](t, m.url, `WITH p AS (INSERT INTO host (host_id, hostname, enrollment, kind) VALUES ('person', '', '', 'user') RETURNING id),
		m AS (INSERT INTO machine (machine_id, host, first_seen, last_seen, last_ts, last_interval, last_idle)
			SELECT 'own' || i, p.id, now(), now(), now(), 60, false FROM p, generate_series(1, 3) i RETURNING id) SELECT count(*) FROM m`)
	if _, err := d.Move(t.Context(), []string{"m"}, "person"); !errors.Is(err, dictionary.ErrNoRoom) {
		t.Errorf("to a host without room: %v", err)
	}
	if w := m.write(t, 0, m.from, 1); w.Accepted != 1 {
		t.Errorf("%+v", w)
	}
}
