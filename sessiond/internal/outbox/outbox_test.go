package outbox

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/wire"
)

// pair is an outbox with a socket buffer (0: the least) and the end that reads it.
func pair(t *testing.T, buffer int) (*Outbox, int) {
	t.Helper()
	o, fd, closeReader := closablePair(t, buffer)
	t.Cleanup(closeReader)
	return o, fd
}

// closablePair is a pair whose reading end is closed by its caller, once: a
// number closed twice may by then be another test's.
func closablePair(t *testing.T, buffer int) (o *Outbox, fd int, closeReader func()) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fds[0]) })
	if err := unix.SetsockoptInt(fds[0], unix.SOL_SOCKET, unix.SO_SNDBUF, buffer); err != nil { // the kernel has a least
		t.Fatal(err)
	}
	return New(fds[0]), fds[1], func() { _ = unix.Close(fds[1]) }
}

// receive reads everything that is there.
func receive(t *testing.T, fd int) []wire.Report {
	t.Helper()
	var all []wire.Report
	b := make([]byte, wire.MaxMessageBytes)
	for {
		n, _, err := unix.Recvfrom(fd, b, unix.MSG_DONTWAIT)
		if err != nil || n == 0 {
			return all
		}
		r, err := wire.Decode(b[:n])
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
}

func put(t *testing.T, o *Outbox, interval int64, keys uint64) {
	t.Helper()
	r := wire.Report{IntervalStartUnix: interval, Counters: wire.Counters{Keys: keys}}
	if err := o.Put(&r); err != nil {
		t.Fatalf("Put: %v", err)
	}
}

// TestDaemonAway: while nobody reads, each interval keeps its newest report;
// then they come in order, before anything newer.
func TestDaemonAway(t *testing.T) {
	t.Parallel()
	o, fd := pair(t, 0)
	keys := uint64(0)
	for interval := int64(0); interval < 60; interval++ {
		for range 12 {
			keys++
			put(t, o, interval, keys)
		}
	}
	if !o.Waiting() {
		t.Fatal("the socket never was full")
	}
	put(t, o, 60, keys+1)
	got := receive(t, fd)
	for o.Waiting() {
		if err := o.Flush(); err != nil {
			t.Fatal(err)
		}
		got = append(got, receive(t, fd)...)
	}
	last := map[int64]uint64{}
	for i, r := range got {
		if i > 0 && r.Counters.Keys <= got[i-1].Counters.Keys {
			t.Fatalf("%d keys after %d", r.Counters.Keys, got[i-1].Counters.Keys)
		}
		last[r.IntervalStartUnix] = r.Counters.Keys
	}
	for interval := int64(0); interval < 60; interval++ {
		if want := uint64(interval+1) * 12; last[interval] != want {
			t.Errorf("interval %d ends with %d keys, want %d", interval, last[interval], want)
		}
	}
	if last[60] != keys+1 {
		t.Errorf("the newest report did not come")
	}
}

// TestBounds: a daemon that never comes back costs a bounded amount of memory,
// and the newest reports are the ones kept.
func TestBounds(t *testing.T) {
	t.Parallel()
	o, _ := pair(t, wire.MaxMessageBytes)
	for interval := range int64(1000) {
		put(t, o, interval, uint64(interval))
	}
	if len(o.pending) != maxPending {
		t.Fatalf("%d reports wait, want %d", len(o.pending), maxPending)
	}
	full := wire.Report{}
	for range wire.MaxFocus {
		full.Focus = append(full.Focus, wire.Focus{App: "app", Title: string(make([]byte, wire.MaxTitleBytes))})
	}
	for i := range int64(100) {
		full.IntervalStartUnix = 1000 + i
		if err := o.Put(&full); err != nil {
			t.Fatal(err)
		}
		sum := 0
		for _, p := range o.pending {
			sum += len(p.data)
		}
		if sum != o.bytes || sum > maxPendingBytes {
			t.Fatalf("%d bytes wait, counted as %d", sum, o.bytes)
		}
	}
	if last := o.pending[len(o.pending)-1].interval; last != 1099 {
		t.Errorf("the newest that waits is of interval %d", last)
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	for _, full := range []bool{false, true} {
		o, _, closeReader := closablePair(t, 0)
		for i := int64(0); full && !o.Waiting(); i++ {
			put(t, o, i, 1)
		}
		closeReader()
		if err := o.Put(&wire.Report{}); !errors.Is(err, ErrClosed) {
			t.Errorf("Put to a closed socket: %v", err)
		}
	}
}

// TestHear: a report is in the version that the daemon named last, also one that
// has waited since before, and in the oldest one that daemons read until then.
func TestHear(t *testing.T) {
	t.Parallel()
	o, fd := pair(t, 0)
	hear := func(packet []byte) {
		t.Helper()
		if err := unix.Send(fd, packet, unix.MSG_DONTWAIT); err != nil {
			t.Fatal(err)
		}
		if rules, err := o.Hear(); err != nil || wire.IsRules(rules) != wire.IsRules(packet) {
			t.Fatal(rules, err)
		}
	}
	want := func(version byte) {
		t.Helper()
		put(t, o, int64(version), 1)
		for _, r := range receive(t, fd) {
			if r.Version != version {
				t.Errorf("version %d, want %d", r.Version, version)
			}
		}
	}
	want(wire.Baseline)
	hear(wire.Ceiling(wire.Version))
	want(wire.Version)
	hear([]byte("no ceiling")) // changes nothing
	want(wire.Version)
	for i := int64(0); !o.Waiting(); i++ {
		put(t, o, i, 1)
	}
	receive(t, fd)
	hear(wire.Ceiling(wire.Baseline))
	if err := o.Flush(); err != nil {
		t.Fatal(err)
	}
	want(wire.Baseline)
	if rules, err := o.Hear(); err != nil || rules != nil {
		t.Errorf("hearing nothing: %v, %v", rules, err)
	}
}

// TestHearRules: of several packets all are taken, the last rules are returned whole,
// and one that is too long for any is not believed.
func TestHearRules(t *testing.T) {
	t.Parallel()
	o, fd := pair(t, 0)
	first, last := wire.Rules{ID: 1}, wire.Rules{ID: 2, Titles: true, Lists: [][]wire.Rule{{{Title: strings.Repeat("x", wire.MaxPatternBytes)}}}}
	for _, packet := range [][]byte{wire.AppendRules(nil, &first), wire.Ceiling(wire.Version), wire.AppendRules(nil, &last), []byte("nothing known")} {
		if err := unix.Send(fd, packet, unix.MSG_DONTWAIT); err != nil {
			t.Fatal(err)
		}
	}
	packet, err := o.Hear()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := wire.ParseRules(packet); err != nil || !reflect.DeepEqual(got, last) || o.version != wire.Version {
		t.Fatalf("%+v, %v, version %d", got, err, o.version)
	}
	long := append(wire.AppendRules(nil, &first), make([]byte, wire.MaxRulesBytes)...)
	if err := unix.Send(fd, long, unix.MSG_DONTWAIT); err != nil {
		t.Fatal(err)
	}
	packet, err = o.Hear()
	if _, malformed := wire.ParseRules(packet); err != nil || malformed == nil {
		t.Fatalf("%v, %v", err, malformed)
	}
}
