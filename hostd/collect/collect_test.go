package collect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"activity-tracker.example/hostd/buffer"
	"activity-tracker.example/hostd/hoststat"
	"activity-tracker.example/hostd/logind"
	"activity-tracker.example/hostd/reading"
	"activity-tracker.example/hostd/roster"
	"activity-tracker.example/server/api"
	"activity-tracker.example/sessiond/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openBuffer(t *testing.T, path string) *buffer.Buffer {
	t.Helper()
	buf, err := buffer.Open(path, buffer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { buf.Close() })
	return buf
}

func newCollector(t *testing.T, buf *buffer.Buffer, o Options) *Collector {
	t.Helper()
	if o.Interval == 0 {
		o.Interval = time.Minute
	}
	o.IdleAfter = 3 * time.Minute
	c, err := New(buf, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// person is a session whose helper counts.
type person struct {
	session roster.Tracked
	started int64
	keys    uint64
}

func newPerson(i int, user string) *person {
	return &person{
		session: roster.Tracked{
			Key:       logind.SessionKey{ID: fmt.Sprint("c", i), Leader: uint32(100 + i), SinceUnixMicro: 1},
			MachineID: "vm-abc123-" + user, Username: user, UID: uint32(1000 + i), Display: ":10", Kind: api.SessionRDP,
		},
		started: time.Now().UnixNano(),
	}
}

// says returns a report of now, for the interval that now ends or is in.
func (p *person) says(interval time.Duration, atEnd bool) reading.Reading {
	now := time.Now()
	start := now.Truncate(interval)
	if atEnd {
		start = start.Add(-interval)
	}
	return reading.Reading{Session: p.session, Connected: new(true), Report: wire.Report{
		StartedUnixNano: p.started, TimeUnixMilli: now.UnixMilli(), IntervalStartUnix: start.Unix(),
		Counters: wire.Counters{Keys: p.keys},
		Focus:    []wire.Focus{{App: "xterm", Title: "t", DurationMS: 1000}},
	}}
}

// queued returns what is sealed, and fails on an identity that comes twice.
func queued(t *testing.T, buf *buffer.Buffer) []api.Event {
	t.Helper()
	items, err := buf.Peek(1<<20, 1<<30, nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	var events []api.Event
	for _, it := range items {
		var e api.Event
		if err := json.Unmarshal(it.Event, &e); err != nil {
			t.Fatal(err)
		}
		id := fmt.Sprint(e.MachineID, e.Timestamp)
		if seen[id] {
			t.Errorf("%s comes twice", id)
		}
		seen[id] = true
		events = append(events, e)
	}
	return events
}

func keysBy(events []api.Event) map[string]int64 {
	sum := map[string]int64{}
	for _, e := range events {
		sum[e.MachineID] += e.KeyCount
	}
	return sum
}

// start runs a collector until the returned function is called.
func start(t *testing.T, c *Collector, readings <-chan reading.Reading) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx, readings) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// sleepUntil advances the bubble's clock.
func sleepUntil(at time.Time) { <-time.After(time.Until(at)) }

// Two people, four minutes: one record a minute each, sealed as soon as both
// have reported, and exact.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		buf := openBuffer(t, filepath.Join(t.TempDir(), "b"))
		var progress atomic.Int64
		c := newCollector(t, buf, Options{Progress: func() { progress.Add(1) }})
		readings := make(chan reading.Reading)
		stop := start(t, c, readings)
		ann, bob := newPerson(1, "ann"), newPerson(2, "bob")
		c.Live([]roster.Tracked{ann.session, bob.session})
		begin := time.Now().Truncate(time.Minute)
		for minute := range 4 {
			for sec := 5; sec <= 60; sec += 5 {
				sleepUntil(begin.Add(time.Duration(minute)*time.Minute + time.Duration(sec)*time.Second))
				ann.keys += 3
				bob.keys++
				readings <- ann.says(time.Minute, sec == 60)
				readings <- bob.says(time.Minute, sec == 60)
			}
			sleepUntil(time.Now().Add(1500 * time.Millisecond))
			synctest.Wait()
			if n := len(queued(t, buf)); n != 2*(minute+1) {
				t.Errorf("%d records 1.5 s after minute %d", n, minute)
			}
		}
		events := queued(t, buf)
		for _, e := range events {
			want := map[string]int64{ann.session.MachineID: 36, bob.session.MachineID: 12}[e.MachineID]
			if e.KeyCount != want || e.Username == "" || e.ActiveApp != "xterm" || !*e.Connected || e.Focus[0].Seconds != 1 {
				t.Errorf("event %+v", e)
			}
		}
		// Nobody reports any more: nothing is made up, and the loop still turns.
		before := progress.Load()
		sleepUntil(time.Now().Add(5 * time.Minute))
		synctest.Wait()
		if n := len(queued(t, buf)); n != 8 || progress.Load()-before < 30 || progress.Load()-before > 60 {
			t.Errorf("%d records after a silence, %d turns", n, progress.Load()-before)
		}
		s := c.Status()
		if s.Err != nil || s.OpenRecords != 0 || s.Sealed != 8 || s.LastReading.IsZero() {
			t.Errorf("status %+v", s)
		}
		stop()
		buf.Close()
	})
}

