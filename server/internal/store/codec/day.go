package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"activity-tracker.example/server/internal/store/column"
	"activity-tracker.example/server/internal/store/minutes"
)

// A day of roll-ups that has gone cold is packed into one row: which of its 96 buckets
// there are, and then columns of when and for how long somebody was there (day_times.go),
// a column of each of their numbers, and a column of how many applications each has, and of
// these, one after the other. The first two parts state how long they are, so that who does
// not ask for them can pass over them. The minutes of each lie beside. A year of a machine
// is so read from 366 rows rather than 35,040, each of which lies on a page of its own,
// since all machines write side by side.

const (
	// dayVersion begins a packed day of the form that this program writes. The two before
	// had their times among the numbers, and the earlier of these its minutes between numbers
	// and applications; day_old.go reads those before.
	dayVersion, minutesWithinVersion, timesWithinVersion = 6, 5, 4
	// maxDayNumbers bounds the columns of numbers.
	maxDayNumbers = 64
	// maxDayApps bounds the applications of all buckets together: a host has 5,000.
	maxDayApps = 1 << 19
	// BucketsADay bounds what a packed day may hold.
	BucketsADay = int64(24 * time.Hour / BucketLength)
	// wholeSecond is the grain in which usual times of activity are kept.
	wholeSecond = int64(time.Second / time.Microsecond)
)

// ErrDamagedDay is returned for a packed day that cannot be read.
var ErrDamagedDay = errors.New("a packed day of roll-ups is damaged")

// inDay are a sum's numbers in the order of a packed day's columns, of which one is among its
// times. Counters are the last, so that a day of before there was a new one only lacks its
// column.
func (t *Sums) inDay() [SumNumbers]*int64 {
	all := [SumNumbers]*int64{&t.Events, &t.ActiveMS, &t.IdleMS}
	for i := range t.Counts {
		all[SumNumbers-len(t.Counts)+i] = &t.Counts[i]
	}
	return all
}

// PackedDay is a machine's day of roll-ups; its minutes are empty where there are none
// and where a day of an older form has them in its body.
type PackedDay struct{ Body, Minutes []byte }

// EncodeDay packs a machine's buckets of one day, by their starts in Unix
// microseconds.
func EncodeDay(day time.Time, list map[int64]*Sums) PackedDay {
	starts := make([]int64, 0, len(list))
	for start := range list {
		starts = append(starts, start)
	}
	slices.Sort(starts)
	b := binary.AppendUvarint([]byte{dayVersion}, uint64(len(starts)))
	for _, start := range starts {
		b = append(b, byte((start-day.UnixMicro())/BucketLength.Microseconds()))
	}
	// pack returns a column of what add appends for each bucket.
	pack := func(add func(list []uint64, t *Sums, start int64) []uint64) []byte {
		var values []uint64
		for _, start := range starts {
			values = add(values, list[start], start)
		}
		return column.Append(nil, values)
	}
	one := func(of func(t *Sums, start int64) uint64) []byte {
		return pack(func(l []uint64, t *Sums, start int64) []uint64 { return append(l, of(t, start)) })
	}
	b = appendPart(b, encodeTimes(one))
	numbers := binary.AppendUvarint(nil, SumNumbers-1)
	for i := range SumNumbers {
		if i != activeInDay {
			numbers = append(numbers, one(func(t *Sums, _ int64) uint64 { return uint64(*t.inDay()[i]) })...)
		}
	}
	b = appendPart(b, numbers)
	b = append(b, one(func(t *Sums, _ int64) uint64 { return appsCode(t) })...)
	b = append(b, pack(appendSteps)...)
	b = append(b, pack(func(l []uint64, t *Sums, _ int64) []uint64 {
		return appendTimes(l, t, func(of AppTime) int64 { return of.Focus })
	})...)
	b = append(b, pack(func(l []uint64, t *Sums, _ int64) []uint64 { return appendTimes(l, t, AppTime.Open) })...)
	return PackedDay{Body: b, Minutes: encodeMinutes(starts, list)}
}

// appendPart appends a part after its length.
func appendPart(b, part []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(part))), part...)
}

