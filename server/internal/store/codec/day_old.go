package codec

import "math"

// Older forms of a packed day, which are only read: their numbers are varints without
// columns. The first two knew nothing of applications' active time, and the first had
// no number of columns, and counters between.
const (
	firstDayVersion = iota + 1
	secondDayVersion
	thirdDayVersion
)

// firstDayNumbers is how many columns of numbers the first form had.
const firstDayNumbers = 8

// inFirstDay are a sum's numbers in a packed day of the first form.
func (t *Sums) inFirstDay() [SumNumbers]*int64 {
	c := &t.Counts
	return [SumNumbers]*int64{&t.Events, &c[0], &c[1], &c[2], &c[3], &c[4], &t.ActiveMS, &t.IdleMS}
}

// old reads a day of one of the older forms, after its places.
func (u *dayDecoder) old(version byte, parts DayParts) {
	// All but applications, which are added to where they are wanted at once.
	var buckets [BucketsADay]Sums
	u.oldNumbers(version, buckets[:u.n])
	for i := range buckets[:u.n] {
		buckets[i].First, buckets[i].Last = u.timeOf(u.starts[i], u.Number()), u.timeOf(u.starts[i], u.Number())
		if parts.Counts && u.targets[i] != nil {
			u.targets[i].Merge(&buckets[i])
		}
	}
	if parts.Apps {
		for i := range buckets[:u.n] {
			u.oldApps(version, u.targets[i], &buckets[i])
		}
	}
}

// oldNumbers reads the columns of numbers.
func (u *dayDecoder) oldNumbers(version byte, buckets []Sums) {
	columns := firstDayNumbers
	if version != firstDayVersion {
		columns = int(min(u.Number(), maxDayNumbers+1))
	}
	if columns > maxDayNumbers {
		u.Bad = true
		return
	}
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
			n := int64(u.Number() & math.MaxInt64)
			if i < SumNumbers {
				*places[j][i] = n
			}
		}
	}
}

// oldApps reads a bucket's applications and adds them to sums, if to any.
func (u *dayDecoder) oldApps(version byte, to, bucket *Sums) {
	n := u.Number()
	timed := version > secondDayVersion
	estimated := !timed
	if timed {
		n, estimated = n>>1, n&1 == 1
	}
	// Each takes two bytes at least.
	if n > uint64(len(u.B))/2 {
		u.Bad = true
		return
	}
	if to != nil && n > 0 {
		to.Estimated = to.Estimated || estimated
	}
	app, at := uint64(0), 0
	for range n {
		step := u.Number()
		if step == 0 || step > math.MaxInt32 || app+step > math.MaxInt32 {
			u.Bad = true
			return
		}
		app += step
		of := bucket.estimate(int64(u.Number() & math.MaxInt64))
		if timed {
			of.Active = of.Focus - int64(u.Number()&math.MaxInt64)
		}
		if of.Active < 0 {
			u.Bad = true
			return
		}
		if to != nil {
			at = to.Apps.addFrom(at, app, of)
		}
	}
}