// A reading is reported as stored when what it added is on disk, and not before.
func TestStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		buf := openBuffer(t, filepath.Join(t.TempDir(), "b"))
		readings := make(chan reading.Reading)
		stop := start(t, newCollector(t, buf, Options{}), readings)
		var calls atomic.Int32
		r := newPerson(1, "ann").says(time.Minute, false)
		r.OnStored = func() {
			calls.Add(1)
			found := 0
			if _, err := buf.Load(buffer.Accounts, func(_, _ []byte) error { found++; return nil }); err != nil || found != 1 {
				t.Errorf("%d accounts are on disk, %v", found, err)
			}
		}
		readings <- r
		synctest.Wait()
		if calls.Load() != 0 {
			t.Error("stored before it was written")
		}
		sleepUntil(time.Now().Add(2 * batchFor))
		synctest.Wait()
		if calls.Load() != 1 {
			t.Errorf("told %d times", calls.Load())
		}
		stop()
		buf.Close()
	})
}

// What helpers reported while the daemon was away is put into its own minutes, and
// Run stores what it holds when it is stopped.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		buf := openBuffer(t, filepath.Join(t.TempDir(), "b"))
		c := newCollector(t, buf, Options{})
		readings := make(chan reading.Reading, 100)
		stop := start(t, c, readings)
		ann := newPerson(1, "ann")
		begin := time.Now().Truncate(time.Minute)
		sleepUntil(begin.Add(30 * time.Second))
		ann.keys = 5
		readings <- ann.says(time.Minute, false)
		synctest.Wait()
		stop() // within the second in which readings are gathered
		for minute := 1; minute <= 3; minute++ {
			sleepUntil(begin.Add(time.Duration(minute) * time.Minute))
			ann.keys += 10
			readings <- ann.says(time.Minute, true)
		}
		c = newCollector(t, buf, Options{})
		if k := c.Known(); len(k) != 1 || k[ann.session.Key.String()] != ann.session {
			t.Errorf("known %v", k)
		}
		stop = start(t, c, readings)
		sleepUntil(time.Now().Add(startHold + 2*time.Second))
		synctest.Wait()
		var got []int64
		for _, e := range queued(t, buf) {
			got = append(got, e.KeyCount)
		}
		if fmt.Sprint(got) != "[15 10 10]" {
			t.Errorf("keys a minute: %v", got)
		}
		stop()
		buf.Close()
	})
}

// A daemon that dies at any step, a disk that refuses at any: sums are exact
// and no identity comes twice.
func TestDiesAnywhere(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(seed, 3))
				buf := openBuffer(t, filepath.Join(t.TempDir(), "b"))
				c := newCollector(t, buf, Options{Interval: 5 * time.Second})
				people := []*person{newPerson(1, "ann"), newPerson(2, "ann"), newPerson(3, "bob")}
				for range 150 {
					sleepUntil(time.Now().Add(time.Duration(rnd.IntN(4000)) * time.Millisecond))
					p := people[rnd.IntN(len(people))]
					p.keys += uint64(rnd.IntN(10))
					c.take(p.says(5*time.Second, false))
					switch rnd.IntN(10) {
					case 0, 1: // dies with what it has not stored
						c = newCollector(t, buf, Options{Interval: 5 * time.Second})
						c.start = time.Time{} // no hold: that must not matter for the sums
					case 2: // goes on gathering
					default:
						c.step(t.Context())
					}
				}
				for _, p := range people {
					c.take(p.says(5*time.Second, false))
				}
				c.step(t.Context())
				sleepUntil(time.Now().Add(time.Minute))
				c.step(t.Context())
				got := keysBy(queued(t, buf))
				want := map[string]int64{"vm-abc123-ann": int64(people[0].keys + people[1].keys), "vm-abc123-bob": int64(people[2].keys)}
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("counted %v, want %v", got, want)
				}
				buf.Close()
			})
		})
	}
}

