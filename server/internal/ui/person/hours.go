package person

import (
	"strconv"

	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/report/byperson"
	"activity-tracker.example/server/internal/ui/frame"
)

// hour is a column of the charts under the lane: keys, clicks and scrolls of an hour.
type hour struct {
	Hour                  string
	Active                string
	Keys, Clicks, Scrolls int64
	// X and W are where the column is and how wide, in percent; the others how high, of chartHeight.
	X, W                      string
	KeysTop, ClicksTop        int
	KeysHeight, ClicksHeight  int
	ScrollsTop, ScrollsHeight int
}

// chartHeight is that of one chart's drawing.
const chartHeight = 40

// hours reads the counts of each hour of the day.
func (p Parts) hours(v *frame.Visit, s subject, day report.Day, page *view) error {
	t, err := p.People.Timeline(v.Context(), s.scope, byperson.PersonDayQuestion{Person: s.id, Day: day})
	if err != nil {
		return err
	}
	var most [3]int64
	for i := range t.Hours {
		h := &t.Hours[i]
		most[0], most[1], most[2] = max(most[0], h.KeyCount), max(most[1], h.MouseClicks), max(most[2], h.ScrollCount)
	}
	high := func(n, of int64) int { return int(chartHeight * n / max(1, of)) }
	const percent, gap = 100.0, 0.2
	whole := day.End.Sub(day.Start)
	for i := range t.Hours {
		h := &t.Hours[i]
		at := percent * float64(h.Start.Sub(day.Start)) / float64(whole)
		k, c, r := high(h.KeyCount, most[0]), high(h.MouseClicks, most[1]), high(h.ScrollCount, most[2])
		page.Hours = append(page.Hours, hour{
			Hour: v.At(h.Start), Active: v.Words.Length(float64(h.ActiveMinutes) * 60), Keys: h.KeyCount, Clicks: h.MouseClicks, Scrolls: h.ScrollCount,
			X: part(at + gap), W: part(percent/float64(len(t.Hours)) - 2*gap),
			KeysTop: chartHeight - k, KeysHeight: k, ClicksTop: chartHeight - c, ClicksHeight: c, ScrollsTop: chartHeight - r, ScrollsHeight: r,
		})
	}
	return nil
}

func part(percent float64) string { return strconv.FormatFloat(percent, 'f', 2, 64) + "%" }
