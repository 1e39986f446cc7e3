package codec

import (
	"math"
	"slices"
	"time"

	"activity-tracker.example/server/api"
)

// Differing returns the buckets in which two sets of sums differ.
func Differing(want, have Buckets) []BucketKey {
	var wrong []BucketKey
	for k, t := range want {
		if h := have[k]; h == nil || !t.sameAs(h) {
			wrong = append(wrong, k)
		}
	}
	for k := range have {
		if want[k] == nil {
			wrong = append(wrong, k)
		}
	}
	return wrong
}

// BucketLength is the grain of roll-ups: the offsets of all time zones since 2000
// are multiples of it, so that it never straddles a local hour.
const BucketLength = 15 * time.Minute

// BucketKey names a roll-up: a machine, and a bucket's start in Unix
// microseconds.
type BucketKey struct {
	Machine int32
	Bucket  int64
}

// Sums are what a span of one machine's time adds up to, in whole milliseconds,
// so that the order of adding changes nothing.
type Sums struct {
	Events           int64
	Counts           api.Counts
	ActiveMS, IdleMS int64
	// First and last are Unix microseconds; zero where there was no activity.
	First, Last int64
	// AppMS is the focus time of each application.
	AppMS map[uint64]int64
}

// SumNumbers is how many numbers a sum has: events, counters, and two times.
const SumNumbers = 1 + api.CounterCount + 2

// NumberNames are the columns of the numbers of a sum, in their order.
func NumberNames() [SumNumbers]string {
	names := [SumNumbers]string{0: "events", SumNumbers - 2: "active_ms", SumNumbers - 1: "idle_ms"}
	for i, c := range api.Counters() {
		names[1+i] = c.Name
	}
	return names
}

// Numbers are what is added up in a sum, in the order of NumberNames.
func (t *Sums) Numbers() [SumNumbers]*int64 {
	all := [SumNumbers]*int64{0: &t.Events, SumNumbers - 2: &t.ActiveMS, SumNumbers - 1: &t.IdleMS}
	for i := range t.Counts {
		all[1+i] = &t.Counts[i]
	}
	return all
}

// isActivity reports whether counts show that somebody was there.
func isActivity(counts *api.Counts) bool {
	for i, c := range api.Counters() {
		if c.Activity && counts[i] > 0 {
			return true
		}
	}
	return false
}

// BucketOf returns the start of the bucket that a time in Unix microseconds lies in.
func BucketOf(micros int64) int64 { return micros - micros%BucketLength.Microseconds() }

// ToMillis returns seconds in whole milliseconds.
func ToMillis(seconds float64) int64 { return int64(math.Round(seconds * secondsScale)) }

// add adds one event. This alone defines what an event counts for:
// its active seconds if it has them, else its whole interval unless it is idle;
// the applications of its focus list, else its active one for the interval.
func (t *Sums) add(micros int64, e *api.Event, r *Refs) {
	t.Events++
	counts := e.Counts()
	t.Counts.Add(&counts)
	length := e.Interval() * secondsScale
	active := length
	switch {
	case e.ActiveSeconds != nil:
		active = min(ToMillis(*e.ActiveSeconds), length)
	case e.IsIdle:
		active = 0
	}
	t.ActiveMS += active
	t.IdleMS += length - active
	if e.ActiveSeconds != nil && *e.ActiveSeconds > 0 || isActivity(&counts) {
		if t.First == 0 || micros < t.First {
			t.First = micros
		}
		t.Last = max(t.Last, micros)
	}
	EachUse(e, r, func(use Ref, ms int64) { t.AddApp(use.App, ms) })
}

// EachUse calls tell with the milliseconds that each application and title had the
// focus: those of the focus list, else the active ones for the interval.
func EachUse(e *api.Event, r *Refs, tell func(Ref, int64)) {
	if len(e.Focus) == 0 {
		tell(r.Active, e.Interval()*secondsScale)
		return
	}
	for i := range e.Focus {
		tell(r.Focus[i], ToMillis(e.Focus[i].Seconds))
	}
}

// AddApp adds focus time of an application.
func (t *Sums) AddApp(app uint64, ms int64) {
	if app == 0 || ms == 0 {
		return
	}
	if t.AppMS == nil {
		t.AppMS = make(map[uint64]int64)
	}
	t.AppMS[app] += ms
}

// Merge adds what others add up to.
func (t *Sums) Merge(o *Sums) {
	mine, others := t.Numbers(), o.Numbers()
	for i := range mine {
		*mine[i] += *others[i]
	}
	t.noteActivity(o.First, o.Last)
	for app, ms := range o.AppMS {
		t.AddApp(app, ms)
	}
}

// noteActivity widens the time of activity by another; zeros are none.
func (t *Sums) noteActivity(first, last int64) {
	if first != 0 && (t.First == 0 || first < t.First) {
		t.First = first
	}
	t.Last = max(t.Last, last)
}

// sameAs reports whether two sums are equal.
func (t *Sums) sameAs(o *Sums) bool {
	if len(t.AppMS) != len(o.AppMS) {
		return false
	}
	for app, ms := range t.AppMS {
		if o.AppMS[app] != ms {
			return false
		}
	}
	return t.Events == o.Events && t.Counts == o.Counts && t.ActiveMS == o.ActiveMS && t.IdleMS == o.IdleMS &&
		t.First == o.First && t.Last == o.Last
}

// Buckets are sums by machine and bucket.
type Buckets map[BucketKey]*Sums

// Add adds one event to the bucket that it lies in.
func (b Buckets) Add(machine int32, micros int64, e *api.Event, r *Refs) {
	b.At(machine, BucketOf(micros)).add(micros, e, r)
}

// At returns the sums of a bucket, none where there were none.
func (b Buckets) At(machine int32, bucket int64) *Sums {
	k := BucketKey{machine, bucket}
	t := b[k]
	if t == nil {
		t = &Sums{}
		b[k] = t
	}
	return t
}

// Keys returns the buckets in order.
func (b Buckets) Keys() []BucketKey {
	list := make([]BucketKey, 0, len(b))
	for k := range b {
		list = append(list, k)
	}
	slices.SortFunc(list, func(x, y BucketKey) int {
		if x.Machine != y.Machine {
			return int(x.Machine) - int(y.Machine)
		}
		return int((x.Bucket - y.Bucket) / BucketLength.Microseconds())
	})
	return list
}

// Instant is nil for zero microseconds.
func Instant(micros int64) *time.Time {
	if micros == 0 {
		return nil
	}
	t := time.UnixMicro(micros).UTC()
	return &t
}

// Seconds returns milliseconds in seconds.
func Seconds(ms int64) float64 { return float64(ms) / secondsScale }

// Micros is the opposite of instant.
func Micros(t *time.Time) int64 {
	if t == nil {
		return 0
	}
	return t.UnixMicro()
}