// A full disk: status has it, nothing is lost, and all is stored once there is
// space again.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Fatalf("mounting a small disk: %v (this test needs root)", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		buf := openBuffer(t, filepath.Join(dir, "b"))
		c := newCollector(t, buf, Options{})
		readings := make(chan reading.Reading)
		stop := start(t, c, readings)
		ballast := filepath.Join(dir, "ballast")
		f, err := os.Create(ballast)
		for err == nil {
			_, err = f.Write(make([]byte, 4096))
		}
		f.Close()
		ann := newPerson(1, "ann")
		begin := time.Now().Truncate(time.Minute)
		for sec := 5; c.Status().Err == nil; sec += 5 {
			if sec > 3000 {
				t.Fatal("the disk never became full")
			}
			sleepUntil(begin.Add(time.Duration(sec) * time.Second))
			ann.keys++
			r := ann.says(time.Minute, false)
			r.Report.Focus = nil
			for i := range wire.MaxFocus { // large records
				r.Report.Focus = append(r.Report.Focus, wire.Focus{
					App: strings.Repeat("a", wire.MaxAppBytes), Title: fmt.Sprint(sec, i, strings.Repeat("t", 900)), DurationMS: 1,
				})
			}
			readings <- r
			synctest.Wait()
		}
		s := c.Status()
		if !errors.Is(s.Err, syscall.ENOSPC) || !strings.Contains(s.Err.Error(), "free some space") || s.Pending == 0 {
			t.Errorf("status %+v", s)
		}
		ann.keys += 1000
		readings <- ann.says(time.Minute, false)
		sleepUntil(time.Now().Add(3 * time.Minute)) // over the end of the record
		synctest.Wait()
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		sleepUntil(time.Now().Add(2 * time.Minute))
		synctest.Wait()
		if s := c.Status(); s.Err != nil || s.Pending != 0 {
			t.Errorf("status %+v", s)
		}
		if got := keysBy(queued(t, buf))[ann.session.MachineID]; got != int64(ann.keys) {
			t.Errorf("counted %d of %d", got, ann.keys)
		}
		stop()
		buf.Close()
	})
}

// A file that is damaged under the running daemon: memory still knows all that
// was counted, and nothing is counted twice.
func TestDamageWhileRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "b")
		buf := openBuffer(t, path)
		c := newCollector(t, buf, Options{})
		ann, bob := newPerson(1, "ann"), newPerson(2, "bob")
		ann.keys, bob.keys = 7, 5
		c.take(ann.says(time.Minute, false))
		c.take(bob.says(time.Minute, false))
		c.step(t.Context())
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		garbage := []byte(strings.Repeat("\xff", int(info.Size())-8192))
		if _, err := f.WriteAt(garbage, 8192); err != nil { // all but the headers
			t.Fatal(err)
		}
		f.Close()
		sleepUntil(time.Now().Add(time.Second)) // the helpers are older than the fresh file
		ann.keys = 9
		c.take(ann.says(time.Minute, false))
		c.step(t.Context())
		if s := buf.Status(); s.Replaced != 1 || c.Status().Err != nil {
			t.Fatalf("buffer %+v, collect %+v", s, c.Status())
		}
		c = newCollector(t, buf, Options{}) // and the daemon restarts
		ann.keys, bob.keys = 12, 6
		c.take(ann.says(time.Minute, false))
		c.take(bob.says(time.Minute, false))
		sleepUntil(time.Now().Add(3 * time.Minute))
		c.step(t.Context())
		if got := keysBy(queued(t, buf)); got[ann.session.MachineID] != 12 || got[bob.session.MachineID] != 6 {
			t.Errorf("counted %v, want 12 and 6", got)
		}
		buf.Close()
	})
}

// The whole file is lost while helpers live: what they had counted before is
// not counted again.
func TestStoreLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "b")
		buf := openBuffer(t, path)
		c := newCollector(t, buf, Options{})
		ann := newPerson(1, "ann")
		ann.keys = 7
		c.take(ann.says(time.Minute, false))
		c.step(t.Context())
		buf.Close()
		sleepUntil(time.Now().Add(time.Second))
		if err := os.Truncate(path, 0); err != nil {
			t.Fatal(err)
		}
		buf = openBuffer(t, path)
		c = newCollector(t, buf, Options{})
		c.take(ann.says(time.Minute, false))
		c.step(t.Context())
		ann.keys = 10
		c.take(ann.says(time.Minute, false))
		sleepUntil(time.Now().Add(3 * time.Minute))
		c.step(t.Context())
		if got := keysBy(queued(t, buf))[ann.session.MachineID]; got != 3 {
			t.Errorf("counted %d, want the 3 since the loss", got)
		}
		buf.Close()
	})
}

