package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// A day of roll-ups that has gone quiet is packed into one row: which of its 96
// buckets there are, then column by column their counts, the times of first and
// last activity, and the applications, each as unsigned varints. A year of a
// machine is so read from 366 rows rather than 35,040, each of which lies on a
// page of its own, since all machines write side by side.

const (
	// dayFormat begins a packed day, so that another form can follow.
	dayFormat = 1
	// bucketsADay bounds what a packed day may hold.
	bucketsADay = int64(24 * time.Hour / bucketLength)
	// wholeSecond is the grain in which usual times of activity are kept.
	wholeSecond = int64(time.Second / time.Microsecond)
)

var errPackedDay = errors.New("a packed day of roll-ups is damaged")

// dayOf is the UTC day that a time lies in.
func dayOf(t time.Time) time.Time {
	y, m, d := t.UTC().Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// counters are the numbers of a sum, in the order in which they are packed.
func (t *sums) counters() [8]*int64 {
	return [...]*int64{&t.events, &t.keys, &t.clicks, &t.distance, &t.scroll, &t.synthetic, &t.activeMS, &t.idleMS}
}

// packDay packs a machine's buckets of one day, by their starts in Unix
// microseconds.
func packDay(day time.Time, list map[int64]*sums) []byte {
	starts := make([]int64, 0, len(list))
	for start := range list {
		starts = append(starts, start)
	}
	slices.Sort(starts)
	from := day.UnixMicro()
	b := binary.AppendUvarint([]byte{dayFormat}, uint64(len(starts)))
	for _, start := range starts {
		b = append(b, byte((start-from)/bucketLength.Microseconds()))
	}
	for i := range (&sums{}).counters() {
		for _, start := range starts {
			b = binary.AppendUvarint(b, uint64(*list[start].counters()[i]))
		}
	}
	for _, start := range starts {
		b = packTime(packTime(b, start, list[start].first), start, list[start].last)
	}
	for _, start := range starts {
		b = packApps(b, list[start].appMS)
	}
	return b
}

// packTime appends a time within the bucket from start: 0 for none, else one more
// than twice its seconds, or than twice its microseconds and 1.
func packTime(b []byte, start, micros int64) []byte {
	if micros == 0 {
		return binary.AppendUvarint(b, 0)
	}
	within := micros - start
	if within%wholeSecond == 0 {
		return binary.AppendUvarint(b, uint64(within/wholeSecond<<1)+1)
	}
	return binary.AppendUvarint(b, uint64(within<<1|1)+1)
}

func (u *unpacker) time(start int64) int64 {
	n := u.number()
	if n == 0 {
		return 0
	}
	within := int64((n - 1) >> 1)
	if (n-1)&1 == 0 && within < bucketLength.Microseconds() {
		within *= wholeSecond
	}
	if within >= bucketLength.Microseconds() {
		u.bad = true
		return 0
	}
	return start + within
}

// packApps appends how many applications there are and each as its number's
// distance to the one before, and its time.
func packApps(b []byte, ms map[uint64]int64) []byte {
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

// dayParts says what of a packed day is asked for.
type dayParts struct{ counts, apps bool }

// unpackDay adds each bucket of a packed day, oldest first, to the sums that into
// gives for its start in Unix microseconds; nil leaves it out.
func unpackDay(day time.Time, body []byte, parts dayParts, into func(bucket int64) *sums) error {
	if len(body) == 0 || body[0] != dayFormat {
		return fmt.Errorf("%w, or of a newer program", errPackedDay)
	}
	u := &unpacker{b: body[1:]}
	n := u.number()
	if u.bad || n > uint64(bucketsADay) || uint64(len(u.b)) < n {
		return errPackedDay
	}
	var unwanted sums
	var targets [bucketsADay]*sums
	var starts [bucketsADay]int64
	for i, place := range u.b[:n] {
		if int64(place) >= bucketsADay || i > 0 && place <= u.b[i-1] {
			return errPackedDay
		}
		starts[i] = day.UnixMicro() + int64(place)*bucketLength.Microseconds()
		if targets[i] = into(starts[i]); targets[i] == nil {
			targets[i] = &unwanted
		}
	}
	u.b = u.b[n:]
	u.counts(targets[:n], starts[:n], parts.counts)
	if parts.apps {
		for _, t := range targets[:n] {
			u.apps(t)
		}
	}
	if u.bad || parts.apps && len(u.b) > 0 {
		return errPackedDay
	}
	return nil
}

// counts adds the columns of counts and times, or only reads over them.
func (u *unpacker) counts(targets []*sums, starts []int64, wanted bool) {
	var counters [bucketsADay][8]*int64
	for j, t := range targets {
		counters[j] = t.counters()
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

func (u *unpacker) apps(t *sums) {
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
		t.addApp(app, int64(u.number()&math.MaxInt64))
	}
}
