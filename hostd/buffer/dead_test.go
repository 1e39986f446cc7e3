package buffer

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// bury has n events of a text refused for good.
func bury(t *testing.T, b *Buffer, n int, text string) {
	t.Helper()
	var refused []Refusal
	for i := range n {
		enqueue(t, b, fmt.Sprintf(`"%d %s"`, i, text))
	}
	items, err := b.Peek(n, 1<<40, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range items {
		refused = append(refused, Refusal{Place: it.Place, Code: "bad_text"})
	}
	if err := b.Settle(nil, refused); err != nil {
		t.Fatal(err)
	}
}

// TestLookingAtDeadLettersHoldsUpNobody: any person may ask for their own among all
// that were refused, over and over.
func TestLookingAtDeadLettersHoldsUpNobody(t *testing.T) {
	b := open(t, filepath.Join(t.TempDir(), "b"), Options{})
	const n = 2*deadChunk + 1
	bury(t, b, n, "x")
	var ids []uint64
	err := b.DeadLetters("", func(d *Dead) bool {
		stored := make(chan error, 1)
		if len(ids) == deadChunk/2 {
			go func() { stored <- b.Update(func(tx *Tx) error { return tx.Enqueue([]byte("new")) }) }()
			select {
			case err := <-stored:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(10 * time.Second):
				t.Error("a record waits for whoever looks at what was refused")
			}
		}
		ids = append(ids, d.ID)
		return true
	})
	if err != nil || len(ids) != n || ids[0] != n || ids[n-1] != 1 {
		t.Errorf("%d of %d, from %d to %d, %v", len(ids), n, ids[0], ids[len(ids)-1], err)
	}
	var found []uint64
	if err := b.DeadLetters(`"7 x"`, func(d *Dead) bool { found = append(found, d.ID); return true }); err != nil || !slices.Equal(found, []uint64{8}) {
		t.Errorf("found %d, %v", found, err)
	}
	if err := b.DeadLetters("", func(*Dead) bool { ids = ids[:0]; return false }); err != nil || len(ids) != 0 {
		t.Errorf("went on: %v", err)
	}
}

// TestDeadLettersAreBoundedInBytes: long titles fill no disk, also after a start.
func TestDeadLettersAreBoundedInBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b")
	const each, most = 1000, 10_500
	o := Options{MaxDeadBytes: most}
	b := open(t, path, o)
	for range 2 {
		bury(t, b, 12, strings.Repeat("x", each))
		dead, err := deadLetters(b)
		if kept := b.Status().DeadKept; err != nil || len(dead) != kept || kept < 7 || kept > most/each {
			t.Errorf("%d kept, %d there, %v", kept, len(dead), err)
		}
		b.Close()
		b = open(t, path, o)
	}
	if n, err := b.DropDead(everyOne); err != nil || n < 7 || b.counts.DeadBytes != 0 {
		t.Errorf("%d dropped, %v; of none %d bytes are left", n, err, b.counts.DeadBytes)
	}
}