// What waits in the channel when the daemon is asked to stop is stored.
func TestStopStoresWhatCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		buf := openBuffer(t, filepath.Join(t.TempDir(), "b"))
		ctx, stop := context.WithCancel(t.Context())
		stop()
		readings := make(chan reading.Reading, 1)
		for i := range 20 { // stopping and reading are ready at once
			readings <- newPerson(i, fmt.Sprint("user", i)).says(time.Minute, false)
			c := newCollector(t, buf, Options{})
			if err := c.Run(ctx, readings); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(newCollector(t, buf, Options{}).Known()); n != 20 {
			t.Errorf("%d of 20 readings were stored", n)
		}
		buf.Close()
	})
}

func TestSessionsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		buf := openBuffer(t, filepath.Join(t.TempDir(), "b"))
		c := newCollector(t, buf, Options{})
		ann, bob := newPerson(1, "ann"), newPerson(2, "bob")
		for _, p := range []*person{ann, bob} {
			c.take(p.says(time.Minute, false))
		}
		c.step(t.Context())
		c.Live([]roster.Tracked{bob.session})
		c.step(t.Context())
		sleepUntil(time.Now().Add(2 * time.Hour))
		if len(c.Known()) != 2 {
			t.Errorf("known %v", c.Known())
		}
		c.Live([]roster.Tracked{bob.session})
		c.step(t.Context())
		for range 2 { // now, and after a restart
			if k := c.Known(); len(k) != 1 || k[bob.session.Key.String()] != bob.session {
				t.Errorf("known %v", k)
			}
			c = newCollector(t, buf, Options{})
		}
		buf.Close()
	})
}

type fixedStats struct{ n int }

func (f *fixedStats) Sample(context.Context) (hoststat.Stats, error) {
	f.n++
	cpu := float64(f.n)
	return hoststat.Stats{CPUPercent: &cpu, Users: map[uint32]hoststat.User{1001: {CPUPercent: 2, RAMBytes: 3}}}, nil
}

// A record has the figures of its own interval; a late one has none.
func TestStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		buf := openBuffer(t, filepath.Join(t.TempDir(), "b"))
		c := newCollector(t, buf, Options{Stats: &fixedStats{}})
		readings := make(chan reading.Reading)
		stop := start(t, c, readings)
		ann := newPerson(1, "ann")
		begin := time.Now().Truncate(time.Minute)
		for minute := 1; minute <= 3; minute++ {
			sleepUntil(begin.Add(time.Duration(minute) * time.Minute))
			readings <- ann.says(time.Minute, true)
		}
		late := ann.says(time.Minute, true)
		late.Report.IntervalStartUnix = begin.Add(-time.Hour).Unix()
		readings <- late
		sleepUntil(time.Now().Add(30 * time.Second))
		synctest.Wait()
		stop()
		for _, e := range queued(t, buf) {
			if e.Timestamp.Before(begin) {
				if e.CPUPercent != nil || e.UserRAMBytes != nil {
					t.Errorf("a late record has figures: %+v", e)
				}
				continue
			}
			// The first sample begins the measuring, the second is the first's minute.
			minute := e.Timestamp.Sub(begin) / time.Minute
			if e.CPUPercent == nil || *e.CPUPercent < float64(minute)+2 || *e.UserCPUPercent != 2 || *e.UserRAMBytes != 3 {
				t.Errorf("minute %d: %+v", minute, e)
			}
		}
		buf.Close()
	})
}

func BenchmarkStep(b *testing.B) {
	buf, err := buffer.Open(filepath.Join(b.TempDir(), "b"), buffer.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer buf.Close()
	c, err := New(buf, Options{Interval: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	people := make([]*person, 20)
	for i := range people {
		people[i] = newPerson(i, fmt.Sprint("user", i))
	}
	for b.Loop() {
		for _, p := range people {
			p.keys++
			c.take(p.says(time.Minute, false))
		}
		c.step(b.Context())
	}
	b.ReportMetric(float64(b.N*len(people))/b.Elapsed().Seconds(), "readings/s")
}
