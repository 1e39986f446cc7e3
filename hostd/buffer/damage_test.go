package buffer

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	someEvents  = 500
	eventPrefix = "event number "
)

// some makes a buffer with events and state, closes it, and returns its bytes.
func some(t *testing.T) (path string, content []byte) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "b")
	b := open(t, path, Options{})
	var events []string
	for i := range someEvents {
		events = append(events, fmt.Sprint(eventPrefix, i, strings.Repeat("-", 200)))
	}
	enqueue(t, b, events...)
	for i := range 40 {
		put(t, b, Accounts, fmt.Sprint("session", i), fmt.Sprint("account ", i))
	}
	put(t, b, Records, "r", "record")
	b.Close()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, content
}

// works fails unless the buffer takes and returns events, and only true ones.
func works(t *testing.T, path string) (rescued int, s Status) {
	t.Helper()
	b := open(t, path, Options{Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	defer b.Close()
	use := func() []string {
		for range 3 { // damage may show with each use; each is repaired
			var got []string
			items, err := b.Peek(1<<20, 1<<30, nil)
			for _, it := range items {
				got = append(got, string(it.Event))
			}
			if err == nil {
				err = b.Update(func(tx *Tx) error { return tx.Enqueue([]byte(eventPrefix + "new")) })
			}
			if err == nil {
				_, err = b.Load(Accounts, func(k, v []byte) error {
					if string(v) != "account "+strings.TrimPrefix(string(k), "session") {
						t.Errorf("account %q is %q", k, v)
					}
					return nil
				})
			}
			if err == nil {
				return got
			}
			if !errors.Is(err, ErrReplaced) {
				t.Fatal(err)
			}
		}
		t.Fatal("the buffer does not recover")
		return nil
	}
	got := use()
	for i, e := range got {
		if !strings.HasPrefix(e, eventPrefix) {
			t.Fatalf("event %d is %q", i, e)
		}
	}
	sorted := slices.Clone(got)
	slices.Sort(sorted)
	sorted = slices.DeleteFunc(sorted, func(e string) bool { return e == eventPrefix+"new" })
	unique := slices.Compact(slices.Clone(sorted))
	if len(unique) != len(sorted) {
		t.Errorf("%d events come twice", len(sorted)-len(unique))
	}
	if again := waiting(t, b); len(again) == 0 || again[len(again)-1] != eventPrefix+"new" {
		t.Error("a new event is not there")
	}
	return len(unique), b.Status()
}

func TestDamagedFile(t *testing.T) {
	path, whole := some(t)
	page := os.Getpagesize()
	flipped := slices.Clone(whole)
	at := bytes.Index(flipped, []byte(eventPrefix+"250"))
	flipped[at] ^= 1
	noMeta := slices.Clone(whole)
	for i := range 2 * page {
		noMeta[i] = 0xff
	}
	// The list of free pages claims more than there is memory.
	hugeFreelist := slices.Clone(whole)
	for p := 2; p < len(whole)/page; p++ {
		if head := hugeFreelist[p*page:]; head[8] == 0x10 { // freelistPageFlag
			copy(head[10:], []byte{0xff, 0xff})
			copy(head[16:], bytes.Repeat([]byte{0x7f}, 7))
		}
	}
	tests := []struct {
		name    string
		content []byte
		least   int // events that must be left
		lost    bool
	}{
		{"whole", whole, someEvents, false},
		{"a bit of an event", flipped, someEvents - 1, false},
		{"empty", nil, 0, true},
		{"garbage", bytes.Repeat([]byte("garbage "), 20_000), 0, true},
		{"text", []byte("hello\n"), 0, true},
		{"no header", noMeta, 0, true},
		{"half", whole[:len(whole)/2], 0, true},
		{"one page", whole[:page], 0, true},
		{"a free list as large as memory", hugeFreelist, someEvents, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := os.WriteFile(path, tt.content, 0o600); err != nil {
				t.Fatal(err)
			}
			rescued, s := works(t, path)
			if rescued < tt.least {
				t.Errorf("%d events are left, want %d", rescued, tt.least)
			}
			if (s.Replaced > 0) != tt.lost || (s.SetAside != "") != tt.lost {
				t.Errorf("status %+v", s)
			}
			if tt.lost {
				if _, err := os.Stat(s.SetAside); err != nil {
					t.Error(err)
				}
			}
			if tt.name == "a bit of an event" && s.Corrupt != 1 {
				t.Errorf("%d counted as corrupt", s.Corrupt)
			}
			again, _ := works(t, path) // and the next start finds a good file
			if again < rescued {
				t.Errorf("%d events after another start, %d before", again, rescued)
			}
		})
	}
	if aside, _ := filepath.Glob(path + asideSuffix + "*"); len(aside) > keepAside {
		t.Errorf("%d damaged files are kept", len(aside))
	}
}

// Cut anywhere: what lies beyond the file's end is a memory fault when it is
// read, and must not end the process.
func TestTruncated(t *testing.T) {
	path, whole := some(t)
	for n := os.Getpagesize() / 2; n < len(whole); n += os.Getpagesize() / 2 {
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		works(t, path)
	}
}

// Whatever is overwritten wherever: no crash, no event that was not stored.
func TestRandomDamage(t *testing.T) {
	path, whole := some(t)
	rescued := 0
	for seed := range uint64(60) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		bad := slices.Clone(whole)
		n := 1 + rnd.IntN(64)
		at := rnd.IntN(len(bad) - n)
		if rnd.IntN(2) == 0 { // the headers are where damage hurts
			at = at / os.Getpagesize() * os.Getpagesize()
		}
		for i := range n {
			bad[at+i] = byte(rnd.IntN(256))
		}
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		left, _ := works(t, path)
		rescued += left
	}
	if rescued < 60*someEvents*8/10 {
		t.Errorf("%d of %d events were rescued", rescued, 60*someEvents)
	}
	t.Logf("%d of %d events were rescued", rescued, 60*someEvents)
}

