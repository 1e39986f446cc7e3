package codec

import (
	"math"
	"slices"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/minutes"
)

// Differing returns the buckets in which stored sums are not what events add up to,
// and those that are as far as it is known, but are estimated.
func Differing(want, stored Buckets) (wrong, estimated []BucketKey) {
	for k, t := range want {
		switch have := stored[k]; {
		case have == nil || !t.matches(have):
			wrong = append(wrong, k)
		case have.Estimated || !have.wholeMinutes():
			estimated = append(estimated, k)
		}
	}
	for k := range stored {
		if want[k] == nil {
			wrong = append(wrong, k)
		}
	}
	return wrong, estimated
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
	// Apps is the time of each application.
	Apps AppSums
	// Minutes are those of the events, as package minutes has them; of events that an
	// older server stored they are lacking.
	Minutes []byte
	// Estimated means that some of it was stored before it was known how much of an
	// application's time was active: that part was made of the whole span's.
	Estimated bool
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

// add adds one event. This alone, with EachUse, defines what an event counts for.
func (t *Sums) add(micros int64, e *api.Event, r *Refs) {
	t.Events++
	counts := e.Counts()
	t.Counts.Add(&counts)
	length, active := LengthOf(e)
	t.ActiveMS += active
	t.IdleMS += length - active
	if e.ActiveSeconds != nil && *e.ActiveSeconds > 0 || isActivity(&counts) {
		if t.First == 0 || micros < t.First {
			t.First = micros
		}
		t.Last = max(t.Last, micros)
	}
	EachUse(e, r, func(use Ref, of AppTime) { t.AddApp(use.App, of) })
	t.Minutes = minutes.Append(t.Minutes, BucketOf(micros), RecordOf(e))
}

// RecordOf returns what an event holds of its minutes. Who is not connected is not there,
// whether or not the screen is locked meanwhile. What was active in a part of the interval
// is spread over all of it: an event does not hold where that part lies.
func RecordOf(e *api.Event) minutes.Record {
	_, active := LengthOf(e)
	r := minutes.Record{Start: e.Timestamp.UnixMicro(), LengthMS: e.Interval() * secondsScale, ActiveMS: active, Rest: minutes.NoInput}
	switch {
	case e.Connected != nil && !*e.Connected:
		r.Rest = minutes.Disconnected
	case e.Locked != nil && *e.Locked:
		r.Rest = minutes.Locked
	}
	return r
}

// KnownMinutes returns the minutes of the events, and whether those of all are stored.
func (t *Sums) KnownMinutes() (minutes.Quarter, bool) {
	q, err := minutes.Decode(t.Minutes)
	return q, err == nil && q.Records == t.Events
}

// AddApp adds an application's time.
func (t *Sums) AddApp(app uint64, of AppTime) {
	if app != 0 {
		t.Apps.addFrom(0, app, of)
	}
}

// AddBucket adds a bucket's applications and the times of each, in parallel lists. If
// active ones are lacking all are estimated by the bucket's own share, and so is one
// that has more active time than time: an older server changed the others alone.
func (t *Sums) AddBucket(bucket *Sums, apps []uint32, focus, active []int64) {
	known := len(active) == len(apps)
	t.Estimated = t.Estimated || !known
	for i := range min(len(apps), len(focus)) {
		of := bucket.estimate(focus[i])
		if known && active[i] <= focus[i] {
			of.Active = active[i]
		} else {
			t.Estimated = true
		}
		t.AddApp(uint64(apps[i]), of)
	}
}

// estimate is an application's time in a bucket where only its focus is known.
func (t *Sums) estimate(focus int64) AppTime {
	return AppTime{focus, activeShare(focus, t.ActiveMS, t.ActiveMS+t.IdleMS)}
}

// Merge adds what others add up to.
func (t *Sums) Merge(o *Sums) {
	mine, others := t.Numbers(), o.Numbers()
	for i := range mine {
		*mine[i] += *others[i]
	}
	t.noteActivity(o.First, o.Last)
	for _, a := range o.Apps {
		t.AddApp(a.App, a.AppTime)
	}
	t.Minutes = append(t.Minutes, o.Minutes...)
	t.Estimated = t.Estimated || o.Estimated
}

// noteActivity widens the time of activity by another; zeros are none.
func (t *Sums) noteActivity(first, last int64) {
	if first != 0 && (t.First == 0 || first < t.First) {
		t.First = first
	}
	t.Last = max(t.Last, last)
}

// wholeMinutes reports whether the minutes of all events are stored.
func (t *Sums) wholeMinutes() bool {
	_, whole := t.KnownMinutes()
	return whole
}

// matches reports whether stored sums are what events add up to. Estimated ones are
// not compared in the times of applications, and minutes not where some lack.
func (t *Sums) matches(stored *Sums) bool {
	return t.Events == stored.Events && t.Counts == stored.Counts && t.ActiveMS == stored.ActiveMS && t.IdleMS == stored.IdleMS &&
		t.First == stored.First && t.Last == stored.Last && (stored.Estimated || slices.Equal(t.Apps, stored.Apps)) && t.sameMinutes(stored)
}

// sameMinutes reports whether stored minutes are those of the events, as far as they are
// stored. What can't be read is not, nor are minutes of more events than there are.
func (t *Sums) sameMinutes(stored *Sums) bool {
	want, _ := t.KnownMinutes()
	have, err := minutes.Decode(stored.Minutes)
	return err == nil && (have.Records < stored.Events || have == want)
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
