package person

import (
	"context"
	"math"
	"strconv"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/category"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/store/query"
	"activity-tracker.example/server/internal/ui/frame"
	"activity-tracker.example/server/internal/ui/lane"
)

const (
	// chartHeight is that of one chart's drawing, markHeight of the ticks above it.
	chartHeight, markHeight = 40, 4
	// lineHeight is that of the drawing of percentages.
	lineHeight = 30
	// maxRecords is how many records of a day are drawn: those of a dozen accounts. A page
	// with more has a word about it.
	maxRecords    = 20_000
	minutesAnHour = 60
)

// hour is a row of the table of hours.
type hour struct {
	Hour, Active, Synthetic, Repeated string
	// Short is the hour as its link has it, Span what the link chooses.
	Short, Span           string
	Keys, Clicks, Scrolls int64
	// Link chooses the hour; its titles are shown then.
	Link   string
	Chosen bool
}

// chart is columns on the day's axis; Most is what the highest stands for.
type chart struct{ Key, D, Most, Marks string }

// strip is the lane of one application.
type strip struct {
	App   string
	Paths []lane.Path
}

// run is a row of the table of applications one after the other.
type run struct{ Span, App, Category, Length string }

// records are the single records of a day, sorted into categories; cut means that there are
// more.
type records struct {
	*lane.Records
	rules *category.Rules
	cut   bool
}

// records reads them.
func (p Parts) records(ctx context.Context, s subject, day report.Day) (r records, err error) {
	categories, err := p.Reports.Categories(ctx)
	if err != nil {
		return r, err
	}
	r.rules = category.NewRules(categories.Categories)
	r.Records = lane.NewRecords(day.Start, day.End, r.rules, lane.NewPalette(categories.Categories))
	q := report.PersonEventsQuestion{Person: s.id, From: query.PersonPlace{At: day.Start}, End: day.End}
	for e, err := range p.Reports.EachPersonEvent(ctx, s.scope, q) {
		if err != nil {
			return r, err
		}
		if r.cut = r.N >= maxRecords; r.cut {
			break
		}
		r.Add(&e)
	}
	return r, nil
}

// drawn makes what single records are drawn as: the lanes below the first one, and the charts.
func (page *view) drawn(v *frame.Visit, day report.Day, r records) {
	page.Cut = r.cut
	page.lanes(v, day, r)
	page.hours(v, day, r.Records)
	if r.N == 0 {
		return
	}
	marks := r.Marks(markHeight, func(c *lane.Column) float64 { return c.Synthetic })
	page.Charts = []chart{
		newChart(v, "person.keys", r.Bars(func(c *lane.Column) float64 { return c.Keys }), marks),
		newChart(v, "person.clicks", r.Bars(func(c *lane.Column) float64 { return c.Clicks }), ""),
		newChart(v, "person.scrolls", r.Bars(func(c *lane.Column) float64 { return c.Scrolls }), ""),
	}
	page.Repeated = r.Marks(markHeight, func(c *lane.Column) float64 { return c.Repeated })
	page.Synthetic = marks != ""
	page.CPU = r.Line(lineHeight, func(c *lane.Column) (float64, int) { return c.CPU, c.CPUs })
	page.RAM = r.Line(lineHeight, func(c *lane.Column) (float64, int) { return c.RAM, c.RAMs })
}

func newChart(v *frame.Visit, key string, bars []lane.Bar, marks string) chart {
	d, most := lane.Chart(chartHeight, bars)
	return chart{key, d, v.Words.Number(int(math.Round(most))), marks}
}

// lanes makes the lanes of categories and applications.
func (page *view) lanes(v *frame.Visit, day report.Day, list records) {
	const most = 6 // applications with a lane of their own
	runs := list.Runs()
	lengths := map[int]string{} // few: most runs are short
	length := func(minutes int) string {
		if lengths[minutes] == "" {
			lengths[minutes] = v.Words.Length(float64(minutes) * minutesAnHour)
		}
		return lengths[minutes]
	}
	paths, legend := list.Categories(runs)
	names := map[string]string{lane.More: v.Words.T("person.morecategories")}
	for _, c := range legend {
		if c.Colour == lane.None {
			c.Name = v.Words.T("apps.none")
		}
		if _, shared := names[c.Colour]; !shared {
			names[c.Colour] = c.Name
		}
		page.Legend = append(page.Legend, mark{c.Colour, c.Name})
	}
	for _, p := range paths {
		page.Categories = append(page.Categories, named{p, names[p.State]})
	}
	for _, s := range list.Strips(runs, most) {
		page.Strips = append(page.Strips, strip{s.App, s.Paths})
	}
	at := func(m int) string { return v.At(day.Start.Add(time.Duration(m) * time.Minute)) }
	for _, r := range runs {
		page.Runs = append(page.Runs, run{at(r.From) + "–" + at(r.To), r.App, list.rules.Name(r.Class), length(r.To - r.From)})
	}
}

// hours makes the rows of the hours of the day.
func (page *view) hours(v *frame.Visit, day report.Day, list *lane.Records) {
	var keys, clicks, scrolls []lane.Bar
	for i := range page.timeline {
		h := &page.timeline[i]
		end := day.End
		if i+1 < len(page.timeline) {
			end = page.timeline[i+1].Start
		}
		row := hour{Hour: v.At(h.Start), Active: v.Words.Length(float64(h.ActiveMinutes) * minutesAnHour), Keys: h.KeyCount, Clicks: h.MouseClicks, Scrolls: h.ScrollCount}
		row.Short, row.Span = strconv.Itoa(h.Start.In(day.Zone).Hour()), v.At(h.Start)+"–"+v.At(end)
		row.Link, row.Chosen = page.Span.link(day, h.Start, end)
		row.Synthetic, row.Repeated = marked(v, list, h, day, end)
		page.Hours = append(page.Hours, row)
		at, width := int(h.Start.Sub(day.Start).Minutes()), int(end.Sub(h.Start).Minutes())
		keys = append(keys, lane.Bar{At: at, Width: width, N: float64(h.KeyCount)})
		clicks = append(clicks, lane.Bar{At: at, Width: width, N: float64(h.MouseClicks)})
		scrolls = append(scrolls, lane.Bar{At: at, Width: width, N: float64(h.ScrollCount)})
	}
	// By hours, where single records are not kept any more.
	page.Charts = []chart{newChart(v, "person.keys", keys, ""), newChart(v, "person.clicks", clicks, ""), newChart(v, "person.scrolls", scrolls, "")}
}

// marked writes how many presses of an hour came from programs, and from keys that were held.
func marked(v *frame.Visit, list *lane.Records, h *api.Hour, day report.Day, end time.Time) (synthetic, repeated string) {
	var s, r float64
	first, last := int(h.Start.Sub(day.Start)/(lane.ColumnMinutes*time.Minute)), int(end.Sub(day.Start)/(lane.ColumnMinutes*time.Minute))
	for i := first; i < min(last, len(list.Columns)); i++ {
		s, r = s+list.Columns[i].Synthetic, r+list.Columns[i].Repeated
	}
	write := func(n float64) string {
		if n == 0 {
			return ""
		}
		return v.Words.Number(int(math.Round(n)))
	}
	return write(s), write(r)
}