// encodeMinutes returns a column of how long each bucket's minutes are, and these;
// nothing where none has any.
func encodeMinutes(starts []int64, list map[int64]*Sums) []byte {
	var all []byte
	lengths := make([]uint64, len(starts))
	for i, start := range starts {
		of := minutes.Joined(list[start].Minutes)
		lengths[i], all = uint64(len(of)), append(all, of...)
	}
	if len(all) == 0 {
		return nil
	}
	return append(column.Append(nil, lengths), all...)
}

// minutes reads the minutes of the buckets and adds them.
func (u *dayDecoder) minutes() {
	var lengths [BucketsADay]uint64
	u.Read(lengths[:u.n])
	for i, n := range lengths[:u.n] {
		if n > uint64(len(u.B)) {
			u.Bad = true
			return
		}
		if to := u.targets[i]; to != nil && n > 0 && len(to.Minutes) == 0 {
			// Not copied: many people's days have a million of them.
			to.Minutes = u.B[:n:n]
		} else if to != nil {
			to.Minutes = append(to.Minutes, u.B[:n]...)
		}
		u.B = u.B[n:]
	}
}

// timeCode is a time within the bucket from start: 0 for none, else one more than
// twice its seconds, or than twice its microseconds and 1.
func timeCode(start, micros int64) uint64 {
	if micros == 0 {
		return 0
	}
	within := micros - start
	if within%wholeSecond == 0 {
		return uint64(within/wholeSecond<<1) + 1
	}
	return uint64(within<<1|1) + 1
}

// timeOf is the opposite of timeCode.
func (u *decoder) timeOf(start int64, code uint64) int64 {
	if code == 0 {
		return 0
	}
	within := int64((code - 1) >> 1)
	if (code-1)&1 == 0 && within < BucketLength.Microseconds() {
		within *= wholeSecond
	}
	if within >= BucketLength.Microseconds() {
		u.Bad = true
		return 0
	}
	return start + within
}

// appsCode is twice how many applications there are, and 1 where they are estimated.
func appsCode(t *Sums) uint64 {
	n := uint64(len(t.Apps)) << 1
	if t.Estimated && n > 0 {
		n |= 1
	}
	return n
}

// appendSteps appends each application's number as its distance to the one before.
func appendSteps(l []uint64, t *Sums, _ int64) []uint64 {
	last := uint64(0)
	for _, of := range t.Apps {
		l = append(l, of.App-last)
		last = of.App
	}
	return l
}

// appendTimes appends a part of each application's time.
func appendTimes(l []uint64, t *Sums, part func(AppTime) int64) []uint64 {
	for _, of := range t.Apps {
		l = append(l, uint64(part(of.AppTime)))
	}
	return l
}

// DayParts are the parts of a packed day that are asked for.
type DayParts struct{ Counts, Apps, Minutes bool }

// DecodeDay adds each bucket of a packed day, oldest first, to the sums that into
// returns for its start in Unix microseconds; nil leaves it out. Minutes of sums may lie in
// packed afterwards.
func DecodeDay(day time.Time, packed PackedDay, parts DayParts, into func(bucket int64) *Sums) error {
	u := &dayDecoder{decoder: decoder{column.Reader{B: packed.Body}}}
	version := u.Byte()
	if version < firstDayVersion || version > dayVersion {
		return fmt.Errorf("%w, or of a newer program: version %d", ErrDamagedDay, version)
	}
	if !u.buckets(day) {
		return ErrDamagedDay
	}
	for i, start := range u.starts[:u.n] {
		u.targets[i] = into(start)
	}
	if version >= timesWithinVersion {
		u.parts(version, parts)
	} else {
		u.old(version, parts)
	}
	if u.Bad || parts.Apps && len(u.B) > 0 {
		return ErrDamagedDay
	}
	if parts.Minutes && version != minutesWithinVersion && len(packed.Minutes) > 0 {
		u.B = packed.Minutes
		u.minutes()
		if u.Bad || len(u.B) > 0 {
			return ErrDamagedDay
		}
	}
	return nil
}

// dayDecoder reads a packed day of n buckets.
type dayDecoder struct {
	decoder
	n       int
	starts  [BucketsADay]int64
	targets [BucketsADay]*Sums
}

