package buffer

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	bolt "go.etcd.io/bbolt"
)

var (
	foreign = Group{Code: "foreign_machine", MachineID: "vm-1-ann"}
	longer  = Group{Code: "foreign_machine", MachineID: "vm-1-ann2"} // begins like the other
	ahead   = Group{Code: "bad_timestamp", MachineID: "vm-1-bob"}
)

// postpone has the events at these places of the queue wait in a group.
func postpone(t *testing.T, b *Buffer, g Group, seqs ...uint64) {
	t.Helper()
	var refused []Refusal
	for _, seq := range seqs {
		refused = append(refused, Refusal{Place: Place{Seq: seq}, Code: g.Code, Later: g})
	}
	if err := b.Settle(nil, refused); err != nil {
		t.Fatal(err)
	}
}

// inGroup returns what waits in a group, and checks the tally.
func inGroup(t *testing.T, b *Buffer, g Group) []string {
	t.Helper()
	items, err := b.PeekLater(g, 1<<30, 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	size := 0
	for _, it := range items {
		out = append(out, string(it.Event))
		size += len(it.Event)
	}
	if got, want := b.Later()[g], (Tally{len(items), int64(size)}); got != want {
		t.Errorf("%v has a tally of %+v, want %+v", g, got, want)
	}
	return out
}

func TestLater(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b")
	b := open(t, path, Options{})
	enqueue(t, b, "a1", "b2", "c3", "d4", "e5", "f6")
	postpone(t, b, foreign, 3, 1)
	postpone(t, b, longer, 2)
	postpone(t, b, ahead, 5)
	for range 2 { // also after another start
		for _, c := range []struct {
			g    Group
			want []string
		}{{foreign, []string{"a1", "c3"}}, {longer, []string{"b2"}}, {ahead, []string{"e5"}}, {Group{Code: "none"}, nil}} {
			if got := inGroup(t, b, c.g); !slices.Equal(got, c.want) {
				t.Errorf("%v has %q, want %q", c.g, got, c.want)
			}
		}
		if s := b.Status(); !slices.Equal(waiting(t, b), []string{"d4", "f6"}) || s.LaterEvents != 4 || len(b.Later()) != 3 {
			t.Errorf("%q wait, %+v", waiting(t, b), s)
		}
		b.Close()
		b = open(t, path, Options{})
	}
	// One is taken, one stays, one goes to another group, one is dead.
	err := b.Settle([]Place{{foreign, 1}}, []Refusal{
		{Place: Place{foreign, 3}, Code: foreign.Code, Later: foreign},
		{Place: Place{longer, 2}, Code: ahead.Code, Later: ahead},
		{Place: Place{ahead, 5}, Code: "out_of_range"},
		{Place: Place{Seq: 4}, Code: "erased", Forget: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := [][]string{inGroup(t, b, foreign), inGroup(t, b, longer), inGroup(t, b, ahead), waiting(t, b)}; !reflect.DeepEqual(got, [][]string{{"c3"}, nil, {"b2"}, {"f6"}}) {
		t.Errorf("got %q", got)
	}
	if s := b.Status(); s.Forgotten != 1 || s.DeadKept != 1 || s.LaterEvents != 2 {
		t.Errorf("status %+v", s)
	}
	if n, err := b.DropLater(func(g Group) bool { return g == ahead }); n != 1 || err != nil || len(inGroup(t, b, foreign)) != 1 {
		t.Errorf("dropped %d, %v", n, err)
	}
}

// What waits for later shares the bounds, and its oldest go first.
func TestLaterSharesTheBounds(t *testing.T) {
	for name, o := range map[string]Options{"events": {MaxEvents: 4}, "bytes": {MaxBytes: 8}} {
		b := open(t, filepath.Join(t.TempDir(), "b"), o)
		enqueue(t, b, "a1", "b2", "c3", "d4")
		postpone(t, b, longer, 1, 4)
		postpone(t, b, foreign, 3)
		enqueue(t, b, "e5", "f6")
		if got := [][]string{waiting(t, b), inGroup(t, b, foreign), inGroup(t, b, longer)}; !reflect.DeepEqual(got, [][]string{{"b2", "e5", "f6"}, nil, {"d4"}}) {
			t.Errorf("%s: got %q", name, got)
		}
		enqueue(t, b, "g7", "h8", "i9")
		if s := b.Status(); !slices.Equal(waiting(t, b), []string{"f6", "g7", "h8", "i9"}) || s.LaterEvents != 0 || s.Dropped != 5 {
			t.Errorf("%s: %q wait, %+v", name, waiting(t, b), s)
		}
	}
}

// A server that invents reasons, or a host with more accounts than any.
func TestGroupsAreBounded(t *testing.T) {
	b := open(t, filepath.Join(t.TempDir(), "b"), Options{})
	for i := range 3 * maxGroups {
		enqueue(t, b, "x")
		postpone(t, b, Group{Code: fmt.Sprint("code", i), MachineID: "m"}, uint64(i+1))
	}
	if n := len(b.Later()); n > 2*maxGroups+1 || b.Status().LaterEvents != 3*maxGroups {
		t.Errorf("%d groups, %+v", n, b.Status())
	}
}

// TestLaterIsRescued: what waits for later in a damaged file is taken over, and
// never meets what comes after it.
func TestLaterIsRescued(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b")
	b := open(t, path, Options{})
	enqueue(t, b, "a1", "b2", "c3")
	postpone(t, b, foreign, 1, 3)
	b.Close()
	damageMeta(t, path)
	b = open(t, path, Options{})
	if s := b.Status(); s.Replaced != 1 || !slices.Equal(waiting(t, b), []string{"b2"}) || !slices.Equal(inGroup(t, b, foreign), []string{"a1", "c3"}) {
		t.Fatalf("%q wait, %q later, %+v", waiting(t, b), inGroup(t, b, foreign), s)
	}
	enqueue(t, b, "d4", "e5", "f6")
	items, err := b.Peek(9, 1<<20, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range items {
		postpone(t, b, foreign, it.Seq)
	}
	if got := inGroup(t, b, foreign); !slices.Equal(got, []string{"a1", "c3", "b2", "d4", "e5", "f6"}) {
		t.Errorf("later %q", got)
	}
}

// damageMeta spoils the counts alone: everything else can be rescued.
func damageMeta(t *testing.T, path string) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error { return tx.Bucket([]byte(bucketMeta)).Put(countsKey(), []byte("spoilt")) })
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
}

func TestDeadLettersAreSentAgainOrDropped(t *testing.T) {
	b := open(t, filepath.Join(t.TempDir(), "b"), Options{})
	enqueue(t, b, `"a1"`, `"b2"`, `"c3"`)
	var refused []Refusal
	for i, code := range []string{"bad_text", "too_long", "bad_text"} {
		refused = append(refused, Refusal{Place: Place{Seq: uint64(i + 1)}, Code: code})
	}
	if err := b.Settle(nil, refused); err != nil {
		t.Fatal(err)
	}
	dead, err := deadLetters(b)
	if err != nil || len(dead) != 3 || string(dead[2].Event) != `"a1"` {
		t.Fatalf("%+v, %v", dead, err)
	}
	if n, err := b.Revive(func(d *Dead) bool { return d.ID == dead[2].ID }); n != 1 || err != nil || !slices.Equal(waiting(t, b), []string{`"a1"`}) {
		t.Errorf("%d sent again, %v, %q wait", n, err, waiting(t, b))
	}
	if s := b.Status(); s.DeadKept != 2 || !reflect.DeepEqual(s.Dead, map[string]int{"bad_text": 1, "too_long": 1}) {
		t.Errorf("status %+v", s)
	}
	if n, err := b.DropDead(everyOne); n != 2 || err != nil || b.Status().DeadKept != 0 || len(b.Status().Dead) != 0 {
		t.Errorf("%d dropped, %v, %+v", n, err, b.Status())
	}
}

// TestDamagedKeysOfLater: a flipped bit in a key, where no check of a value finds it,
// leads in no circles and leaves no group of which nothing can be sent.
func TestDamagedKeysOfLater(t *testing.T) {
	whole := laterKey(foreign, 7)
	for name, at := range map[string]int{
		"after the code": len(foreign.Code), "after the machine_id": len(whole) - seqBytes - 1,
	} {
		key := slices.Clone(whole)
		key[at] = 1
		path := filepath.Join(t.TempDir(), "b")
		b := open(t, path, Options{MaxEvents: 2})
		putRaw := func(tx *Tx) error {
			tx.counts.addLater(foreign, 1, 1) // before the bit flipped
			return tx.tx.Bucket([]byte(bucketLater)).Put(key, wrap(key, []byte("x")))
		}
		if err := b.Update(putRaw); err != nil {
			t.Fatal(err)
		}
		enqueue(t, b, "a1", "b2", "c3") // makes room
		if got := waiting(t, b); !slices.Equal(got, []string{"b2", "c3"}) {
			t.Errorf("%s: %q wait", name, got)
		}
		if err := b.Update(putRaw); err != nil {
			t.Fatal(err)
		}
		b.Close()
		b = open(t, path, Options{MaxEvents: 2})
		if s := b.Status(); len(b.Later()) != 0 || s.LaterEvents != 0 || s.Corrupt != 1 || s.Waiting != 2 {
			t.Errorf("%s: %v wait for later, %+v", name, b.Later(), s)
		}
	}
}
