package week_test

import (
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/ui/week"
	"activity-tracker.example/server/internal/ui/words"
)

func TestShades(t *testing.T) {
	c, err := words.Load()
	if err != nil {
		t.Fatal(err)
	}
	w := c.Languages()[0]
	for seconds, want := range map[float64]week.Cell{
		0: {}, -1: {}, 20: {"0", 1}, 60: {"1", 1}, 1800: {"30", 5}, 3599: {"60", 9}, 3600: {"60", 9}, 7200: {"120", 9},
	} {
		if got := week.Of(w, seconds); got != want {
			t.Errorf("%v s: %+v, want %+v", seconds, got, want)
		}
	}
	hours := make([]api.RhythmHour, 7*24)
	for i := range hours {
		hours[i].Times = 2
	}
	hours[6*24+23].ActiveSeconds = 4 * 3600 // of two people in two such hours
	days := week.Days(w, hours, 2)
	if len(days) != 7 || days[6].Name != w.Weekdays()[6] || days[6].Cells[23] != (week.Cell{Minutes: "60", Level: 9}) || days[0].Cells[0] != (week.Cell{}) {
		t.Errorf("%+v", days)
	}
	if days := week.Days(w, hours, 0); days[6].Cells[23] != (week.Cell{}) {
		t.Errorf("of nobody: %+v", days[6].Cells[23])
	}
	if names := week.Hours(); len(names) != 24 || names[23] != "23" {
		t.Error(names)
	}
}

func TestWeekdays(t *testing.T) {
	monday := time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)
	for day := range 7 {
		at := monday.AddDate(0, 0, day)
		if week.Weekday(at) != day || !week.Monday(at).Equal(monday) {
			t.Errorf("%v: %d, of the week from %v", at, week.Weekday(at), week.Monday(at))
		}
	}
}
