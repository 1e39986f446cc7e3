package codec

import (
	"encoding/hex"
	"errors"
	"reflect"
	"testing"
	"time"

	"activity-tracker.example/server/api"
)

// oldDay is a day of two buckets as all old forms had it; how much of the time of
// applications was active is estimated from 600 s of 900 s.
func oldDay() (day time.Time, list map[int64]*Sums) {
	day = time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)
	at := day.Add(9 * time.Hour).UnixMicro()
	return day, map[int64]*Sums{
		at: {
			Events: 15, Counts: api.Counts{100, 20, 3000, 4, 5}, ActiveMS: 600_000, IdleMS: 300_000,
			First: at + 1_000_000, Last: at + 840_000_001, Apps: AppSums{{3, AppTime{500_000, 333_333}}, {70, AppTime{400_000, 266_666}}}, Estimated: true,
		},
		at + BucketLength.Microseconds(): {Events: 1, IdleMS: 60_000},
	}
}

// What was packed before reads back as it was.
func TestOldDayIsRead(t *testing.T) {
	for form, old := range map[string]string{
		"before columns":                "010224250f0164001400b8170004000500c0cf2400e0a712e0d4030384888ba10600000203a0c21e4380b51800",
		"before active time":            "02022425090f01c0cf2400e0a712e0d40364001400b817000400050000000384888ba10600000203a0c21e4380b51800",
		"before a form for each column": "03022425090f01c0cf2400e0a712e0d40364001400b817000400050000000384888ba10600000503a0c21e8b960a4380b518d6910800",
		"before minutes":                "040224252c09010f0101c0cf240001e0a712e0d40301640001140001b8170001040001050000000103000184888ba1060001050001034301a0c21e80b518018b960ad69108",
	} {
		t.Run(form, func(t *testing.T) { oldDayIsRead(t, old) })
	}
}

func oldDayIsRead(t *testing.T, old string) {
	t.Helper()
	body, err := hex.DecodeString(old)
	if err != nil {
		t.Fatal(err)
	}
	day, want := oldDay()
	for _, parts := range []DayParts{{Counts: true, Apps: true}, {Counts: true}} {
		got := Buckets{}
		if err := DecodeDay(day, body, parts, func(bucket int64) *Sums { return got.At(1, bucket) }); err != nil || len(got) != len(want) {
			t.Fatalf("%d buckets, %v", len(got), err)
		}
		for bucket, sums := range want {
			sums := *sums
			if !parts.Apps {
				sums.Apps, sums.Estimated = nil, false
			}
			if !reflect.DeepEqual(got.At(1, bucket), &sums) {
				t.Errorf("%+v, want %+v", got.At(1, bucket), sums)
			}
		}
	}
	body[len(body)-1] = 0x80
	if err := DecodeDay(day, body, DayParts{Apps: true}, func(int64) *Sums { return nil }); !errors.Is(err, ErrDamagedDay) {
		t.Errorf("damaged: %v", err)
	}
}
