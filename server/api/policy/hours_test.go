package policy_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api/policy"
)

func hours(tb testing.TB, text string) *policy.WorkHours {
	tb.Helper()
	var w policy.WorkHours
	if err := json.Unmarshal([]byte(text), &w); err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	return &w
}

func at(tb testing.TB, text string) time.Time {
	tb.Helper()
	when, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		tb.Fatal(err)
	}
	return when
}

func TestBorders(t *testing.T) {
	tests := []struct {
		name, hours, from string
		// borders are the instants that follow from, each turning what holds.
		collects bool
		borders  []string
	}{
		{
			"a plain week", `{"tz":"Europe/Moscow","mon-fri":["09:00-18:00"]}`,
			"2026-01-02T12:00:00Z", true, // a Friday
			[]string{"2026-01-02T15:00:00Z", "2026-01-05T06:00:00Z", "2026-01-05T15:00:00Z"},
		},
		{
			"a second and a part of one before", `{"tz":"UTC","mon-sun":["09:00-18:00"]}`,
			"2026-01-02T08:59:59.999999999Z", false,
			[]string{"2026-01-02T09:00:00Z"},
		},
		{
			"spring: the border lies in the hour that is skipped", `{"tz":"Europe/Berlin","sun":["02:30-04:00"]}`,
			"2026-03-29T00:00:00Z", false,
			[]string{"2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"},
		},
		{
			"spring: all of it is skipped", `{"tz":"Europe/Berlin","sun":["02:10-02:50"]}`,
			"2026-03-28T12:00:00Z", false,
			[]string{"2026-04-05T00:10:00Z"},
		},
		{
			"autumn: what comes twice is inside twice", `{"tz":"Europe/Berlin","sun":["02:15-02:45"]}`,
			"2026-10-25T00:00:00Z", false,
			[]string{"2026-10-25T00:15:00Z", "2026-10-25T00:45:00Z", "2026-10-25T01:15:00Z", "2026-10-25T01:45:00Z", "2026-11-01T01:15:00Z"},
		},
		{
			"autumn: the end comes twice", `{"tz":"Europe/Berlin","sun":["00:00-02:30"]}`,
			"2026-10-25T00:00:00Z", true,
			[]string{"2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z"},
		},
		{
			"half an hour of summer", `{"tz":"Australia/Lord_Howe","sun":["01:45-03:00"]}`,
			"2026-04-04T12:00:00Z", false, // from 02:00 back to 01:30 on the 5th
			[]string{"2026-04-04T14:45:00Z", "2026-04-04T15:00:00Z", "2026-04-04T15:15:00Z", "2026-04-04T16:30:00Z"},
		},
		{
			"a zone of 5:45", `{"tz":"Asia/Kathmandu","mon":["09:00-18:00"]}`,
			"2026-01-05T00:00:00Z", false,
			[]string{"2026-01-05T03:15:00Z", "2026-01-05T12:15:00Z"},
		},
		{
			"a zone that gave up summer time", `{"tz":"Europe/Moscow","sun":["00:00-24:00"]}`,
			"2014-10-25T00:00:00Z", false, // from +4 to +3 on the 26th, 02:00
			[]string{"2014-10-25T20:00:00Z", "2014-10-26T21:00:00Z"},
		},
		{
			"a day that never was", `{"tz":"Pacific/Apia","fri":["09:00-18:00"]}`,
			"2011-12-29T20:00:00Z", false,
			[]string{"2012-01-05T19:00:00Z"},
		},
		{
			"a midnight that never was", `{"tz":"America/Asuncion","sun":["00:00-01:00","05:00-06:00"]}`,
			"2023-10-01T03:00:00Z", false, // 00:00 became 01:00 on the 1st
			[]string{"2023-10-01T08:00:00Z", "2023-10-01T09:00:00Z"},
		},
		{
			"a night as two", `{"tz":"UTC","mon":["22:00-24:00"],"tue":["00:00-06:00"]}`,
			"2026-01-05T23:00:00Z", true,
			[]string{"2026-01-06T06:00:00Z", "2026-01-12T22:00:00Z"},
		},
		{
			"holidays", `{"tz":"UTC","mon-sun":["00:00-24:00"],"holidays":["2026-01-02","2026-01-01"]}`,
			"2025-12-31T12:00:00Z", true,
			[]string{"2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z", ""},
		},
		{"never", `{"tz":"UTC"}`, "2026-01-05T23:00:00Z", false, []string{""}},
		{"no hours that day", `{"tz":"UTC","mon-sun":["00:00-24:00"],"mon":[]}`, "2026-01-04T23:00:00Z", true, []string{"2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w, now, collects := hours(t, test.hours), at(t, test.from), test.collects
			for _, border := range test.borders {
				if w.Collects(now) != collects {
					t.Fatalf("at %s collects is %v", now, !collects)
				}
				next := w.Next(now)
				if border == "" {
					if !next.IsZero() {
						t.Fatalf("after %s: %s, want none", now, next)
					}
					return
				}
				if !next.Equal(at(t, border)) {
					t.Fatalf("after %s: %s, want %s", now, next, border)
				}
				if w.Collects(next.Add(-time.Nanosecond)) != collects {
					t.Fatalf("the border %s is late", next)
				}
				now, collects = next, !collects
			}
		})
	}
}

func TestNoHoursIsAlways(t *testing.T) {
	var none *policy.WorkHours
	if !none.Collects(time.Now()) || !none.Next(time.Now()).IsZero() || !(policy.Hours{}).Collects(time.Now()) {
		t.Error("no work hours are not always")
	}
}

var zones = []string{
	"UTC", "Europe/Moscow", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu",
	"Africa/Casablanca", "Pacific/Apia", "America/Asuncion", "Asia/Gaza", "Pacific/Chatham", "Europe/Dublin",
}

