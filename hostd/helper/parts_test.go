package helper

import (
	"os"
	"testing"
	"time"
)

func TestBackoffGrowsAndForgets(t *testing.T) {
	var b backoff
	last := time.Duration(0)
	for i := range 40 {
		d := b.next(time.Second)
		if d < firstRestart || d > maxRestart+maxRestart/5 {
			t.Fatalf("wait %d is %v", i, d)
		}
		if i < 6 && d <= last {
			t.Fatalf("wait %d is %v after %v", i, d, last)
		}
		last = d
	}
	if last < maxRestart {
		t.Errorf("after 40 failures the wait is %v, want %v", last, maxRestart)
	}
	if d := b.next(steadyAfter); d >= 2*firstRestart {
		t.Errorf("after a steady life the wait is %v", d)
	}
}

func TestBucket(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	b := newBucket(now)
	for i := range burst {
		if !b.take(now) {
			t.Fatalf("report %d of a burst was refused", i)
		}
	}
	if b.take(now) {
		t.Error("a report beyond the burst was taken")
	}
	for range 100 { // a report each second is fine for ever
		now = now.Add(time.Second)
		if !b.take(now) {
			t.Fatal("a report after a second was refused")
		}
	}
	if !b.take(now.Add(-time.Hour)) { // the clock was set back
		t.Error("a clock set back made it refuse")
	}
}

func TestDeadSocketsComeFirst(t *testing.T) {
	liveOurs, liveTheirs, err := socketPair()
	if err != nil {
		t.Fatal(err)
	}
	deadOurs, deadTheirs, err := socketPair()
	if err != nil {
		t.Fatal(err)
	}
	_ = deadTheirs.Close()
	defer func() { _, _, _ = liveOurs.Close(), liveTheirs.Close(), deadOurs.Close() }()
	got := deadFirst([]*os.File{liveOurs, deadOurs})
	if got[0] != deadOurs || got[1] != liveOurs {
		t.Error("a live socket would be read before a dead one")
	}
}
