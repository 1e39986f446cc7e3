// Package week draws the hours of a week as shades, one for each hour of each weekday.
package week

import (
	"strconv"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/ui/words"
)

const (
	// levels is in how many steps an hour is shaded, beside none.
	levels        = 9
	hoursADay     = 24
	minutesAnHour = 60
	daysAWeek     = 7
)

// Weekday is a date's place in a week, of which Monday is 0.
func Weekday(t time.Time) int { return (int(t.Weekday()) + daysAWeek - 1) % daysAWeek }

// Monday is the first day of a date's week, at the same time of day.
func Monday(t time.Time) time.Time { return t.AddDate(0, 0, -Weekday(t)) }

// Day is a weekday with its hours.
type Day struct {
	Name  string
	Cells []Cell
}

// Cell is one hour: its active minutes in words, and its shade from 0 to 9.
type Cell struct {
	Minutes string
	Level   int
}

// Hours are the names of a day's hours.
func Hours() []string {
	list := make([]string, hoursADay)
	for h := range list {
		list[h] = strconv.Itoa(h)
	}
	return list
}

// Days draws the hours of a rhythm, from Monday on: of one of so many people in one such
// hour, in the mean.
func Days(w *words.Words, hours []api.RhythmHour, people int) []Day {
	list := make([]Day, 0, len(hours)/hoursADay)
	for d, name := range w.Weekdays() {
		one := Day{Name: name}
		for _, h := range OfDay(hours, d) {
			seconds := 0.0
			if of := float64(h.Times) * float64(people); of > 0 {
				seconds = h.ActiveSeconds / of
			}
			one.Cells = append(one.Cells, Of(w, seconds))
		}
		list = append(list, one)
	}
	return list
}

// OfDay returns the hours of a weekday, of which Monday is 0.
func OfDay(hours []api.RhythmHour, day int) []api.RhythmHour {
	return hours[day*hoursADay : (day+1)*hoursADay]
}

// Of draws an hour in which somebody was active for so long.
func Of(w *words.Words, seconds float64) Cell {
	if seconds <= 0 {
		return Cell{}
	}
	minutes := seconds / minutesAnHour
	return Cell{w.Number(int(minutes + 0.5)), min(levels, 1+int(minutes/minutesAnHour*levels))}
}
