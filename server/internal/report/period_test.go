package report

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestPeriods(t *testing.T) {
	tests := []struct {
		name, from, to, zone, by string
		// Each period as its dates and its length in hours.
		want []string
	}{
		{"one day", "2024-01-15", "2024-01-15", "", "", []string{"2024-01-15 2024-01-15 24h0m0s"}},
		{"clocks go forward", "2024-03-30", "2024-04-01", "Europe/Berlin", "day", []string{
			"2024-03-30 2024-03-30 24h0m0s", "2024-03-31 2024-03-31 23h0m0s", "2024-04-01 2024-04-01 24h0m0s",
		}},
		{"clocks go back in a week", "2024-10-21", "2024-10-27", "Europe/Berlin", "week", []string{"2024-10-21 2024-10-27 169h0m0s"}},
		{"half an hour back", "2024-04-07", "2024-04-07", "Australia/Lord_Howe", "day", []string{"2024-04-07 2024-04-07 24h30m0s"}},
		{"a date that was left out", "2011-12-29", "2011-12-31", "Pacific/Apia", "day", []string{
			"2011-12-29 2011-12-29 24h0m0s", "2011-12-31 2011-12-31 24h0m0s",
		}},
		{"only a date that was left out", "2011-12-30", "2011-12-30", "Pacific/Apia", "day", nil},
		{"a week without a Friday", "2011-12-26", "2012-01-01", "Pacific/Apia", "week", []string{"2011-12-26 2012-01-01 144h0m0s"}},
		{"weeks over the year, clipped", "2020-12-29", "2021-01-12", "", "week", []string{
			"2020-12-29 2021-01-03 144h0m0s", "2021-01-04 2021-01-10 168h0m0s", "2021-01-11 2021-01-12 48h0m0s",
		}},
		{"a Sunday ends its week", "2024-01-07", "2024-01-08", "Asia/Kolkata", "week", []string{
			"2024-01-07 2024-01-07 24h0m0s", "2024-01-08 2024-01-08 24h0m0s",
		}},
		{"months, clipped", "2024-01-31", "2024-03-01", "Asia/Kathmandu", "month", []string{
			"2024-01-31 2024-01-31 24h0m0s", "2024-02-01 2024-02-29 696h0m0s", "2024-03-01 2024-03-01 24h0m0s",
		}},
		{"a month with a change", "2024-03-01", "2024-03-31", "America/New_York", "month", []string{"2024-03-01 2024-03-31 743h0m0s"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, err := ParseRange(test.from, test.to, test.zone)
			if err != nil {
				t.Fatal(err)
			}
			periods, err := r.Periods(Step(test.by))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range periods {
				got = append(got, p.First+" "+p.Last+" "+p.End.Sub(p.Start).String())
			}
			if strings.Join(got, "\n") != strings.Join(test.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

func TestRangesRefused(t *testing.T) {
	for _, in := range [][4]string{
		{"", "", "", ""},
		{"2024-01-15", "", "", ""},
		{"2024-01-15", "2024-01-14", "", ""},
		{"2024-01-15", "2024-01-32", "", ""},
		{"2020-01-01", "2024-01-01", "", "month"},
		{"2023-01-01", "2024-02-05", "", "day"},
		{"2024-01-15", "2024-01-15", "Local", ""},
		{"2024-01-15", "2024-01-15", "", "year"},
	} {
		r, err := ParseRange(in[0], in[1], in[2])
		if err == nil {
			var by Step
			if by, err = ParseStep(in[3]); err == nil {
				_, err = r.Periods(by)
			}
		}
		var invalid InvalidError
		if !errors.As(err, &invalid) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// Whatever is asked, periods follow each other from the range's start to its end,
// begin at quarters of an hour and are bounded.
func FuzzPeriods(f *testing.F) {
	f.Add("2024-03-30", "2024-04-01", "Europe/Berlin", "day")
	f.Add("2011-12-01", "2012-01-31", "Pacific/Apia", "week")
	f.Add("2021-12-01", "2024-11-30", "Asia/Kathmandu", "month")
	f.Add("2024-01-15", "2024-01-1\x00", "../x", "year")
	f.Fuzz(func(t *testing.T, from, to, zone, by string) {
		r, err := ParseRange(from, to, zone)
		if err != nil {
			return
		}
		step, err := ParseStep(by)
		if err != nil {
			return
		}
		periods, err := r.Periods(step)
		if err != nil {
			return
		}
		at := r.Start
		for _, p := range periods {
			if !p.Start.Equal(at) || !p.End.After(p.Start) || p.Last < p.First {
				t.Fatalf("%+v follows %v", p, at)
			}
			if first := p.Start.In(r.Zone).Format(dateForm); first != p.First && p.Start.Year() > 2000 && first < p.First {
				t.Fatalf("%+v starts on %s", p, first)
			}
			at = p.End
		}
		if len(periods) > maxPeriods || !at.Equal(r.End) && r.End.After(r.Start) {
			t.Fatalf("%d periods end at %v of %v", len(periods), at, r.End)
		}
		if b := Bounds(periods); len(periods) > 0 && len(b) != len(periods)+1 {
			t.Fatalf("%d bounds of %d periods", len(b), len(periods))
		}
	})
}

// A day that many zones cut differently is whole in each.
func TestDaysOfARangeAreDays(t *testing.T) {
	for _, zone := range []string{"UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia", "America/Havana"} {
		r, err := ParseRange("2011-06-01", "2012-06-30", zone)
		if err != nil {
			t.Fatal(err)
		}
		periods, err := r.Periods(ByDay)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range periods {
			day, err := ParseDay(p.First, zone)
			if err != nil || !day.Start.Equal(p.Start) || !day.End.Equal(p.End) || p.Start.Unix()%int64((15*time.Minute).Seconds()) != 0 {
				t.Errorf("%s: %+v, the day is %+v (%v)", zone, p, day, err)
			}
		}
	}
}
