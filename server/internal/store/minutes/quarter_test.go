package minutes_test

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"activity-tracker.example/server/internal/store/minutes"
)

// ofQuarter are records that begin in the quarter from a time.
func ofQuarter(r *rand.Rand, from time.Time, n int) []minutes.Record {
	list := make([]minutes.Record, n)
	for i := range list {
		list[i] = anyRecord(r)
		list[i].Start = from.UnixMicro() + r.Int64N(int64(15*time.Minute/time.Microsecond))
		if r.IntN(2) == 0 {
			list[i].Start -= list[i].Start % 60_000_000
		}
	}
	return list
}

// changes only the bytes.
func TestQuartersAreAsTheRecords(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	from := start().Truncate(15 * time.Minute)
	for range 500 {
		list := ofQuarter(r, from, r.IntN(20))
		want := minutes.NewGrid(from, from.Add(2*time.Hour))
		var b []byte
		for i, rec := range list {
			want.Add(rec)
			if r.IntN(4) == 0 {
				b = minutes.Joined(b)
			}
			if i%2 == 0 {
				b = minutes.Append(b, from.UnixMicro(), rec)
			} else {
				b = append(minutes.Append(nil, from.UnixMicro(), rec), b...)
			}
		}
		q, err := minutes.Decode(b)
		joined, again := minutes.Decode(minutes.Joined(b))
		if err != nil || again != nil || q != joined || q.Records != int64(len(list)) {
			t.Fatal(err, again, q.Records, len(list))
		}
		got := minutes.NewGrid(from, from.Add(2*time.Hour))
		runs, records, err := minutes.AppendRuns(nil, b)
		if err != nil || records != q.Records {
			t.Fatal(records, err)
		}
		got.AddRuns(from.UnixMicro(), runs)
		if !reflect.DeepEqual(got.List, want.List) {
			t.Fatalf("%+v\n%+v", got, want)
		}
		// A later grid sees what reaches it.
		part, all := minutes.NewGrid(from.Add(10*time.Minute), from.Add(20*time.Minute)), want.List[10:20]
		part.AddRuns(from.UnixMicro(), runs)
		if !reflect.DeepEqual(part.List, all) {
			t.Fatalf("%+v\n%+v", part.List, all)
		}
	}
}

// A usual quarter of an hour takes about eight bytes.
func TestSizeOfQuarters(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	from := start().Truncate(15 * time.Minute)
	const n = 1000
	total := 0
	for range n {
		var b []byte
		away := r.IntN(15)
		for i := range 15 {
			rec := minutes.Record{Start: from.Add(time.Duration(i) * time.Minute).UnixMicro(), LengthMS: 60_000, ActiveMS: 60_000, Rest: minutes.NoInput}
			// Once a quarter somebody stops for a while.
			switch {
			case i == away:
				rec.ActiveMS = r.Int64N(60) * 1000
			case i > away && i < away+3:
				rec.ActiveMS = 0
			}
			b = minutes.Append(b, from.UnixMicro(), rec)
		}
		total += len(minutes.Joined(b))
	}
	t.Logf("%.1f bytes", float64(total)/n)
	if total/n > 14 {
		t.Errorf("%d bytes", total/n)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{})
	f.Add(minutes.Append(nil, 0, minutes.Record{LengthMS: 60_000, ActiveMS: 1000, Rest: minutes.Locked}))
	f.Add([]byte{1, 1, 75, 9, 1, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := minutes.Decode(b)
		if err != nil {
			if !bytes.Equal(minutes.Joined(b), b) {
				t.Error("what is damaged was changed")
			}
			return
		}
		again, err := minutes.Decode(q.Append(nil))
		if err != nil || again != q {
			t.Errorf("%+v %+v %v", q, again, err)
		}
	})
}
