package codec

import (
	"math"
	"time"

	"activity-tracker.example/server/internal/store/column"
	"activity-tracker.example/server/internal/store/minutes"
)

// The times of a packed day are the part that most questions ask for: of each bucket for how
// long somebody was there, and first and last when; and then, where the buckets' minutes are
// what their numbers amount to, how many minutes are recorded. So many people's days are added
// up without their minutes.

const (
	// activeInDay is the place among a day's numbers of that which is among its times.
	activeInDay = 1
	// TimesBytes are as many of a packed day's first bytes as hold its times: 650 of a machine
	// that somebody was at day and night, with a gap in every other minute.
	TimesBytes = 768
)

// encodeTimes returns the part of the times; column returns one of a number of each bucket.
func encodeTimes(column func(of func(t *Sums, start int64) uint64) []byte) []byte {
	b := column(func(t *Sums, _ int64) uint64 { return uint64(t.ActiveMS) })
	b = append(b, column(func(t *Sums, start int64) uint64 { return timeCode(start, t.First) })...)
	b = append(b, column(func(t *Sums, start int64) uint64 { return timeCode(start, t.Last) })...)
	all := true
	recorded := column(func(t *Sums, _ int64) uint64 {
		of, ok := minutes.NewTimes(t.Events, t.ActiveMS, t.Minutes)
		all = all && ok
		return uint64(of.RecordedMS / minutes.LengthMS)
	})
	if all {
		b = append(b, recorded...)
	}
	return b
}

// readTimes reads the part of the times; known is false where it lacks the last column.
func (u *dayDecoder) readTimes(list *[BucketsADay]minutes.Times) (known bool) {
	var active, first, last, recorded [BucketsADay]uint64
	u.Read(active[:u.n])
	u.Read(first[:u.n])
	u.Read(last[:u.n])
	if known = len(u.B) > 0 || u.n == 0; known {
		u.Read(recorded[:u.n])
	}
	for i, start := range u.starts[:u.n] {
		list[i] = minutes.Times{
			ActiveMS: int64(active[i] & math.MaxInt64), RecordedMS: int64(min(recorded[i], math.MaxInt32)) * minutes.LengthMS,
			First: u.timeOf(start, first[i]), Last: u.timeOf(start, last[i]),
		}
	}
	return known
}

// times reads the part of the times and adds them.
func (u *dayDecoder) times() {
	var list [BucketsADay]minutes.Times
	u.readTimes(&list)
	for i, to := range u.targets[:u.n] {
		if to != nil {
			to.ActiveMS += list[i].ActiveMS
			to.noteActivity(list[i].First, list[i].Last)
		}
	}
}

// DecodeTimes calls each with the times of each bucket of a packed day, oldest first, by its
// start in Unix microseconds; head are the day's first TimesBytes. It returns false, and has
// called for none, where they are not to be had: then the minutes know.
func DecodeTimes(day time.Time, head []byte, each func(bucket int64, t minutes.Times)) bool {
	u := &dayDecoder{decoder: decoder{column.Reader{B: head}}}
	if u.Byte() != dayVersion || !u.buckets(day) {
		return false
	}
	var list [BucketsADay]minutes.Times
	known := false
	u.part(true, func() { known = u.readTimes(&list) })
	for i := range list[:u.n] {
		u.Bad = u.Bad || !list[i].Possible()
	}
	if u.Bad || !known {
		return false
	}
	for i, start := range u.starts[:u.n] {
		each(start, list[i])
	}
	return true
}
