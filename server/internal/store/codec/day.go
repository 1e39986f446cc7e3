package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// A day of roll-ups that has gone cold is packed into one row: which of its 96
// buckets there are, then column by column their counts, the times of first and
// last activity, and the applications, each as unsigned varints. A year of a
// machine is so read from 366 rows rather than 35,040, each of which lies on a
// page of its own, since all machines write side by side.

const (
	// dayVersion begins a packed day of the form that this program writes. Two older
	// ones are still read: both knew nothing of applications' active time, and the
	// first had no number of columns, and counters between.
	dayVersion, secondDayVersion, firstDayVersion = 3, 2, 1
	// firstDayNumbers is how many columns of numbers the first form had.
	firstDayNumbers = 8
	// maxDayNumbers bounds the columns of numbers.
	maxDayNumbers = 64
	// BucketsADay bounds what a packed day may hold.
	BucketsADay = int64(24 * time.Hour / BucketLength)
	// wholeSecond is the grain in which usual times of activity are kept.
	wholeSecond = int64(time.Second / time.Microsecond)
)

// ErrDamagedDay is returned for a packed day that cannot be read.
var ErrDamagedDay = errors.New("a packed day of roll-ups is damaged")

// inDay are a sum's numbers in the order of a packed day's columns. Counters are the
// last, so that a day of before there was a new one only lacks its column.
func (t *Sums) inDay() [SumNumbers]*int64 {
	all := [SumNumbers]*int64{&t.Events, &t.ActiveMS, &t.IdleMS}
	for i := range t.Counts {
		all[SumNumbers-len(t.Counts)+i] = &t.Counts[i]
	}
	return all
}

// inFirstDay are those of a packed day of the first form.
func (t *Sums) inFirstDay() [SumNumbers]*int64 {
	c := &t.Counts
	return [SumNumbers]*int64{&t.Events, &c[0], &c[1], &c[2], &c[3], &c[4], &t.ActiveMS, &t.IdleMS}
}

// EncodeDay packs a machine's buckets of one day, by their starts in Unix
// microseconds.
func EncodeDay(day time.Time, list map[int64]*Sums) []byte {
	starts := make([]int64, 0, len(list))
	for start := range list {
		starts = append(starts, start)
	}
	slices.Sort(starts)
	from := day.UnixMicro()
	b := binary.AppendUvarint([]byte{dayVersion}, uint64(len(starts)))
	for _, start := range starts {
		b = append(b, byte((start-from)/BucketLength.Microseconds()))
	}
	b = binary.AppendUvarint(b, SumNumbers)
	for i := range SumNumbers {
		for _, start := range starts {
			b = binary.AppendUvarint(b, uint64(*list[start].inDay()[i]))
		}
	}
	for _, start := range starts {
		b = appendTime(appendTime(b, start, list[start].First), start, list[start].Last)
	}
	for _, start := range starts {
		b = appendApps(b, list[start])
	}
	return b
}

// appendTime appends a time within the bucket from start: 0 for none, else one more
// than twice its seconds, or than twice its microseconds and 1.
func appendTime(b []byte, start, micros int64) []byte {
	if micros == 0 {
		return binary.AppendUvarint(b, 0)
	}
	within := micros - start
	if within%wholeSecond == 0 {
		return binary.AppendUvarint(b, uint64(within/wholeSecond<<1)+1)
	}
	return binary.AppendUvarint(b, uint64(within<<1|1)+1)
}

func (u *decoder) time(start int64) int64 {
	n := u.number()
	if n == 0 {
		return 0
	}
	within := int64((n - 1) >> 1)
	if (n-1)&1 == 0 && within < BucketLength.Microseconds() {
		within *= wholeSecond
	}
	if within >= BucketLength.Microseconds() {
		u.bad = true
		return 0
	}
	return start + within
}

// appendApps appends twice how many applications there are, and 1 where they are
// estimated; and each as its number's distance to the one before, its time, and how
// much of that was not active.
func appendApps(b []byte, t *Sums) []byte {
	n := uint64(len(t.Apps)) << 1
	if t.Estimated {
		n |= 1
	}
	b = binary.AppendUvarint(b, n)
	last := uint64(0)
	for _, of := range t.Apps {
		b = binary.AppendUvarint(b, of.App-last)
		b = binary.AppendUvarint(b, uint64(of.Focus))
		b = binary.AppendUvarint(b, uint64(of.Open()))
		last = of.App
	}
	return b
}

