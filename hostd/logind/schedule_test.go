package logind

import (
	"testing"
	"time"
)

func TestScheduleReadsAgainWhileThingsSettle(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	s := newSchedule(start, settle())
	if !s.next.Equal(start) {
		t.Fatal("the first listing has to be at once")
	}
	s.read(start, start)
	for _, after := range settle() {
		if got := s.next.Sub(start); got != after {
			t.Fatalf("next listing after %v, want %v", got, after)
		}
		s.read(s.next, s.next)
	}
	if got := s.next.Sub(s.lastRead); got != resync {
		t.Errorf("after things settled the next listing is in %v, want %v", got, resync)
	}
}

func TestSchedulePokeComesSoonButNotTooOften(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	s := newSchedule(now, settle())
	s.read(now, now)
	s.poked(now)
	if got := s.next.Sub(now); got != minGap {
		t.Errorf("poked right after a listing: next in %v, want %v", got, minGap)
	}
	later := now.Add(time.Hour)
	s.next = later.Add(time.Hour)
	s.poked(later)
	if got := s.next.Sub(later); got != coalesce {
		t.Errorf("poked after a quiet time: next in %v, want %v", got, coalesce)
	}
}

// Listings that take long, since there are many sessions, leave most of the time
// to others, but never wait for long.
func TestScheduleAfterALongListing(t *testing.T) {
	for took, want := range map[time.Duration]time.Duration{
		time.Millisecond:       minGap,
		100 * time.Millisecond: 900 * time.Millisecond,
		10 * time.Second:       maxGap,
	} {
		now := time.Unix(1_000_000, 0)
		s := newSchedule(now, settle())
		s.read(now.Add(-took), now)
		s.poked(now)
		if got := s.next.Sub(now); got != want {
			t.Errorf("after a listing of %v the next one comes in %v, want %v", took, got, want)
		}
	}
}

// A stream of signals must not keep the list from being read, nor have it read
// without end.
func TestScheduleUnderAFlood(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	s := newSchedule(now, settle())
	listings := 0
	for range 10_000 { // 10 s of a signal each millisecond
		now = now.Add(time.Millisecond)
		s.poked(now)
		if !s.next.After(now) {
			s.read(now, now)
			listings++
		}
	}
	if listings < 40 || listings > 51 {
		t.Errorf("%d listings in 10 s, want about 50", listings)
	}
}
