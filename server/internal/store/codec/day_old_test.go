package codec

import (
	"encoding/hex"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/minutes"
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
		"minutes within":                "050224252c09010f0101c0cf240001e0a712e0d40301640001140001b8170001040001050000000103000184888ba106000e000601010af2c00101010af2c00101050001034301a0c21e80b518018b960ad69108",
		"times within":                  "040224252c09010f0101c0cf240001e0a712e0d40301640001140001b8170001040001050000000103000184888ba1060001050001034301a0c21e80b518018b960ad69108",
		"as now":                        "060224250f01c0cf24000103000184888ba106001d08010f0101e0a712e0d40301640001140001b81700010400010500000001050001034301a0c21e80b518018b960ad69108",
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
		if err := DecodeDay(day, PackedDay{Body: body}, parts, func(bucket int64) *Sums { return got.At(1, bucket) }); err != nil || len(got) != len(want) {
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
	if err := DecodeDay(day, PackedDay{Body: body}, DayParts{Apps: true}, func(int64) *Sums { return nil }); !errors.Is(err, ErrDamagedDay) {
		t.Errorf("damaged: %v", err)
	}
}

// The minutes of a day lie beside it, and lay within it before.
func TestMinutesOfADay(t *testing.T) {
	day, list := oldDay()
	for bucket, sums := range list {
		sums.Minutes = minutes.Append(nil, bucket, minutes.Record{Start: bucket, LengthMS: 60_000, ActiveMS: 12_345, Rest: minutes.NoInput})
	}
	within, err := hex.DecodeString("050224252c09010f0101c0cf240001e0a712e0d40301640001140001b8170001040001050000000103000184888ba106000e000601010af2c00101010af2c00101050001034301a0c21e80b518018b960ad69108")
	if err != nil {
		t.Fatal(err)
	}
	beside := EncodeDay(day, list)
	for form, packed := range map[string]PackedDay{"within": {Body: within}, "beside": beside} {
		got := Buckets{}
		if err := DecodeDay(day, packed, DayParts{true, true, true}, func(bucket int64) *Sums { return got.At(1, bucket) }); err != nil {
			t.Fatal(err)
		}
		for bucket, want := range list {
			if have := got.At(1, bucket); !reflect.DeepEqual(have, want) {
				t.Errorf("%s: %+v, want %+v", form, have, want)
			}
		}
	}
	for _, bad := range [][]byte{beside.Minutes[:len(beside.Minutes)-1], append(slices.Clone(beside.Minutes), 0)} {
		err := DecodeDay(day, PackedDay{beside.Body, bad}, DayParts{Minutes: true}, func(int64) *Sums { return &Sums{} })
		if !errors.Is(err, ErrDamagedDay) {
			t.Errorf("minutes %x: %v", bad, err)
		}
	}
}