// buckets reads which there are.
func (u *dayDecoder) buckets(day time.Time) bool {
	n := u.Number()
	if u.Bad || n > uint64(BucketsADay) || uint64(len(u.B)) < n {
		return false
	}
	for i, place := range u.B[:n] {
		if int64(place) >= BucketsADay || i > 0 && place <= u.B[i-1] {
			return false
		}
		u.starts[i] = day.UnixMicro() + int64(place)*BucketLength.Microseconds()
	}
	u.B, u.n = u.B[n:], int(n)
	return true
}

// parts reads what is asked for.
func (u *dayDecoder) parts(version byte, parts DayParts) {
	if version == dayVersion {
		u.part(parts.Counts, u.times)
		u.part(parts.Counts, func() { u.numbers(1) })
	} else {
		u.part(parts.Counts, func() { u.numbers(0); u.activity() })
	}
	if version == minutesWithinVersion {
		u.part(parts.Minutes, u.minutes)
	}
	if parts.Apps {
		u.apps()
	}
}

// part reads a part that states how long it is, or passes over it.
func (u *dayDecoder) part(wanted bool, read func()) {
	length := u.Number()
	if length > uint64(len(u.B)) {
		u.Bad = true
		return
	}
	rest := u.B[length:]
	if wanted {
		u.B = u.B[:length]
		read()
		u.Bad = u.Bad || len(u.B) > 0
	}
	u.B = rest
}

// numbers reads the columns of numbers, but for so many that are among the times, and adds
// them. A newer program's counter is left out.
func (u *dayDecoder) numbers(without int) {
	columns, known := u.Number(), SumNumbers-without
	if columns > maxDayNumbers {
		u.Bad = true
		return
	}
	// The last is for all that are not known.
	var read [SumNumbers + 1][BucketsADay]uint64
	for i := range int(columns) {
		u.Read(read[min(i, known)][:u.n])
	}
	for i, to := range u.targets[:u.n] {
		if to == nil {
			continue
		}
		all := to.inDay()
		for c, number := range slices.Delete(all[:], activeInDay, activeInDay+without) {
			*number += int64(read[c][i] & math.MaxInt64)
		}
	}
}

// activity reads the columns of first and last activity and adds them.
func (u *dayDecoder) activity() {
	var first, last [BucketsADay]uint64
	u.Read(first[:u.n])
	u.Read(last[:u.n])
	for i, to := range u.targets[:u.n] {
		from, until := u.timeOf(u.starts[i], first[i]), u.timeOf(u.starts[i], last[i])
		if to != nil {
			to.noteActivity(from, until)
		}
	}
}

// apps reads the applications and adds them.
func (u *dayDecoder) apps() {
	var counts [BucketsADay]uint64
	u.Read(counts[:u.n])
	total := uint64(0)
	for i := range counts {
		if counts[i]>>1 > maxDayApps {
			u.Bad = true
			return
		}
		total += counts[i] >> 1
	}
	if u.Bad || total > maxDayApps {
		u.Bad = true
		return
	}
	list := make([]uint64, 3*total)
	steps, focus, open := list[:total], list[total:2*total], list[2*total:]
	u.Read(steps)
	u.Read(focus)
	u.Read(open)
	for i, to := range u.targets[:u.n] {
		n := counts[i] >> 1
		if to != nil && n > 0 {
			to.Estimated = to.Estimated || counts[i]&1 == 1
		}
		u.addApps(to, steps[:n], focus[:n], open[:n])
		steps, focus, open = steps[n:], focus[n:], open[n:]
	}
}

// addApps adds a bucket's applications, if to any sums.
func (u *dayDecoder) addApps(to *Sums, steps, focus, open []uint64) {
	app, at := uint64(0), 0
	for i, step := range steps {
		if step == 0 || step > math.MaxInt32 || app+step > math.MaxInt32 || focus[i] > math.MaxInt64 || open[i] > focus[i] {
			u.Bad = true
			return
		}
		app += step
		if to != nil {
			at = to.Apps.addFrom(at, app, AppTime{Focus: int64(focus[i]), Active: int64(focus[i] - open[i])})
		}
	}
}
