package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/pgtest"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
)

const (
	// answerLimit bounds every request on a bad day: waiting in a queue and
	// being written take 10 s each at most, a look-up 5 s.
	answerLimit = 25 * time.Second
	// memoryLimit bounds what the server and its clients may hold at any time
	// of a bad day, above what they held before. It is that of the process, in which another
	// test runs meanwhile: a login of that one takes 64 MiB.
	memoryLimit = (96 + 64) << 20
)

// siege is a server under writes from several hosts that repeat each batch until
// it is acknowledged.
type siege struct {
	*servertest.Bench
	t     *testing.T
	token string
	// acknowledged counts batches, refused counts 503s.
	acknowledged, refused atomic.Int64
	sent                  atomic.Int64
	before, peak          uint64
	began                 time.Time

	stop context.CancelFunc
	wait sync.WaitGroup
}

const (
	siegeHosts = 6
	// siegeBatch is how many events a batch has.
	siegeBatch = 20
)

// besiege starts the writing.
func besiege(t *testing.T, databaseURL string) *siege {
	t.Helper()
	s := &siege{Bench: servertest.New(t, databaseURL), t: t}
	s.token = s.Bench.Token(directory.RoleViewer)
	var credentials []string
	for i := range siegeHosts {
		credentials = append(credentials, s.Host("h"+strconv.Itoa(i)))
	}
	s.before, s.began = heapInUse(), time.Now()
	ctx, stop := context.WithCancel(t.Context())
	s.stop = stop
	for i, credential := range credentials {
		s.wait.Go(func() { s.reports(ctx, "m"+strconv.Itoa(i), credential) })
	}
	// A failed test waits for them as well.
	t.Cleanup(func() { stop(); s.wait.Wait() })
	s.goesOn()
	return s
}

// reports sends batch after batch until ctx ends; the last one is acknowledged too.
func (s *siege) reports(ctx context.Context, machine, credential string) {
	for n := 0; ctx.Err() == nil; n++ {
		events := make([]api.Event, siegeBatch)
		for i := range events {
			events[i] = servertest.Minute(machine, n*siegeBatch+i)
			events[i].ActiveApp, events[i].ActiveWindow = "app"+strconv.Itoa(i%5), fmt.Sprint("window ", n%50, i)
		}
		for !s.deliver(credential, events) {
			if s.t.Failed() {
				return
			}
		}
	}
}

// deliver sends a batch once and reports whether it was acknowledged. Anything but
// that and a clear 503 fails the test.
func (s *siege) deliver(credential string, events []api.Event) bool {
	began := time.Now()
	r, err := s.Try(http.MethodPost, "/api/events", credential, api.EventBatch{Events: events})
	if took := time.Since(began); took > answerLimit {
		s.t.Errorf("a request took %v", took)
	}
	if err != nil {
		s.t.Errorf("a request failed: %v", err)
		return false
	}
	var got api.IngestReply
	switch {
	case r.Status == http.StatusOK:
		if err := json.Unmarshal(r.Body, &got); err != nil || got.Accepted+got.Duplicates != len(events) {
			s.t.Errorf("acknowledged with %s (%v)", r.Body, err)
		}
		s.acknowledged.Add(1)
		s.sent.Add(int64(len(events)))
		return true
	case r.Status == http.StatusServiceUnavailable && r.Header.Get("Retry-After") != "" && bytes.Contains(r.Body, []byte(`"unavailable"`)):
		s.refused.Add(1)
		// A host waits longer; the moment keeps the test's log of PostgreSQL short.
		select {
		case <-time.After(50 * time.Millisecond):
		case <-s.t.Context().Done():
		}
	default:
		s.t.Errorf("status %d %v: %s", r.Status, r.Header, r.Body)
	}
	return false
}

// goesOn waits until each host had batches acknowledged anew.
func (s *siege) goesOn() {
	s.t.Helper()
	seen := s.acknowledged.Load()
	s.until("batches are acknowledged", func() bool { return s.acknowledged.Load() >= seen+4*siegeHosts })
}

