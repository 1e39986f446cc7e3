package apps

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/ui/frame"
	"activity-tracker.example/server/internal/ui/lane"
)

const (
	// maxColumns is how many days, or else weeks, are drawn: each is a question of its own.
	maxColumns = 31
	// columnWidth and stackHeight are the units that columns are drawn in.
	columnWidth, stackHeight = 20, 100
)

// stack is time with somebody there by category, a column a day or week.
type stack struct {
	Width  int
	Paths  []lane.Path
	Legend []mark
	// Names are the categories, as the head of the table has them.
	Names   []string
	Columns []column
	// Most is what the highest column stands for.
	Most string
}

// mark is a colour that the legend explains.
type mark struct{ Colour, Name string }

// column is a row of the table: a time of each category, and all.
type column struct {
	Name, Sum string
	Cells     []string
	// Short is what stands below it, at X in percent; empty where there is no room.
	Short, X string
}

// piece is a category's part of a column.
type piece struct{ seconds float64 }

// stack reads the days, or weeks, one by one.
func (p Parts) stack(v *frame.Visit, s *view, ask report.AppsQuestion) error {
	step := report.ByDay
	if ask.Days.Days() > maxColumns {
		step = report.ByWeek
	}
	periods, err := ask.Days.Periods(step)
	if err != nil || len(periods) < 2 || len(periods) > maxColumns {
		return nil //nolint:nilerr // nothing to draw: the table below has the sums
	}
	ask.By = report.ByCategory
	pieces := make([]map[string]piece, len(periods))
	sums := make([]float64, len(periods))
	most := 0.0
	for i := range periods {
		one := ask
		if one.Days, err = report.ParseRange(periods[i].First, periods[i].Last, s.Zone); err != nil {
			return err
		}
		r, err := p.Reports.Apps(v.Context(), v.Caller.Scope, one)
		if err != nil {
			return err
		}
		pieces[i] = map[string]piece{}
		for j := range r.Rows {
			row := &r.Rows[j]
			pieces[i][row.Category] = piece{pieces[i][row.Category].seconds + row.Seconds}
			sums[i] += row.Seconds
		}
		most = max(most, sums[i])
	}
	if most > 0 {
		s.Stack = s.draw(v, periods, pieces, sums, most)
	}
	return nil
}

// short is the day below a column, where there is room for it.
func short(v *frame.Visit, day time.Time, place, columns int) string {
	const named = 8 // columns that have room for a weekday
	number := strconv.Itoa(day.Day())
	switch {
	case columns <= named:
		return v.Words.Weekdays()[(int(day.Weekday())+6)%7] + " " + number
	case place == 0 || day.Day() == 1 || day.Weekday() == time.Monday:
		return number + " " + v.Words.ShortMonth(day.Month())
	}
	return ""
}

// draw draws the columns: what has no category on top.
func (s *view) draw(v *frame.Visit, periods []report.Period, pieces []map[string]piece, sums []float64, most float64) *stack {
	st := &stack{Width: len(periods) * columnWidth, Most: v.Words.Length(most)}
	for i := range periods {
		first, _ := time.Parse(time.DateOnly, periods[i].First) // a report has it so
		st.Columns = append(st.Columns, column{
			Name: v.Words.Date(first), Sum: v.Words.Short(sums[i]), Short: short(v, first, i, len(periods)),
			X: strconv.FormatFloat(percent*(float64(i)+0.5)/float64(len(periods)), 'f', 2, 64) + "%",
		})
	}
	below := make([]float64, len(periods))
	for _, name := range append(s.order, "") {
		var b strings.Builder
		for i := range periods {
			seconds := pieces[i][name].seconds
			high := stackHeight * seconds / most
			if high > 0 {
				fmt.Fprintf(&b, "M%d %.1fh%dv%.1fh-%dz", i*columnWidth+2, stackHeight-below[i]-high, columnWidth-4, high, columnWidth-4)
			}
			below[i] += high
		}
		if b.Len() == 0 {
			continue
		}
		shown := name
		if name == "" {
			shown = v.Words.T("apps.none")
		}
		colour := s.colour(name)
		st.Paths = append(st.Paths, lane.Path{State: colour, D: b.String()})
		st.Legend, st.Names = append(st.Legend, mark{colour, shown}), append(st.Names, shown)
		for i := range periods {
			st.Columns[i].Cells = append(st.Columns[i].Cells, v.Words.Short(pieces[i][name].seconds))
		}
	}
	return st
}
