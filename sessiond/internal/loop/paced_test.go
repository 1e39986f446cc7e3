package loop

import (
	"context"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/internal/counting"
	"activity-tracker.example/sessiond/wire"
)

// window is how long pacedSource's events gather, in milliseconds.
const window counting.Instant = 40

// pacedSource is readable once, and lets that gather for window.
type pacedSource struct {
	t       *testing.T
	now     func() counting.Instant
	fd      int
	due     counting.Instant
	noticed int
	drained []counting.Instant
	enough  context.CancelFunc
}

func (s *pacedSource) FD() int { return s.fd }

func (s *pacedSource) Notice(now counting.Instant) {
	var b [8]byte
	if _, err := unix.Read(s.fd, b[:]); err == nil { // not readable any more, as a set that was asked
		s.noticed++
		s.due = now + window
	}
}

func (s *pacedSource) Due() (counting.Instant, bool) { return s.due, s.due != 0 }

func (s *pacedSource) Drain(until counting.Instant) (got, news bool, err error) {
	if s.due != 0 && until < s.due {
		s.t.Errorf("drained at %d, due at %d", until, s.due)
	}
	s.drained = append(s.drained, until)
	const again = 3
	if s.due += window; len(s.drained) == again {
		s.due = 0
		s.enough()
	}
	return true, true, nil
}

func (s *pacedSource) Fill(*wire.Report, counting.Instant) {}
func (s *pacedSource) Restart(counting.Instant)            {}
func (s *pacedSource) SetTitles(counting.Retitle)          {}
func (s *pacedSource) Garbage() int                        { return 0 }
func (s *pacedSource) Close()                              {}

// TestPaced: a source that paces itself is drained when it asked for it, and again as
// long as it reports so, without being readable again.
func TestPaced(t *testing.T) {
	t.Parallel()
	ctx, enough := context.WithTimeout(t.Context(), time.Minute)
	defer enough()
	fd, err := unix.Eventfd(1, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _, _ = unix.Close(fd), unix.Close(fds[0]), unix.Close(fds[1]) }()
	s := &pacedSource{t: t, fd: fd, enough: enough}
	err = Run(ctx, Options{
		// The interval is long: its end drains too.
		Open: func(now func() counting.Instant) (Source, error) { s.now = now; return s, nil }, Interval: time.Hour, Socket: fds[0],
	})
	if err != nil {
		t.Fatal(err)
	}
	// One more when it was asked to stop.
	if s.noticed != 1 || len(s.drained) < 3 || len(s.drained) > 4 {
		t.Errorf("noticed %d times, drained at %v", s.noticed, s.drained)
	}
}
