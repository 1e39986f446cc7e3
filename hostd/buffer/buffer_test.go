package buffer

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

const (
	// childEnv makes the test binary the process that is killed; it writes
	// childFile in its folder.
	childEnv  = "BUFFER_TEST_CHILD"
	childFile = "b"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		if err := appendForEver(childFile); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	goleak.VerifyTestMain(m)
}

func open(t *testing.T, path string, o Options) *Buffer {
	t.Helper()
	b, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func enqueue(t *testing.T, b *Buffer, events ...string) {
	t.Helper()
	if err := b.Update(func(tx *Tx) error {
		for _, e := range events {
			if err := tx.Enqueue([]byte(e)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// waiting returns the events that wait, and checks the count beside them.
func waiting(t *testing.T, b *Buffer) []string {
	t.Helper()
	items, err := b.Peek(1<<30, 1<<40, nil)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, it := range items {
		out = append(out, string(it.Event))
	}
	if n := b.Status().Waiting; n != len(out) {
		t.Errorf("status says %d wait, there are %d", n, len(out))
	}
	return out
}

func everyOne(*Dead) bool { return true }

// deadLetters returns all that there are.
func deadLetters(b *Buffer) (dead []Dead, err error) {
	err = b.DeadLetters("", func(d *Dead) bool { dead = append(dead, *d); return true })
	return dead, err
}

func put(t *testing.T, b *Buffer, space Space, kv ...string) {
	t.Helper()
	if err := b.Update(func(tx *Tx) error {
		for i := 0; i < len(kv); i += 2 {
			if err := tx.Put(space, []byte(kv[i]), []byte(kv[i+1])); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, b *Buffer, space Space) (got map[string]string, bad int) {
	t.Helper()
	got = map[string]string{}
	bad, err := b.Load(space, func(k, v []byte) error {
		got[string(k)] = string(v)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got, bad
}

func TestQueue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "buffer.db")
	now := time.Unix(1_800_000_000, 0).UTC()
	b := open(t, path, Options{Now: func() time.Time { return now }})
	enqueue(t, b, `"a"`, `"b"`, `"c"`)
	enqueue(t, b, `"d"`)
	items, err := b.Peek(2, 1<<20, func(seq uint64) bool { return seq == 1 })
	if err != nil || len(items) != 2 || string(items[0].Event) != `"b"` || string(items[1].Event) != `"c"` {
		t.Fatalf("peek: %v %v", items, err)
	}
	if items, err = b.Peek(9, 1, nil); err != nil || len(items) != 1 {
		t.Fatalf("a byte's worth is one event, got %v %v", items, err)
	}
	if err := b.Settle([]Place{{Seq: 2}, {Seq: 99}}, []Refusal{{Place: Place{Seq: 3}, Code: "out_of_range", Message: "too large"}, {Place: Place{Seq: 98}, Code: "x"}}); err != nil {
		t.Fatal(err)
	}
	check := func(b *Buffer) {
		t.Helper()
		if got := waiting(t, b); !reflect.DeepEqual(got, []string{`"a"`, `"d"`}) {
			t.Errorf("waiting: %v", got)
		}
		dead, err := deadLetters(b)
		want := []Dead{{ID: 1, Code: "out_of_range", Message: "too large", At: now, Event: []byte(`"c"`)}}
		if err != nil || !reflect.DeepEqual(dead, want) {
			t.Errorf("dead letters: %+v %v", dead, err)
		}
		s := b.Status()
		s.FileBytes = 0
		if want := (Status{Waiting: 2, WaitingBytes: 6, Dead: map[string]int{"out_of_range": 1}, DeadKept: 1, Created: now}); !reflect.DeepEqual(s, want) {
			t.Errorf("status %+v, want %+v", s, want)
		}
	}
	check(b)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.Update(func(*Tx) error { return nil }); !errors.Is(err, os.ErrClosed) {
		t.Errorf("update after close: %v", err)
	}
	check(open(t, path, Options{}))
	for name, want := range map[string]fs.FileMode{path: 0o600, filepath.Dir(path): 0o700 | fs.ModeDir} {
		if info, err := os.Stat(name); err != nil || info.Mode() != want {
			t.Errorf("%s: %v %v, want %v", name, info.Mode(), err, want)
		}
	}
}

func TestAllOrNothing(t *testing.T) {
	b := open(t, filepath.Join(t.TempDir(), "b"), Options{})
	stop := errors.New("stop")
	err := b.Update(func(tx *Tx) error {
		if err := errors.Join(tx.Enqueue([]byte("1")), tx.Put(Accounts, []byte("k"), []byte("v"))); err != nil {
			t.Error(err)
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
	if got, _ := load(t, b, Accounts); len(waiting(t, b)) != 0 || len(got) != 0 {
		t.Error("something was kept of a transaction that failed")
	}
}

func TestBounds(t *testing.T) {
	b := open(t, filepath.Join(t.TempDir(), "b"), Options{MaxEvents: 3, MaxDead: 2})
	enqueue(t, b, "1", "2", "3", "4", "5")
	if got := waiting(t, b); !reflect.DeepEqual(got, []string{"3", "4", "5"}) {
		t.Errorf("waiting %v", got)
	}
	if err := b.Settle(nil, []Refusal{{Place: Place{Seq: 3}, Code: "a"}, {Place: Place{Seq: 4}, Code: "b"}, {Place: Place{Seq: 5}, Code: "b"}}); err != nil {
		t.Fatal(err)
	}
	s := b.Status()
	if s.Dropped != 2 || s.DeadKept != 2 || !reflect.DeepEqual(s.Dead, map[string]int{"a": 1, "b": 2}) {
		t.Errorf("status %+v", s)
	}
	dead, err := deadLetters(b)
	if err != nil || len(dead) != 2 || string(dead[0].Event) != "5" {
		t.Errorf("dead %v %v", dead, err)
	}

	bytes := open(t, filepath.Join(t.TempDir(), "c"), Options{MaxBytes: 10})
	enqueue(t, bytes, "1234", "5678", "90", "ab")
	if got := waiting(t, bytes); !reflect.DeepEqual(got, []string{"5678", "90", "ab"}) {
		t.Errorf("waiting %v", got)
	}
	for i := range 2 * maxDeadCodes { // a server that invents codes
		enqueue(t, bytes, "x")
		items, err := bytes.Peek(1, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := bytes.Settle(nil, []Refusal{{Place: items[0].Place, Code: fmt.Sprint("code", i)}}); err != nil {
			t.Fatal(err)
		}
	}
	if d := bytes.Status().Dead; len(d) != maxDeadCodes+1 || d[otherCode] != maxDeadCodes {
		t.Errorf("%d codes: %v", len(d), d)
	}
}

func TestLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b")
	open(t, path, Options{})
	_, err := Open(path, Options{LockTimeout: 100 * time.Millisecond})
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "another trackerd") {
		t.Errorf("got %v", err)
	}
	if aside, _ := filepath.Glob(path + asideSuffix + "*"); len(aside) > 0 {
		t.Errorf("a file in use was set aside: %v", aside)
	}
}

// A full disk is an error and no damage; what can be sent still goes.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatalf("mounting a small disk: %v (this test needs root)", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	path := filepath.Join(dir, "buffer.db")
	b, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	event := strings.Repeat("x", 10_000)
	stored := 0
	for ; stored < 1000; stored++ {
		if err = b.Update(func(tx *Tx) error { return tx.Enqueue([]byte(event)) }); err != nil {
			break
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("after %d events: %v, want no space", stored, err)
	}
	if got := waiting(t, b); len(got) != stored {
		t.Errorf("%d wait, %d were stored", len(got), stored)
	}
	for range 3 {
		items, err := b.Peek(20, 1<<20, nil)
		if err != nil {
			t.Fatal(err)
		}
		var seqs []Place
		for _, it := range items {
			seqs = append(seqs, it.Place)
		}
		if err := b.Settle(seqs, nil); err != nil {
			t.Fatalf("deleting on a full disk: %v", err)
		}
	}
	enqueue(t, b, event) // into the space that became free
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	// And a start while the disk is full to the last byte.
	f, err := os.Create(filepath.Join(dir, "rest"))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	f.Close()
	b = open(t, path, Options{})
	if got := waiting(t, b); len(got) != max(stored-60, 0)+1 {
		t.Errorf("%d wait after the restart, %d were stored", len(got), stored)
	}
	if s := b.Status(); s.Replaced != 0 {
		t.Errorf("a full disk was taken for damage: %+v", s)
	}
	b.Close()
}

// appendForEver commits one event after the other and names each when it is
// durable.
func appendForEver(path string) error {
	b, err := Open(path, Options{})
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		if err := b.Update(func(tx *Tx) error {
			return errors.Join(tx.Enqueue([]byte(strconv.Itoa(i))), tx.Put(Accounts, []byte("last"), []byte(strconv.Itoa(i))))
		}); err != nil {
			return err
		}
		if _, err := fmt.Println(i); err != nil {
			return err
		}
	}
}

// kill -9 at any moment: everything that was committed is there, once, and the
// state is of the same transaction.
func TestKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), childFile)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for round := range 5 {
		cmd := exec.Command(self)
		cmd.Dir = filepath.Dir(path)
		cmd.Env = append(os.Environ(), childEnv+"=1")
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		last := ""
		lines := bufio.NewScanner(out)
		for n := 0; n < 20+round*7 && lines.Scan(); n++ {
			last = lines.Text()
		}
		cmd.Process.Kill()
		for lines.Scan() {
			last = lines.Text()
		}
		cmd.Wait()
		b, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		got, bad := load(t, b, Accounts)
		events := waiting(t, b)
		reported, err := strconv.Atoi(last)
		if err != nil {
			t.Fatalf("the child reported %q", last)
		}
		if n := len(events); bad > 0 || n < reported+1 || events[n-1] != got["last"] || got["last"] != strconv.Itoa(n-1) {
			t.Errorf("reported up to %s, %d events wait, state %v, bad %d", last, n, got, bad)
		}
		var all []Place
		items, err := b.Peek(1<<20, 1<<30, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range items {
			all = append(all, it.Place)
		}
		if err := b.Settle(all, nil); err != nil {
			t.Fatal(err)
		}
		b.Close()
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, per := range []int{1, 100} {
		b.Run(fmt.Sprintf("%d_a_commit", per), func(b *testing.B) {
			buf, err := Open(filepath.Join(b.TempDir(), "b"), Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer buf.Close()
			event := []byte(strings.Repeat("x", 600))
			for b.Loop() {
				if err := buf.Update(func(tx *Tx) error {
					for range per {
						if err := tx.Enqueue(event); err != nil {
							return err
						}
					}
					return nil
				}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*per)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

func BenchmarkAck(b *testing.B) {
	buf, err := Open(filepath.Join(b.TempDir(), "b"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer buf.Close()
	event := []byte(strings.Repeat("x", 600))
	acked := 0
	for b.Loop() {
		b.StopTimer()
		if err := buf.Update(func(tx *Tx) error {
			for range 1000 {
				if err := tx.Enqueue(event); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		items, err := buf.Peek(1000, 1<<30, nil)
		if err != nil {
			b.Fatal(err)
		}
		seqs := make([]Place, 0, len(items))
		for _, it := range items {
			seqs = append(seqs, it.Place)
		}
		if err := buf.Settle(seqs, nil); err != nil {
			b.Fatal(err)
		}
		acked += len(seqs)
	}
	b.ReportMetric(float64(acked)/b.Elapsed().Seconds(), "events/s")
}