// DayParts are the parts of a packed day that are asked for.
type DayParts struct{ Counts, Apps bool }

// DecodeDay adds each bucket of a packed day, oldest first, to the sums that into
// returns for its start in Unix microseconds; nil leaves it out.
func DecodeDay(day time.Time, body []byte, parts DayParts, into func(bucket int64) *Sums) error {
	u := &decoder{b: body}
	version := u.byte()
	if version < firstDayVersion || version > dayVersion {
		return fmt.Errorf("%w, or of a newer program: version %d", ErrDamagedDay, version)
	}
	n := u.number()
	if u.bad || n > uint64(BucketsADay) || uint64(len(u.b)) < n {
		return ErrDamagedDay
	}
	var targets [BucketsADay]*Sums
	var starts [BucketsADay]int64
	for i, place := range u.b[:n] {
		if int64(place) >= BucketsADay || i > 0 && place <= u.b[i-1] {
			return ErrDamagedDay
		}
		starts[i] = day.UnixMicro() + int64(place)*BucketLength.Microseconds()
		targets[i] = into(starts[i])
	}
	u.b = u.b[n:]
	// All but applications, which are added to where they are wanted at once: a map
	// for each bucket would take longer than all else.
	var buckets [BucketsADay]Sums
	if columns := u.columns(version); version == dayVersion && !parts.Counts {
		// First and last are two columns more.
		u.skip((columns + 2) * int(n))
	} else {
		u.numbers(version, columns, buckets[:n])
		for i := range buckets[:n] {
			buckets[i].First, buckets[i].Last = u.time(starts[i]), u.time(starts[i])
			if parts.Counts && targets[i] != nil {
				targets[i].Merge(&buckets[i])
			}
		}
	}
	if parts.Apps {
		for i := range buckets[:n] {
			u.apps(version, targets[i], &buckets[i])
		}
	}
	if u.bad || parts.Apps && len(u.b) > 0 {
		return ErrDamagedDay
	}
	return nil
}

// columns reads how many columns of numbers there are.
func (u *decoder) columns(version byte) int {
	if version == firstDayVersion {
		return firstDayNumbers
	}
	columns := u.number()
	if columns > maxDayNumbers {
		u.bad = true
		return 0
	}
	return int(columns)
}

// numbers reads the columns of numbers. A newer program's counter is left out.
func (u *decoder) numbers(version byte, columns int, buckets []Sums) {
	var places [BucketsADay][SumNumbers]*int64
	for i := range buckets {
		if version == firstDayVersion {
			places[i] = buckets[i].inFirstDay()
		} else {
			places[i] = buckets[i].inDay()
		}
	}
	for i := range columns {
		for j := range buckets {
			n := int64(u.number() & math.MaxInt64)
			if i < SumNumbers {
				*places[j][i] = n
			}
		}
	}
}

// apps reads a bucket's applications and adds them to sums, if to any.
func (u *decoder) apps(version byte, to, bucket *Sums) {
	n := u.number()
	timed := version > secondDayVersion
	estimated := !timed
	if timed {
		n, estimated = n>>1, n&1 == 1
	}
	// Each takes two bytes at least.
	if n > uint64(len(u.b))/2 {
		u.bad = true
		return
	}
	if to != nil && n > 0 {
		to.Estimated = to.Estimated || estimated
	}
	app, at := uint64(0), 0
	for range n {
		step := u.number()
		if step == 0 || step > math.MaxInt32 || app+step > math.MaxInt32 {
			u.bad = true
			return
		}
		app += step
		of := bucket.estimate(int64(u.number() & math.MaxInt64))
		if timed {
			of.Active = of.Focus - int64(u.number()&math.MaxInt64)
		}
		if of.Active < 0 {
			u.bad = true
			return
		}
		if to != nil {
			at = to.Apps.addFrom(at, app, of)
		}
	}
}
