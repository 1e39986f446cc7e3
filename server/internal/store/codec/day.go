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
	// dayFormat begins a packed day, so that another form can follow.
	dayFormat = 1
	// BucketsADay bounds what a packed day may hold.
	BucketsADay = int64(24 * time.Hour / BucketLength)
	// wholeSecond is the grain in which usual times of activity are kept.
	wholeSecond = int64(time.Second / time.Microsecond)
)

// ErrDamagedDay is returned for a packed day that cannot be read.
var ErrDamagedDay = errors.New("a packed day of roll-ups is damaged")

// EncodeDay packs a machine's buckets of one day, by their starts in Unix
// microseconds.
func EncodeDay(day time.Time, list map[int64]*Sums) []byte {
	starts := make([]int64, 0, len(list))
	for start := range list {
		starts = append(starts, start)
	}
	slices.Sort(starts)
	from := day.UnixMicro()
	b := binary.AppendUvarint([]byte{dayFormat}, uint64(len(starts)))
	for _, start := range starts {
		b = append(b, byte((start-from)/BucketLength.Microseconds()))
	}
	for i := range SumNumbers {
		for _, start := range starts {
			b = binary.AppendUvarint(b, uint64(*list[start].Numbers()[i]))
		}
	}
	for _, start := range starts {
		b = appendTime(appendTime(b, start, list[start].First), start, list[start].Last)
	}
	for _, start := range starts {
		b = appendApps(b, list[start].AppMS)
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

// appendApps appends how many applications there are and each as its number's
// distance to the one before, and its time.
func appendApps(b []byte, ms map[uint64]int64) []byte {
	ids := make([]uint64, 0, len(ms))
	for app := range ms {
		ids = append(ids, app)
	}
	slices.Sort(ids)
	b = binary.AppendUvarint(b, uint64(len(ids)))
	last := uint64(0)
	for _, app := range ids {
		b = binary.AppendUvarint(binary.AppendUvarint(b, app-last), uint64(ms[app]))
		last = app
	}
	return b
}

// DayParts are the parts of a packed day that are asked for.
type DayParts struct{ Counts, Apps bool }

// DecodeDay adds each bucket of a packed day, oldest first, to the sums that into
// returns for its start in Unix microseconds; nil leaves it out.
func DecodeDay(day time.Time, body []byte, parts DayParts, into func(bucket int64) *Sums) error {
	if len(body) == 0 || body[0] != dayFormat {
		return fmt.Errorf("%w, or of a newer program", ErrDamagedDay)
	}
	u := &decoder{b: body[1:]}
	n := u.number()
	if u.bad || n > uint64(BucketsADay) || uint64(len(u.b)) < n {
		return ErrDamagedDay
	}
	var unwanted Sums
	var targets [BucketsADay]*Sums
	var starts [BucketsADay]int64
	for i, place := range u.b[:n] {
		if int64(place) >= BucketsADay || i > 0 && place <= u.b[i-1] {
			return ErrDamagedDay
		}
		starts[i] = day.UnixMicro() + int64(place)*BucketLength.Microseconds()
		if targets[i] = into(starts[i]); targets[i] == nil {
			targets[i] = &unwanted
		}
	}
	u.b = u.b[n:]
	u.counts(targets[:n], starts[:n], parts.Counts)
	if parts.Apps {
		for _, t := range targets[:n] {
			u.apps(t)
		}
	}
	if u.bad || parts.Apps && len(u.b) > 0 {
		return ErrDamagedDay
	}
	return nil
}

// counts adds the columns of counts and times, or only reads over them.
func (u *decoder) counts(targets []*Sums, starts []int64, wanted bool) {
	var counters [BucketsADay][SumNumbers]*int64
	for j, t := range targets {
		counters[j] = t.Numbers()
	}
	for i := range len(counters[0]) {
		for j := range targets {
			n := int64(u.number() & math.MaxInt64)
			if wanted {
				*counters[j][i] += n
			}
		}
	}
	for i, t := range targets {
		first, last := u.time(starts[i]), u.time(starts[i])
		if wanted {
			t.noteActivity(first, last)
		}
	}
}

func (u *decoder) apps(t *Sums) {
	n := u.number()
	// Each takes two bytes at least.
	if n > uint64(len(u.b))/2 {
		u.bad = true
		return
	}
	app := uint64(0)
	for range n {
		step := u.number()
		if step == 0 || step > math.MaxInt32 || app+step > math.MaxInt32 {
			u.bad = true
			return
		}
		app += step
		t.AddApp(app, int64(u.number()&math.MaxInt64))
	}
}
