package upload

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/hostd/buffer"
)

// stock puts numbered events into a buffer of its own and returns its path.
func stock(t *testing.T, n int, o buffer.Options) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "b")
	b, err := buffer.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	const atOnce = 10_000
	for from := 0; from < n; from += atOnce {
		err := b.Update(func(tx *buffer.Tx) error {
			for i := from; i < min(from+atOnce, n); i++ {
				if err := tx.Enqueue(fmt.Appendf(nil, `{"machine_id":"vm-abc123-ann","n":%d}`, i)); err != nil {
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

// rigOn starts an uploader on the buffer at path.
func rigOn(t *testing.T, path string, o buffer.Options) *rig {
	t.Helper()
	r := newRig(t)
	b, err := buffer.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	r.buf, r.up.queue = b, b
	return r
}

// numbers are those of the events that the server has, in order, each once.
func (r *rig) numbers() []int {
	r.t.Helper()
	got := make([]int, 0, len(r.srv.stored))
	for e, times := range r.srv.stored {
		var n int
		if _, err := fmt.Sscanf(e, `{"machine_id":"vm-abc123-ann","n":%d}`, &n); err != nil || times != 1 {
			r.t.Fatalf("%s came %d times (%v)", e, times, err)
		}
		got = append(got, n)
	}
	slices.Sort(got)
	return got
}

// TestBacklogOf200000: an agent that was cut off for months sends all of it, in
// batches one after the other.
func TestBacklogOf200000(t *testing.T) {
	const n = 200_000
	r := rigOn(t, stock(t, n, buffer.Options{}), buffer.Options{})
	began := time.Now()
	if p := r.round(); p.state != StateWaiting {
		t.Fatalf("%+v, %+v", p, r.up.Status())
	}
	t.Logf("sent in %s", time.Since(began).Round(time.Millisecond))
	if got := r.numbers(); len(got) != n || got[0] != 0 || got[n-1] != n-1 || r.srv.requests != n/maxBatch || r.buf.Status().Waiting != 0 {
		t.Errorf("the server has %d in %d requests, %+v wait", len(got), r.srv.requests, r.buf.Status())
	}
}

// TestFullBufferKeepsTheNewest: what the bound costs is the oldest, and it is counted.
func TestFullBufferKeepsTheNewest(t *testing.T) {
	const n, kept = 2500, 1800
	o := buffer.Options{MaxEvents: kept}
	r := rigOn(t, stock(t, n, o), o)
	if s := r.buf.Status(); s.Waiting != kept || s.Dropped != n-kept {
		t.Fatalf("status %+v", s)
	}
	r.round()
	if got := r.numbers(); len(got) != kept || got[0] != n-kept {
		t.Errorf("the server has %d, from %d on; want the newest %d", len(got), got[0], kept)
	}
}

// TestDamagedBacklogIsRescued: of a file with a damaged page and damaged counts all
// that can be read is sent, once, and what was lost is told.
func TestDamagedBacklogIsRescued(t *testing.T) {
	const n = 20_000
	path := stock(t, n, buffer.Options{})
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	middle := bytes.Index(file, []byte(`"n":10000}`)) / page * page
	copy(file[middle:middle+page], bytes.Repeat([]byte{0xa5}, page))
	file = bytes.ReplaceAll(file, []byte(`"waiting_bytes"`), []byte(`"waiting_bites"`))
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	r := rigOn(t, path, buffer.Options{})
	r.round()
	got := r.numbers()
	s := r.buf.Status()
	if lost := n - len(got); lost < 1 || lost > page/20 || s.Replaced != 1 || !strings.Contains(s.SetAside, ".damaged-") {
		t.Errorf("%d events were lost with a page, status %+v", lost, s)
	}
	if got[0] != 0 || got[len(got)-1] != n-1 {
		t.Errorf("the server has events %d to %d, want those before and behind the page", got[0], got[len(got)-1])
	}
}
