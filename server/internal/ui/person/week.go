package person

import (
	"strconv"
	"time"

	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/report/byperson"
	"activity-tracker.example/server/internal/ui/frame"
	draw "activity-tracker.example/server/internal/ui/week"
)

// weekday is a row of the week's table: minutes with somebody there in each hour.
type weekday struct {
	Name, Link, Sum string
	Chosen          bool
	Cells           []draw.Cell
}

// week reads the hours of the week that a day is in.
func (p Parts) week(v *frame.Visit, s subject, day report.Day, page *view) error {
	t := day.Start.In(day.Zone)
	monday := draw.Monday(t)
	q, err := byperson.ParseRhythm(monday.Format(time.DateOnly), monday.AddDate(0, 0, daysAWeek-1).Format(time.DateOnly), day.Zone.String(), s.id.String(), "")
	if err != nil {
		return err
	}
	r, err := p.People.Rhythm(v.Context(), s.scope, q)
	if err != nil {
		return err
	}
	page.WeekHours = draw.Hours()
	for i, name := range v.Words.Weekdays() {
		at := monday.AddDate(0, 0, i)
		d := weekday{Name: name + " " + strconv.Itoa(at.Day()), Link: "?date=" + at.Format(time.DateOnly), Chosen: at.Format(time.DateOnly) == day.Date}
		sum := 0.0
		for _, h := range draw.OfDay(r.Hours, i) {
			sum += h.ActiveSeconds
			d.Cells = append(d.Cells, draw.Of(v.Words, h.ActiveSeconds))
		}
		d.Sum = v.Words.Short(sum)
		page.Week = append(page.Week, d)
	}
	return nil
}
