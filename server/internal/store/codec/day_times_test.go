package codec

import (
	"encoding/hex"
	"math/rand/v2"
	"testing"
	"time"

	"activity-tracker.example/server/internal/store/minutes"
)

// workday is a day of so many minutes from nine o'clock on.
func workday(n int) (day time.Time, list map[int64]*Sums) { return someDay(9*time.Hour, n, 0) }

// someDay is a day of so many minutes from a time on; every so manieth is lacking, by chance.
func someDay(from time.Duration, n, gap int) (day time.Time, list map[int64]*Sums) {
	day, list = time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC), map[int64]*Sums{}
	r := rand.New(rand.NewPCG(5, uint64(gap)))
	for i := range n {
		if gap > 0 && r.IntN(gap) == 0 {
			continue
		}
		at := day.Add(from + time.Duration(i)*time.Minute).UnixMicro()
		record := minutes.Record{Start: at, LengthMS: 60_000, ActiveMS: r.Int64N(60_001), Rest: minutes.NoInput}
		bucket := BucketOf(at)
		t := list[bucket]
		if t == nil {
			t = &Sums{First: at}
			list[bucket] = t
		}
		t.Events, t.ActiveMS, t.Last = t.Events+1, t.ActiveMS+record.ActiveMS, at
		t.Minutes = minutes.Append(t.Minutes, bucket, record)
	}
	return day, list
}

// The first bytes of a packed day have for how long and when somebody was there.
func TestTimesOfADay(t *testing.T) {
	day, list := workday(8*60 - 3)
	packed := EncodeDay(day, list)
	n := 0
	ok := DecodeTimes(day, packed.Body[:min(len(packed.Body), TimesBytes)], func(bucket int64, got minutes.Times) {
		of := list[bucket]
		n++
		if want := (minutes.Times{ActiveMS: of.ActiveMS, RecordedMS: of.Events * minutes.LengthMS, First: of.First, Last: of.Last}); got != want {
			t.Errorf("%v: %+v, want %+v", time.UnixMicro(bucket).UTC(), got, want)
		}
	})
	if !ok || n != len(list) {
		t.Errorf("%v, %d of %d", ok, n, len(list))
	}
}

// However somebody works day and night, the first bytes are enough.
func TestTimesAreTheFirstBytes(t *testing.T) {
	for _, gap := range []int{2, 5, 30} {
		day, list := someDay(0, 24*60, gap)
		body := EncodeDay(day, list).Body
		if !DecodeTimes(day, body[:min(len(body), TimesBytes)], func(int64, minutes.Times) {}) {
			t.Errorf("a gap in %d minutes: %d bytes are too few", gap, TimesBytes)
		}
	}
}

// Where the minutes amount to something else, the times are not to be had without them.
func TestTimesThatMinutesKnow(t *testing.T) {
	day := time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)
	at := day.Add(9 * time.Hour).UnixMicro()
	record := func(minute, length, activeMS int64) minutes.Record {
		return minutes.Record{Start: at + minute*60_000_000, LengthMS: length * 60_000, ActiveMS: activeMS, Rest: minutes.NoInput}
	}
	for name, c := range map[string]struct {
		events, activeMS int64
		of               []minutes.Record
		want             bool
	}{
		"a minute":                {1, 60_000, []minutes.Record{record(0, 1, 60_000)}, true},
		"an older server's":       {2, 60_000, []minutes.Record{record(0, 1, 60_000)}, false},
		"two at once":             {2, 90_000, []minutes.Record{record(0, 1, 60_000), record(0, 1, 30_000)}, false},
		"two in one minute":       {2, 50_000, []minutes.Record{record(0, 1, 20_000), record(0, 1, 30_000)}, true},
		"an hour":                 {1, 60_000, []minutes.Record{record(0, 60, 60_000)}, false},
		"to the end":              {1, 900_000, []minutes.Record{record(0, 15, 900_000)}, true},
		"beyond the end":          {1, 60_000, []minutes.Record{record(14, 2, 60_000)}, false},
		"more than there is time": {1, 61_000, []minutes.Record{record(0, 2, 60_000)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			sums := &Sums{Events: c.events, ActiveMS: c.activeMS, First: at, Last: at}
			for _, r := range c.of {
				sums.Minutes = minutes.Append(sums.Minutes, at, r)
			}
			if _, ok := minutes.NewTimes(c.events, c.activeMS, sums.Minutes); ok != c.want {
				t.Errorf("of a quarter: %v", ok)
			}
			body := EncodeDay(day, map[int64]*Sums{at: sums}).Body
			if ok := DecodeTimes(day, body, func(int64, minutes.Times) {}); ok != c.want {
				t.Errorf("of a day: %v", ok)
			}
		})
	}
}

// Times that are cut off, or of an older form, are not taken for others.
func TestTimesOfDamagedDays(t *testing.T) {
	day, list := workday(60)
	body := EncodeDay(day, list).Body
	before := false
	for n := range body {
		buckets := 0
		ok := DecodeTimes(day, body[:n], func(int64, minutes.Times) { buckets++ })
		if before && !ok || ok && buckets != len(list) || !ok && buckets != 0 {
			t.Errorf("%d bytes: %v, %d buckets", n, ok, buckets)
		}
		before = ok
	}
	if !before {
		t.Error("the times are the last part")
	}
	old, err := hex.DecodeString("040224252c09010f0101c0cf240001e0a712e0d40301640001140001b8170001040001050000000103000184888ba1060001050001034301a0c21e80b518018b960ad69108")
	if err != nil {
		t.Fatal(err)
	}
	if DecodeTimes(day, old, func(int64, minutes.Times) {}) {
		t.Error("an older day has times")
	}
	if !DecodeTimes(day, EncodeDay(day, nil).Body, func(int64, minutes.Times) {}) {
		t.Error("an empty day has none")
	}
}

func FuzzDecodeTimes(f *testing.F) {
	day, list := workday(100)
	f.Add(EncodeDay(day, list).Body)
	f.Fuzz(func(t *testing.T, body []byte) {
		last := int64(0)
		DecodeTimes(day, body, func(bucket int64, times minutes.Times) {
			if bucket <= last || times.ActiveMS < 0 || times.ActiveMS > times.RecordedMS || times.RecordedMS > 900_000 {
				t.Fatalf("%d after %d: %+v", bucket, last, times)
			}
			last = bucket
		})
	})
}

func BenchmarkDecodeTimes(b *testing.B) {
	day, list := workday(15 * 60)
	packed := EncodeDay(day, list)
	b.Run("times", func(b *testing.B) {
		n := int64(0)
		for b.Loop() {
			DecodeTimes(day, packed.Body, func(_ int64, t minutes.Times) { n += t.ActiveMS })
		}
	})
	b.Run("counts", func(b *testing.B) {
		var t Sums
		for b.Loop() {
			if err := DecodeDay(day, packed, DayParts{Counts: true}, func(int64) *Sums { return &t }); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.ReportMetric(float64(len(packed.Body)), "B/body")
	b.ReportMetric(float64(len(packed.Minutes)), "B/minutes")
}
