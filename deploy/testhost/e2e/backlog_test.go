package e2e

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/hostd/buffer"
	"activity-tracker.example/server/api"
	"activity-tracker.example/testhost/debian"
)

const (
	// pastPeople had a record of every minute until the buffer was full.
	pastPeople = 40
	// drainTimeout is for a million events on a busy machine.
	drainTimeout = 10 * time.Minute
)

// TestSlowFullBuffer: a host that was cut off until its buffer was full goes on
// measuring. The oldest records make room and are counted; all the others arrive.
func TestSlowFullBuffer(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	h := bareHost(t, debian.Bookworm, srv)
	defer h.showLogOnFailure(t)
	h.install(t, debPath)
	h.configure(t, config)
	first := time.Now().UTC().Truncate(time.Minute).Add(-buffer.DefaultMaxEvents / pastPeople * time.Minute)
	h.run(t, "systemctl", "stop", "trackerd")
	if err := h.CopyIn(t.Context(), fullBuffer(t, first), stateDir+"/buffer.db"); err != nil {
		t.Fatal(err)
	}
	h.run(t, "systemctl", "start", "trackerd")
	p := h.login(t, "alice")
	p.mustWork(t, 60, 2, 2, 2)
	eventually(t, 60*time.Second, "the oldest make room", func() error {
		if n := h.dropped(t); n < 2 {
			return fmt.Errorf("%d were dropped", n)
		}
		return nil
	})
	if n := h.waiting(t); n != buffer.DefaultMaxEvents {
		t.Errorf("%d events wait, want as many as there may", n)
	}
	began := time.Now()
	h.enroll(t)
	eventually(t, drainTimeout, "the buffer is empty", func() error {
		if n := h.waiting(t); n > 1 {
			return fmt.Errorf("%d events wait", n)
		}
		return nil
	})
	t.Logf("sent after %s", time.Since(began).Round(time.Second))
	p.mustWork(t, 30, 1, 1, 1)
	wantUnbroken(t, p)
	h.wantPast(t, first, h.dropped(t))
}

// fullBuffer makes a buffer with as many events as there may wait: one of each of
// the people of the past for each minute.
func fullBuffer(t *testing.T, first time.Time) (path string) {
	t.Helper()
	path = filledBuffer(t, buffer.DefaultMaxEvents, func(i int) api.Event {
		return api.Event{MachineID: pastMachine(i % pastPeople), Username: "past", Timestamp: first.Add(time.Duration(i/pastPeople) * time.Minute), KeyCount: 1}
	})
	if info, err := os.Stat(path); err == nil {
		t.Logf("the buffer has %d MiB", info.Size()>>20)
	}
	return path
}

// filledBuffer makes a buffer in which so many events wait.
func filledBuffer(t *testing.T, count int, event func(i int) api.Event) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "buffer.db")
	b, err := buffer.Open(path, buffer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	const atOnce = 20_000
	for from := 0; from < count; from += atOnce {
		err := b.Update(func(tx *buffer.Tx) error {
			for i := from; i < min(from+atOnce, count); i++ {
				one, err := json.Marshal(event(i))
				if err != nil {
					return err
				}
				if err := tx.Enqueue(one); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func pastMachine(n int) string { return fmt.Sprintf("office-past-%02d", n) }

var droppedText = regexp.MustCompile(`(\d+) events were dropped, oldest first`)

// dropped returns how many events the full buffer cost, by the status.
func (h *host) dropped(t *testing.T) int {
	t.Helper()
	m := droppedText.FindStringSubmatch(strings.Join(h.status(t).Host.Problems, "\n"))
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// wantPast checks that the server has all of the past but the oldest that were
// dropped.
func (h *host) wantPast(t *testing.T, first time.Time, dropped int) {
	t.Helper()
	keys := int64(0)
	for i := range pastPeople {
		sum, err := h.srv.summaries(t.Context(), pastMachine(i), first)
		if err != nil {
			t.Fatal(err)
		}
		keys += sum.KeyCount
	}
	if want := int64(buffer.DefaultMaxEvents - dropped); keys != want {
		t.Errorf("the server has %d of the past's events, want %d", keys, want)
	}
	// They were dropped in their order: the first people lost one more.
	q := url.Values{"start": {"2000-01-02T00:00:00Z"}, "end": {time.Now().UTC().Format(time.RFC3339)}, "limit": {"1"}}
	var page api.EventList
	if err := h.srv.Get(t.Context(), "/api/activity/"+pastMachine(0)+"/events?"+q.Encode(), &page); err != nil {
		t.Fatal(err)
	}
	lost := time.Duration((dropped+pastPeople-1)/pastPeople) * time.Minute
	if len(page.Events) != 1 || !page.Events[0].Timestamp.Equal(first.Add(lost)) {
		t.Errorf("after %d were dropped the first one's oldest is %+v, want %s", dropped, page.Events, first.Add(lost))
	}
}
