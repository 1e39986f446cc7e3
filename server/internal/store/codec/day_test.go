package codec

import (
	"encoding/binary"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"activity-tracker.example/server/internal/store/column"
	"activity-tracker.example/server/internal/store/minutes"
)

// randomSums are sums as events make them.
func randomSums(r *rand.Rand, bucket int64) *Sums {
	t := &Sums{Events: 1 + r.Int64N(20)}
	for i, c := range t.Numbers() {
		if i > 0 && r.IntN(3) > 0 {
			*c = r.Int64N(1 << r.Int64N(50))
		}
	}
	if r.IntN(2) > 0 {
		t.First = bucket + r.Int64N(900)*wholeSecond
		t.Last = t.First + r.Int64N(bucket+BucketLength.Microseconds()-t.First)
	}
	for range r.IntN(5) {
		of := AppTime{Focus: 1 + r.Int64N(900_000)}
		of.Active = r.Int64N(of.Focus + 1)
		t.AddApp(1+r.Uint64N(1<<30), of)
		t.Estimated = r.IntN(2) > 0
	}
	// Some were stored by an older server, and lack minutes.
	for range r.Int64N(t.Events + 1) {
		record := minutes.Record{Start: bucket + r.Int64N(900)*wholeSecond, LengthMS: 60_000, ActiveMS: r.Int64N(60_001), Rest: minutes.NoInput}
		t.Minutes = minutes.Append(t.Minutes, bucket, record)
	}
	return t
}

func TestPackedDayComesBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	day := time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)
	for range 200 {
		list := map[int64]*Sums{}
		for range r.IntN(97) {
			bucket := day.UnixMicro() + r.Int64N(BucketsADay)*BucketLength.Microseconds()
			list[bucket] = randomSums(r, bucket)
		}
		packed := EncodeDay(day, list)
		for _, parts := range []DayParts{{true, true, true}, {true, true, false}, {true, false, true}, {false, true, false}, {false, false, true}, {}} {
			got := Buckets{}
			err := DecodeDay(day, packed, parts, func(bucket int64) *Sums { return got.At(1, bucket) })
			if err != nil || len(got) != len(list) {
				t.Fatalf("%d of %d buckets: %v", len(got), len(list), err)
			}
			for bucket, want := range list {
				wanted := Sums{}
				if parts.Counts {
					wanted = *want
					wanted.Apps, wanted.Estimated, wanted.Minutes = nil, false, nil
				}
				if parts.Minutes {
					wanted.Minutes = minutes.Joined(want.Minutes)
				}
				if parts.Apps {
					wanted.Apps, wanted.Estimated = want.Apps, want.Estimated
				}
				if have := got.At(1, bucket); !reflect.DeepEqual(have, &wanted) {
					t.Fatalf("%+v: %+v became %+v", parts, wanted, have)
				}
			}
		}
	}
}

// A day of a program that counts more reads back without that counter.
func TestDayWithAnotherCounter(t *testing.T) {
	day, list := oldDay()
	body := EncodeDay(day, list).Body
	// Version, buckets, places; a length and the times; a length, how many columns, and these.
	u := &decoder{column.Reader{B: body[2+len(list):]}}
	times := u.Number()
	u.B = u.B[times:]
	before := body[:len(body)-len(u.B)]
	length := u.Number()
	numbers, rest := u.B[:length], u.B[length:]
	numbers = slices.Concat([]byte{numbers[0] + 1}, numbers[1:], column.Append(nil, []uint64{7, 8}))
	more := slices.Concat(before, binary.AppendUvarint(nil, uint64(len(numbers))), numbers, rest)
	got := Buckets{}
	if err := DecodeDay(day, PackedDay{Body: more}, DayParts{Counts: true, Apps: true}, func(bucket int64) *Sums { return got.At(1, bucket) }); err != nil {
		t.Fatal(err)
	}
	for bucket, want := range list {
		if !reflect.DeepEqual(got.At(1, bucket), want) {
			t.Errorf("%+v, want %+v", got.At(1, bucket), want)
		}
	}
}

func FuzzPackedDay(f *testing.F) {
	day := time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)
	r := rand.New(rand.NewPCG(3, 4))
	for range 3 {
		bucket := day.UnixMicro() + r.Int64N(BucketsADay)*BucketLength.Microseconds()
		packed := EncodeDay(day, map[int64]*Sums{bucket: randomSums(r, bucket)})
		f.Add(packed.Body, packed.Minutes)
	}
	f.Fuzz(func(t *testing.T, body, of []byte) {
		got := Buckets{}
		if DecodeDay(day, PackedDay{body, of}, DayParts{true, true, true}, func(bucket int64) *Sums { return got.At(1, bucket) }) != nil {
			return
		}
		again := EncodeDay(day, ofMachine(got))
		back := Buckets{}
		if err := DecodeDay(day, again, DayParts{true, true, true}, func(bucket int64) *Sums { return back.At(1, bucket) }); err != nil {
			t.Fatalf("%x, %x became %x: %v", body, of, again, err)
		}
		if once := EncodeDay(day, ofMachine(back)); !reflect.DeepEqual(once, again) {
			t.Fatalf("%x, %x became %x, and that %x", body, of, again, once)
		}
	})
}

// ofMachine returns the only machine's buckets.
func ofMachine(all Buckets) map[int64]*Sums {
	list := map[int64]*Sums{}
	for k, v := range all {
		list[k.Bucket] = v
	}
	return list
}

// BenchmarkUnpackYear adds up a year of packed days without the database.
func BenchmarkUnpackYear(b *testing.B) {
	r := rand.New(rand.NewPCG(13, 14))
	day := time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)
	list := map[int64]*Sums{}
	for i := range BucketsADay {
		bucket := day.UnixMicro() + i*BucketLength.Microseconds()
		list[bucket] = randomSums(r, bucket)
		apps := list[bucket].Apps
		list[bucket].Apps = nil
		for _, a := range apps {
			list[bucket].AddApp(1+a.App%12, a.AppTime)
		}
	}
	packed := EncodeDay(day, list)
	for name, parts := range map[string]DayParts{"counts": {Counts: true}, "apps": {Apps: true}, "minutes": {Minutes: true}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				var t Sums
				for range 366 {
					if err := DecodeDay(day, packed, parts, func(int64) *Sums { return &t }); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