// until waits for a condition and watches the memory.
func (s *siege) until(what string, done func() bool) {
	s.t.Helper()
	servertest.Await(s.t, what, func() bool {
		if s.t.Failed() {
			s.t.FailNow()
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		s.peak = max(s.peak, m.HeapInuse)
		return done()
	})
}

// stalls waits until n more requests are refused.
func (s *siege) stalls(n int64) {
	s.t.Helper()
	seen := s.refused.Load()
	s.until("requests are refused", func() bool { return s.refused.Load() >= seen+n })
}

// over ends the writing, and checks that all that was acknowledged is there, once,
// and that the roll-ups are exact.
func (s *siege) over(databaseURL string) {
	s.t.Helper()
	s.goesOn()
	s.stop()
	s.wait.Wait()
	if s.peak > s.before+memoryLimit {
		s.t.Errorf("%d MiB in use at the peak, %d before", s.peak>>20, s.before>>20)
	}
	conn, err := pgx.Connect(s.t.Context(), databaseURL)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = conn.Close(s.t.Context()) }()
	var events, keys int64
	err = conn.QueryRow(s.t.Context(), "SELECT (SELECT count(*) FROM event), (SELECT sum(key_count) FROM rollup)::bigint").Scan(&events, &keys)
	if err != nil || events != s.sent.Load() || keys != s.sent.Load() {
		s.t.Errorf("%d events were acknowledged; %d are there, and %d counted (%v)", s.sent.Load(), events, keys, err)
	}
	check, err := s.Store.CheckRollups(s.t.Context(), false)
	if err != nil || check.Wrong != 0 || check.Machines != siegeHosts || int64(check.Events) != events {
		s.t.Errorf("roll-ups: %+v, %v", check, err)
	}
	s.Do(http.MethodGet, "/readyz", "", nil).Wants(200, nil)
	s.t.Logf("%v: %d batches acknowledged, %d refused, %d MiB at the peak, %d before", time.Since(s.began).Round(time.Second), s.acknowledged.Load(), s.refused.Load(), s.peak>>20, s.before>>20)
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

// PostgreSQL is stopped and killed in the middle of writes.
func TestPostgreSQLRestarts(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Start(t)
	s := besiege(t, cluster.URL("postgres"))
	for _, how := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} {
		cluster.Stop(how)
		s.stalls(siegeHosts)
		s.Do(http.MethodGet, "/readyz", "", nil).Refused(503, api.CodeUnavailable)
		r := s.Do(http.MethodGet, "/api/machines", s.token, nil)
		r.Refused(503, api.CodeUnavailable)
		if r.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		cluster.Start()
		s.goesOn()
	}
	s.over(cluster.URL("postgres"))
}

// Backends are ended, connections cut and half closed.
func TestConnectionsAreCut(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Start(t)
	network := pgtest.Through(t, cluster)
	s := besiege(t, network.URL("postgres"))
	for range 5 {
		cluster.SQL("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND application_name = 'trackerd-server'")
		s.goesOn()
		network.Cut()
		s.goesOn()
		network.HalfClose()
		s.goesOn()
	}
	s.over(cluster.URL("postgres"))
}

// The machine with PostgreSQL vanishes without a word, and comes back.
func TestDatabaseVanishes(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Start(t)
	network := pgtest.Through(t, cluster)
	s := besiege(t, network.URL("postgres"))
	network.Lose()
	began := time.Now()
	s.Do(http.MethodGet, "/readyz", "", nil).Refused(503, api.CodeUnavailable)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("/readyz took %v", took)
	}
	s.stalls(1)
	network.Find()
	s.over(cluster.URL("postgres"))
	// What PostgreSQL was asked to cancel over the lost way is waited for.
	network.Cut()
}

// A host has another name, and a connection of somebody else holds its row for long: what it
// reports is answered all the same.
func TestHostIsLocked(t *testing.T) {
	t.Parallel()
	url := servertest.NewDatabase(t)
	b := servertest.New(t, url)
	host := b.Host("h")
	b.Send(host, servertest.Minute("m", 0))
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	if _, err := conn.Exec(t.Context(), "BEGIN; SELECT FROM host FOR NO KEY UPDATE"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	b.Do(http.MethodPost, "/api/events", host, api.EventBatch{Events: []api.Event{servertest.Minute("m", 1)}}, api.HostnameHeader, "other").Wants(200, nil)
	// A host gives a server up after 30 s.
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("the reply took %v", took)
	}
}

// A connection of somebody else holds a table for long.
func TestTableIsLocked(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Start(t)
	s := besiege(t, cluster.URL("postgres"))
	conn, err := pgx.Connect(t.Context(), cluster.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	if _, err := conn.Exec(t.Context(), "BEGIN; LOCK TABLE rollup IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	s.stalls(1)
	// Who gave up waits no longer.
	if n := cluster.SQL("postgres", "SELECT count(*) FROM pg_locks WHERE NOT granted"); n > "4" || len(n) > 1 {
		t.Errorf("%s connections wait for the table", n)
	}
	s.Do(http.MethodGet, "/readyz", "", nil).Wants(200, nil)
	if _, err := conn.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	s.over(cluster.URL("postgres"))
}

// The disk that PostgreSQL lies on is full, and is not any more.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	disk := pgtest.SmallDisk(t, 64<<20)
	// Small pieces, so that the log meets the end of the disk too.
	cluster := pgtest.StartOn(t, disk, "min_wal_size=2MB", "max_wal_size=4MB")
	s := besiege(t, cluster.URL("postgres"))
	for range 2 {
		disk.Fill()
		s.stalls(2 * siegeHosts)
		s.Do(http.MethodGet, "/healthz", "", nil).Wants(200, nil)
		disk.Free()
		if !cluster.Running() {
			// It gave up on recovery: whoever supervises it starts it again.
			cluster.Start()
		}
		s.goesOn()
	}
	s.over(cluster.URL("postgres"))
}