// randomHours have borders on quarters of an hour, as offsets of zones have today.
func randomHours(tb testing.TB, r *rand.Rand) *policy.WorkHours {
	tb.Helper()
	var days []policy.DayHours
	for _, day := range []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"} {
		d := policy.DayHours{Days: day}
		for quarter := r.IntN(60); quarter < 96 && r.IntN(4) > 0; {
			end := min(96, quarter+1+r.IntN(40))
			d.Spans = append(d.Spans, fmt.Sprintf("%02d:%02d-%02d:%02d", quarter/4, quarter%4*15, end/4, end%4*15))
			quarter = end + r.IntN(20)
		}
		days = append(days, d)
	}
	var holidays []string
	for range r.IntN(4) {
		holidays = append(holidays, time.Unix(1.6e9+r.Int64N(2e8), 0).UTC().Format(time.DateOnly))
	}
	w, err := policy.NewWorkHours(zones[r.IntN(len(zones))], days, holidays)
	if err != nil {
		tb.Fatal(err)
	}
	return w
}

// TestNextIsWhatLookingFinds compares Next with looking at every quarter of an hour.
func TestNextIsWhatLookingFinds(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 400 {
		h := policy.Hours{randomHours(t, r)}
		if r.IntN(3) == 0 {
			h = append(h, randomHours(t, r))
		}
		now := time.Unix((16e8+r.Int64N(2e8))/900*900, 0)
		now = now.Add(-time.Duration(r.Int64N(int64(time.Hour))))
		next := h.Next(now)
		for look := now.Truncate(15 * time.Minute).Add(15 * time.Minute); look.Sub(now) < 10*24*time.Hour; look = look.Add(15 * time.Minute) {
			if h.Collects(look) == h.Collects(now) {
				continue
			}
			if !next.Equal(look) {
				t.Fatalf("%v after %s: %s, looking finds %s", h, now, next, look)
			}
			break
		}
	}
}

func TestHoursThatAreWrong(t *testing.T) {
	tests := []struct{ hours, want string }{
		{`{"mon":["09:00-18:00"]}`, "work_hours.tz: is required"},
		{`{"tz":"Local"}`, "work_hours.tz: "},
		{`{"tz":"../etc/passwd"}`, "work_hours.tz: "},
		{`{"tz":"Europe/Atlantis"}`, "work_hours.tz: "},
		{`{"tz":"UTC","monday":["09:00-18:00"]}`, `"monday" is no day`},
		{`{"tz":"UTC","mon-":["09:00-18:00"]}`, `"mon-" is no day`},
		{`{"tz":"UTC","mon":["18:00-09:00"]}`, "work_hours.mon[0]: 18:00-09:00 ends before it starts"},
		{`{"tz":"UTC","mon":["09:00-09:00"]}`, "ends before it starts"},
		{`{"tz":"UTC","mon":["9:00-18:00"]}`, "is no span"},
		{`{"tz":"UTC","mon":["09:00-24:01"]}`, "is no span"},
		{`{"tz":"UTC","mon":["+9:00-18:00"]}`, "is no span"},
		{`{"tz":"UTC","mon":["09:00-18:00","17:59-20:00"]}`, "09:00-18:00 and 17:59-20:00 overlap"},
		{`{"tz":"UTC","mon":"09:00-18:00"}`, "work_hours.mon: of the wrong type"},
		{`{"tz":"UTC","mon":[],"mon":[]}`, `"mon" comes twice`},
		{`{"tz":"UTC","holidays":["2026-02-30"]}`, "work_hours.holidays[0]: "},
		{`[]`, "work_hours: not an object"},
	}
	for _, test := range tests {
		var w policy.WorkHours
		err := json.Unmarshal([]byte(test.hours), &w)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", test.hours, err, test.want)
		}
	}
}

func TestHoursAreWrittenInOneForm(t *testing.T) {
	w := hours(t, `{"holidays":["2026-05-01","2026-01-01","2026-05-01"],"sat-mon":["12:00-13:00","09:00-12:00"],"tz":"UTC","tue":["10:00-11:00"],"sun":[]}`)
	text, err := json.Marshal(w)
	want := `{"tz":"UTC","mon":["09:00-13:00"],"tue":["10:00-11:00"],"sat":["09:00-13:00"],"holidays":["2026-01-01","2026-05-01"]}`
	if err != nil || string(text) != want {
		t.Errorf("%s, %v; want %s", text, err, want)
	}
}

func FuzzHours(f *testing.F) {
	f.Add(`{"tz":"Europe/Berlin","mon-fri":["09:00-18:00"],"holidays":["2026-01-01"]}`)
	f.Add(`{"tz":"UTC","sat-mon":["00:00-24:00"],"sun":[]}`)
	f.Fuzz(func(t *testing.T, text string) {
		var w policy.WorkHours
		if json.Unmarshal([]byte(text), &w) != nil {
			return
		}
		first, err := json.Marshal(&w)
		if err != nil {
			t.Fatal(err)
		}
		second, err := json.Marshal(hours(t, string(first)))
		if err != nil || string(first) != string(second) {
			t.Fatalf("%s, then %s", first, second)
		}
		now := time.Unix(1_790_000_000, 0)
		if next := w.Next(now); !next.IsZero() && w.Collects(next) == w.Collects(now) {
			t.Fatalf("%s: %s is no border", first, next)
		}
	})
}

func BenchmarkNextOfNever(b *testing.B) {
	h := policy.Hours{hours(b, `{"tz":"Europe/Berlin","mon":["09:00-10:00"]}`), hours(b, `{"tz":"Europe/Berlin","tue":["09:00-10:00"]}`)}
	for b.Loop() {
		h.Next(time.Unix(1_790_000_000, 0))
	}
}
