package report

import (
	"errors"
	"testing"
	"time"
)

func TestHoursOfADay(t *testing.T) {
	tests := []struct {
		name, date, zone string
		start            string
		hours            int
		labels           []int // the first local hours
	}{
		{"UTC by default", "2024-01-15", "", "2024-01-15T00:00:00Z", 24, []int{0, 1, 2}},
		{"Moscow", "2024-01-15", "Europe/Moscow", "2024-01-14T21:00:00Z", 24, []int{0, 1}},
		{"half an hour off", "2024-01-15", "Asia/Kolkata", "2024-01-14T18:30:00Z", 24, []int{0, 1}},
		{"clocks go forward", "2024-03-31", "Europe/Berlin", "2024-03-30T23:00:00Z", 23, []int{0, 1, 3, 4}},
		{"clocks go back", "2024-10-27", "Europe/Berlin", "2024-10-26T22:00:00Z", 25, []int{0, 1, 2, 2, 3}},
		{"midnight is skipped", "2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00:00Z", 23, []int{1, 2}},
		{"midnight comes twice", "2020-11-01", "America/Havana", "2020-11-01T04:00:00Z", 25, []int{0, 0, 1}},
		{"half an hour forward", "2024-10-06", "Australia/Lord_Howe", "2024-10-05T13:30:00Z", 24, []int{0, 1, 2, 3}},
		{"half an hour back", "2024-04-07", "Australia/Lord_Howe", "2024-04-06T13:00:00Z", 25, []int{0, 1, 1, 2}},
		{"a date that was left out", "2011-12-30", "Pacific/Apia", "2011-12-30T10:00:00Z", 0, nil},
		{"leap day", "2024-02-29", "UTC", "2024-02-29T00:00:00Z", 24, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			day, err := ParseDay(test.date, test.zone)
			if err != nil {
				t.Fatal(err)
			}
			hours := day.Hours()
			if got := hours[0].UTC().Format(time.RFC3339); got != test.start {
				t.Errorf("starts at %s, want %s", got, test.start)
			}
			if got := len(hours) - 1; got != test.hours {
				t.Errorf("%d hours, want %d", got, test.hours)
			}
			for i, want := range test.labels {
				if got := hours[i].In(day.Zone).Hour(); got != want {
					t.Errorf("entry %d is hour %d, want %d", i, got, want)
				}
			}
		})
	}
}

// Days must follow each other without gap or overlap, in every zone that does
// odd things (Antarctica/Troll moves its clocks by two hours).
func TestDaysAreConsecutive(t *testing.T) {
	zones := []string{
		"UTC", "Europe/Berlin", "America/Sao_Paulo", "America/Havana", "Australia/Lord_Howe", "Pacific/Apia",
		"Asia/Beirut", "Asia/Tehran", "Africa/Casablanca", "Asia/Kathmandu", "America/St_Johns", "Antarctica/Troll",
		"Asia/Gaza", "Pacific/Kiritimati", "Africa/Cairo",
	}
	for _, zone := range zones {
		loc, err := loadZone(zone)
		if err != nil {
			t.Fatal(err)
		}
		date := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
		for start := dayStart(date, loc); date.Year() < 2031; {
			next := date.AddDate(0, 0, 1)
			end := dayStart(next, loc)
			if length := end.Sub(start); length < 0 || length > 26*time.Hour {
				t.Fatalf("%s in %s lasts %v", date.Format(dateForm), zone, length)
			}
			if shown := wall(start); end.After(start) && !shown.Truncate(24*time.Hour).Equal(date) {
				t.Fatalf("%s in %s starts when the clock shows %v", date.Format(dateForm), zone, shown)
			}
			date, start = next, end
		}
	}
}

func TestParseDayRefuses(t *testing.T) {
	for _, in := range [][2]string{
		{"", ""},
		{"2024-1-5", ""},
		{"2023-02-29", ""},
		{"2024-01-15T00:00:00Z", ""},
		{"1998-12-31", ""},
		{"9999-01-01", ""},
		{"2024-01-15", "Mars/Base"},
		{"2024-01-15", "../../etc/passwd"},
		{"2024-01-15", "Local"},
		{"2024-01-15", "localtime"},
		{"2024-01-15", "posix/localtime"},
		{"2024-01-15", "posixrules"},
		{"2024-01-15", "/etc/localtime"},
		{"2024-01-15", "\x00"},
	} {
		_, err := ParseDay(in[0], in[1])
		var invalid InvalidError
		if !errors.As(err, &invalid) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func FuzzParseDay(f *testing.F) {
	f.Add("2024-03-31", "Europe/Berlin")
	f.Add("2011-12-30", "Pacific/Apia")
	f.Add("2024-01-15", "../x")
	f.Fuzz(func(t *testing.T, date, zone string) {
		day, err := ParseDay(date, zone)
		if err != nil {
			return
		}
		hours := day.Hours()
		if len(hours) < 1 || len(hours) > 27 {
			t.Fatalf("%s in %s has %d hours", date, zone, len(hours)-1)
		}
		for i := 1; i < len(hours); i++ {
			if d := hours[i].Sub(hours[i-1]); d <= 0 || d > time.Hour {
				t.Fatalf("%s in %s: hour %d lasts %v", date, zone, i, d)
			}
		}
	})
}

func FuzzCursor(f *testing.F) {
	from, to := time.Unix(1_700_000_000, 0).UTC(), time.Unix(1_800_000_000, 0).UTC()
	f.Add(eventsCursor(from))
	f.Add(encodeCursor(cursorMachines, "vm-abc123-user1"))
	f.Fuzz(func(t *testing.T, cursor string) {
		if next, err := parseEventsCursor(cursor, from, to); err == nil && (!next.After(from) || next.After(to)) {
			t.Fatalf("%q leads outside, to %v", cursor, next)
		}
		if id, err := parseMachinesCursor(cursor); err == nil && !plausible(id) {
			t.Fatalf("%q leads to %q", cursor, id)
		}
	})
}

// Roll-ups are quarters of an hour in UTC: no local hour since 2000 begins between
// two of them, in the zones with the oddest clocks.
func TestHoursBeginAtQuarters(t *testing.T) {
	for _, zone := range []string{
		"Asia/Kathmandu", "Australia/Lord_Howe", "Australia/Eucla", "Pacific/Chatham", "America/St_Johns", "Pacific/Apia",
		"Asia/Pyongyang", "Antarctica/Troll", "America/Caracas", "Africa/Casablanca", "Asia/Tehran", "Europe/Berlin",
	} {
		for date := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC); date.Year() < 2028; date = date.AddDate(0, 0, 1) {
			day, err := ParseDay(date.Format(dateForm), zone)
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range day.Hours() {
				if h.Unix()%(15*60) != 0 {
					t.Errorf("%s %s: an hour begins at %v", zone, day.Date, h.UTC())
				}
			}
		}
	}
}