// A file whose opening ends the process is left alone the fourth time.
func TestOpeningKills(t *testing.T) {
	path, _ := some(t)
	if err := os.WriteFile(path+".opening", []byte("3"), 0o600); err != nil {
		t.Fatal(err)
	}
	rescued, s := works(t, path)
	if rescued != 0 || s.Replaced != 1 || s.Lost.IsZero() {
		t.Errorf("%d events, %+v", rescued, s)
	}
	if _, err := os.Stat(path + ".opening"); !os.IsNotExist(err) {
		t.Errorf("the mark is still there: %v", err)
	}
}

func TestStateIsChecked(t *testing.T) {
	path, whole := some(t)
	at := bytes.Index(whole, []byte("account 7"))
	whole[at] ^= 0x20
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	b := open(t, path, Options{})
	got, bad := load(t, b, Accounts)
	if len(got) != 39 || bad != 1 || b.Status().Corrupt != 1 {
		t.Errorf("%d good, %d bad, %+v", len(got), bad, b.Status())
	}
	if _, bad = load(t, b, Accounts); bad != 0 {
		t.Error("the damaged value is still there")
	}
}

// When all state is read, a damaged queue is no reason to distrust it.
func TestStateOutlivesQueue(t *testing.T) {
	path, whole := some(t)
	created := func() time.Time {
		b := open(t, path, Options{})
		defer b.Close()
		return b.Status().Created
	}
	before := created()
	at := bytes.Index(whole, []byte(eventPrefix+"300")) / os.Getpagesize() * os.Getpagesize()
	copy(whole[at:], bytes.Repeat([]byte{0xff}, 16))
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	rescued, s := works(t, path)
	if s.Replaced != 1 || !s.Created.Equal(before) || !s.Lost.IsZero() {
		t.Errorf("status %+v, created before: %v", s, before)
	}
	if rescued < someEvents*9/10 || rescued == someEvents {
		t.Errorf("%d of %d events were rescued", rescued, someEvents)
	}
}

func TestCompact(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b")
	b := open(t, path, Options{})
	event := strings.Repeat("x", 1<<20)
	var events []string
	for range compactFrom>>20 + 8 {
		events = append(events, event)
	}
	enqueue(t, b, events...)
	put(t, b, Machines, "m", "span")
	items, err := b.Peek(len(events)-2, 1<<40, nil)
	if err != nil {
		t.Fatal(err)
	}
	var seqs []Place
	for _, it := range items {
		seqs = append(seqs, it.Place)
	}
	if err := b.Settle(seqs, nil); err != nil {
		t.Fatal(err)
	}
	b.Close()
	if err := os.WriteFile(path+".compact", []byte("left by a crash"), 0o600); err != nil {
		t.Fatal(err)
	}
	b = open(t, path, Options{})
	if s := b.Status(); s.FileBytes >= compactFrom/2 || s.Waiting != 2 {
		t.Errorf("status %+v", s)
	}
	if got := waiting(t, b); len(got) != 2 || got[1] != event {
		t.Errorf("%d events", len(got))
	}
	if got, _ := load(t, b, Machines); got["m"] != "span" {
		t.Errorf("state %v", got)
	}
	enqueue(t, b, "new") // numbers go on
	if got := waiting(t, b); len(got) != 3 || got[2] != "new" {
		t.Errorf("%d events", len(got))
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

func FuzzUnwrap(f *testing.F) {
	f.Add([]byte("key"), []byte("value"), 3)
	f.Fuzz(func(t *testing.T, key, value []byte, flip int) {
		v := wrap(key, value)
		if got, ok := unwrap(key, v); !ok || !bytes.Equal(got, value) {
			t.Fatalf("%q came back as %q", value, got)
		}
		v[uint(flip)%uint(len(v))] ^= 1
		if _, ok := unwrap(key, v); ok {
			t.Fatal("a flipped bit passed")
		}
		if got, ok := unwrap(key, value); ok && len(value) < crcBytes {
			t.Fatalf("%q passed", got)
		}
	})
}

// TestLostEventsLeaveNoBytesBehind: events that damage took without a word take their
// bytes with them, else the bound would drop all but the newest for ever.
func TestLostEventsLeaveNoBytesBehind(t *testing.T) {
	b := open(t, filepath.Join(t.TempDir(), "b"), Options{MaxBytes: 100})
	enqueue(t, b, "a1", "b2")
	if err := b.Update(func(tx *Tx) error {
		tx.counts.Waiting += 2
		tx.counts.WaitingBytes += 98
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got := waiting(t, b); !slices.Equal(got, []string{"a1", "b2"}) {
		t.Fatalf("%q wait", got)
	}
	enqueue(t, b, "c3")
	if got, s := waiting(t, b), b.Status(); !slices.Equal(got, []string{"a1", "b2", "c3"}) || s.WaitingBytes != 6 || s.Dropped != 0 {
		t.Errorf("%q wait, %+v", got, s)
	}
}
