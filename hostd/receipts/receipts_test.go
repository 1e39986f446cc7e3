package receipts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"activity-tracker.example/hostd/buffer"
	"activity-tracker.example/hostd/outbound"
	"activity-tracker.example/server/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeServer answers with a status for each account, and keeps what it took.
type fakeServer struct {
	*httptest.Server
	mu     sync.Mutex
	status map[string]int // by machine_id; 204 unless told
	taken  []string
	asked  int
}

func newServer(t *testing.T) *fakeServer {
	t.Helper()
	s := &fakeServer{status: map[string]int{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asked++
		var one api.Receipt
		if json.NewDecoder(r.Body).Decode(&one) != nil || r.Method != http.MethodPost || r.URL.Path != "/api/receipts" ||
			r.Header.Get("Authorization") != "Bearer secret" || r.Header.Get("Content-Type") != "application/json" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		if code := s.status[one.MachineID]; code != 0 {
			w.WriteHeader(code)
			return
		}
		s.taken = append(s.taken, fmt.Sprint(one.MachineID, " ", one.Notice, " ", one.ReadAt.Format(time.TimeOnly)))
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *fakeServer) want(t *testing.T, when string, want ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !reflect.DeepEqual(s.taken, want) {
		t.Errorf("%s: the server has %q, want %q", when, s.taken, want)
	}
}

// rig is a keeper on a real buffer that can be restarted.
type rig struct {
	t    *testing.T
	path string
	buf  *buffer.Buffer
	url  string
	now  time.Time
	k    *Keeper
}

func newRig(t *testing.T, url string) *rig {
	t.Helper()
	r := &rig{t: t, path: filepath.Join(t.TempDir(), "buffer.db"), url: url, now: time.Date(2026, 11, 23, 12, 0, 0, 5e8, time.UTC)}
	r.restart()
	t.Cleanup(func() {
		r.k.o.Client.CloseIdleConnections()
		_ = r.buf.Close()
	})
	return r
}

func (r *rig) restart() {
	r.t.Helper()
	var err error
	if r.buf != nil {
		r.k.o.Client.CloseIdleConnections()
		if err = r.buf.Close(); err != nil {
			r.t.Fatal(err)
		}
	}
	if r.buf, err = buffer.Open(r.path, buffer.Options{}); err != nil {
		r.t.Fatal(err)
	}
	r.k, err = New(Options{
		Buffer: r.buf, Now: func() time.Time { return r.now }, Random: func() float64 { return 0 }, Client: &http.Client{Transport: &http.Transport{}},
		Target: func() (outbound.Target, bool) { return outbound.Target{URL: r.url, Credential: "secret"}, r.url != "" },
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) add(machineID, notice string) {
	r.t.Helper()
	if _, err := r.k.Add(machineID, notice); err != nil {
		r.t.Fatal(err)
	}
}

// A receipt waits while there is no server, over restarts, and reaches it once, with the
// time of its first confirmation.
func TestReachesTheServerOnce(t *testing.T) {
	s := newServer(t)
	r := newRig(t, "")
	r.add("ann", "v1")
	r.now = r.now.Add(time.Hour)
	r.add("ann", "v1")
	if err := r.k.send(t.Context()); err != nil {
		t.Errorf("not enrolled: %v", err)
	}
	s.status["ann"] = http.StatusServiceUnavailable
	r.url = s.URL
	r.restart()
	if err := r.k.send(t.Context()); err == nil {
		t.Error("it is said to be sent")
	}
	s.want(t, "while the server refuses")
	delete(s.status, "ann")
	for range 3 {
		if err := r.k.send(t.Context()); err != nil {
			t.Error(err)
		}
		r.restart()
	}
	s.want(t, "in the end", "ann v1 12:00:00")
	if at, read := r.k.ReadAt("ann", "v1"); !read || at.Format(time.TimeOnly) != "12:00:00" {
		t.Errorf("%v, %v", at, read)
	}
	if _, read := r.k.ReadAt("ann", "v2"); read {
		t.Error("another notice is confirmed")
	}
}

// One that the server does not take keeps no other waiting; one that it cannot be asked
// about ends the round.
func TestRefusedOnesKeepNobodyWaiting(t *testing.T) {
	s := newServer(t)
	r := newRig(t, s.URL)
	for _, who := range []string{"ann", "bob", "eve"} {
		r.add(who, "v1")
		r.now = r.now.Add(time.Second)
	}
	s.status["ann"], s.status["bob"] = http.StatusNotFound, http.StatusBadRequest
	if err := r.k.send(t.Context()); !errors.Is(err, errRefused) {
		t.Error(err)
	}
	s.want(t, "two are refused", "eve v1 12:00:02")
	r.now = r.now.Add(firstPause)
	s.status["ann"], s.asked = http.StatusUnauthorized, 0
	if err := r.k.send(t.Context()); err == nil || errors.Is(err, errRefused) {
		t.Error(err)
	}
	if s.asked != 1 {
		t.Errorf("asked %d times of a server that refuses the credential", s.asked)
	}
	clear(s.status)
	if err := r.k.send(t.Context()); err != nil {
		t.Error(err)
	}
	s.want(t, "none is refused", "eve v1 12:00:02", "ann v1 12:00:00", "bob v1 12:00:01")
}

// One that is refused again and again is asked about once a day in the end, also while
// others come; another server is asked anew, and a pause that is over is the next try's.
func TestRefusedOnesRest(t *testing.T) {
	s, other := newServer(t), newServer(t)
	r := newRig(t, s.URL)
	r.add("gone", "v1")
	s.status["gone"] = http.StatusNotFound
	for range 7 * 24 * 60 { // a look each minute of a week
		if err := r.k.send(t.Context()); err != nil && !errors.Is(err, errRefused) {
			t.Fatal(err)
		}
		r.now = r.now.Add(time.Minute)
	}
	// Random is 0: pauses are half as long as they may be.
	if s.asked < 14 || s.asked > 30 {
		t.Errorf("asked %d times in a week", s.asked)
	}
	if due := r.k.untilDue(); due > longestPause || due < shortestPause {
		t.Error(due)
	}
	r.add("ann", "v1")
	_ = r.k.send(t.Context())
	s.want(t, "beside it", "ann v1 12:00:00")
	r.url = other.URL
	if err := r.k.send(t.Context()); err != nil {
		t.Error(err)
	}
	other.want(t, "another server", "gone v1 12:00:00", "ann v1 12:00:00")
	if due := r.k.untilDue(); due != longestPause {
		t.Errorf("sent, it is due in %v", due)
	}
}

// Of earlier notices what the server has goes, and what it lacks stays; another server is
// told what is left.
func TestEarlierNotices(t *testing.T) {
	s, other := newServer(t), newServer(t)
	r := newRig(t, s.URL)
	r.add("ann", "v1")
	if err := r.k.send(t.Context()); err != nil {
		t.Error(err)
	}
	r.add("ann", "v2") // v1 goes
	r.add("ann", "v3") // v2 waits still
	r.add("bob", "v1")
	r.url = other.URL
	r.restart()
	if err := r.k.send(t.Context()); err != nil {
		t.Error(err)
	}
	other.want(t, "another server", "ann v2 12:00:00", "ann v3 12:00:00", "bob v1 12:00:00")
	s.want(t, "the first server", "ann v1 12:00:00")
}

// A host keeps so many and no more; those that it has can still be confirmed.
func TestReceiptsAreBounded(t *testing.T) {
	r := newRig(t, "")
	if err := r.buf.Update(func(tx *buffer.Tx) error {
		for i := range maxKept {
			if err := tx.Put(buffer.Receipts, id{fmt.Sprint("m", i), "v1"}.key(), []byte(`{"read_at":"2026-11-23T12:00:00Z"}`)); err != nil {
				return err
			}
		}
		return tx.Put(buffer.Receipts, []byte("damaged"), []byte(`{`))
	}); err != nil {
		t.Fatal(err)
	}
	r.restart()
	if _, err := r.k.Add("ann", "v1"); !errors.Is(err, ErrTooMany) {
		t.Error(err)
	}
	if _, err := r.k.Add("m7", "v1"); err != nil {
		t.Error(err)
	}
}

// Run sends what is added at once, and tries again after a failure.
func TestRun(t *testing.T) {
	s := newServer(t)
	r := newRig(t, s.URL)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- r.k.Run(ctx) }()
	r.add("ann", "v1")
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for taken := 0; taken == 0; {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("nothing came")
		}
		s.mu.Lock()
		taken = len(s.taken)
		s.mu.Unlock()
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
