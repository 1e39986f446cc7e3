package lane

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/category"
)

const (
	// ColumnMinutes is how many minutes a column of counts has.
	ColumnMinutes = 5
	minute        = 60 // seconds
)

// Records are the single records of a day: what was in front in each minute, and counts.
type Records struct {
	start   time.Time
	rules   *category.Rules
	palette Palette
	// minutes are what was in front with somebody there.
	minutes [][]use
	// Columns are the counts of each ColumnMinutes.
	Columns []Column
	// N is how many records there are.
	N int
}

type use struct {
	app     string
	class   int
	seconds float64
}

// Column is the counts of a few minutes.
type Column struct {
	Keys, Clicks, Scrolls, Synthetic, Repeated float64
	// CPU and RAM are sums of the hosts' percentages, of which there are so many.
	CPU, RAM   float64
	CPUs, RAMs int
}

// NewRecords takes the records of a day from start to end, sorted into categories by rules.
func NewRecords(start, end time.Time, rules *category.Rules, palette Palette) *Records {
	n := int(end.Sub(start) / time.Minute)
	return &Records{start: start, rules: rules, palette: palette, minutes: make([][]use, n), Columns: make([]Column, (n+ColumnMinutes-1)/ColumnMinutes)}
}

// Add adds a record. One that is longer than a minute is spread over its minutes.
func (r *Records) Add(e *api.Event) {
	from := int(e.Timestamp.Sub(r.start) / time.Minute)
	n := max(1, int(e.Interval()/minute))
	if from < 0 || from >= len(r.minutes) {
		return
	}
	r.N++
	part := 1 / float64(n)
	for m := from; m < min(from+n, len(r.minutes)); m++ {
		r.count(e, &r.Columns[m/ColumnMinutes], part)
	}
	for _, f := range InFront(e) {
		if f.There <= 0 {
			continue
		}
		class := r.rules.Of(f.App, f.Title)
		for m := from; m < min(from+n, len(r.minutes)); m++ {
			r.use(m, use{f.App, class, f.There * part})
		}
	}
}

func (r *Records) count(e *api.Event, c *Column, part float64) {
	c.Keys += part * float64(e.KeyCount)
	c.Clicks += part * float64(e.MouseClicks)
	c.Scrolls += part * float64(e.ScrollCount)
	if e.SyntheticCount != nil {
		c.Synthetic += part * float64(*e.SyntheticCount)
	}
	if e.RepeatCount != nil {
		c.Repeated += part * float64(*e.RepeatCount)
	}
	if e.CPUPercent != nil {
		c.CPU, c.CPUs = c.CPU+*e.CPUPercent, c.CPUs+1
	}
	if e.RAMUsedPercent != nil {
		c.RAM, c.RAMs = c.RAM+*e.RAMUsedPercent, c.RAMs+1
	}
}

func (r *Records) use(m int, u use) {
	for i := range r.minutes[m] {
		if had := &r.minutes[m][i]; had.app == u.app && had.class == u.class {
			had.seconds += u.seconds
			return
		}
	}
	r.minutes[m] = append(r.minutes[m], u)
}

// Front is a window that was in front.
type Front struct {
	App, Title string
	// Seconds is for how long, There with somebody there.
	Seconds, There float64
}

// InFront returns what was in front in a record: all that it has, or the one that was there
// longest.
func InFront(e *api.Event) []Front {
	there := float64(e.Interval())
	if e.ActiveSeconds != nil {
		there = *e.ActiveSeconds
	} else if e.IsIdle {
		there = 0
	}
	if len(e.Focus) == 0 {
		if e.ActiveApp == "" {
			return nil
		}
		return []Front{{e.ActiveApp, e.ActiveWindow, float64(e.Interval()), there}}
	}
	list := make([]Front, len(e.Focus))
	part := there / float64(max(1, e.Interval()))
	for i, f := range e.Focus {
		list[i] = Front{f.App, f.Title, f.Seconds, f.Seconds * part}
		if f.ActiveSeconds != nil {
			list[i].There = *f.ActiveSeconds
		}
	}
	return list
}

// Run is a time in which one application was in front: in minutes since the day's start. What
// was in front for less than a minute's largest part is in the run of what was.
type Run struct {
	From, To int
	App      string
	// Class is its category's place, or category.None.
	Class int
}

// Runs returns what was in front, one after the other.
func (r *Records) Runs() []Run {
	var list []Run
	for m, uses := range r.minutes {
		if len(uses) == 0 {
			continue
		}
		longest := slices.MaxFunc(uses, func(a, b use) int {
			return cmp.Or(cmp.Compare(a.seconds, b.seconds), strings.Compare(b.app, a.app))
		})
		if last := len(list) - 1; last >= 0 && list[last].To == m && list[last].App == longest.app && list[last].Class == longest.class {
			list[last].To++
			continue
		}
		list = append(list, Run{m, m + 1, longest.app, longest.class})
	}
	return list
}

// Category is a category as a lane's legend has it.
type Category struct {
	Name, Colour string
	class        int
}

// Categories draws the lane of categories, and lists those on it, in their order; what is in
// none comes last.
func (r *Records) Categories(runs []Run) (paths []Path, legend []Category) {
	var drawn pens
	seen := map[int]bool{}
	for _, run := range runs {
		drawn.draw(r.palette.Of(run.Class), run)
		seen[run.Class] = true
	}
	for class := range seen {
		legend = append(legend, Category{r.rules.Name(class), r.palette.Of(class), class})
	}
	// As a number without a sign, none is the largest.
	slices.SortFunc(legend, func(a, b Category) int { return cmp.Compare(uint(a.class), uint(b.class)) })
	return drawn.paths(), legend
}

// Strip is the lane of one application, drawn in the colours of its categories.
type Strip struct {
	App     string
	Minutes int
	Paths   []Path
}

// Strips draws a lane for each of the applications that were in front longest, at most so many.
func (r *Records) Strips(runs []Run, most int) (list []Strip) {
	minutes, drawn := map[string]int{}, map[string]*pens{}
	for _, run := range runs {
		if drawn[run.App] == nil {
			drawn[run.App] = &pens{}
		}
		drawn[run.App].draw(r.palette.Of(run.Class), run)
		minutes[run.App] += run.To - run.From
	}
	for app, n := range minutes {
		list = append(list, Strip{App: app, Minutes: n})
	}
	slices.SortFunc(list, func(a, b Strip) int { return cmp.Or(cmp.Compare(b.Minutes, a.Minutes), cmp.Compare(a.App, b.App)) })
	list = list[:min(most, len(list))]
	for i := range list {
		list[i].Paths = drawn[list[i].App].paths()
	}
	return list
}

// pens draw runs, a path for each name, in the order in which they began.
type pens struct {
	names []string
	drawn map[string][]byte
}

func (p *pens) draw(name string, run Run) {
	if p.drawn == nil {
		p.drawn = map[string][]byte{}
	}
	if p.drawn[name] == nil {
		p.names = append(p.names, name)
	}
	const top, height = 2, 20
	p.drawn[name] = appendBox(p.drawn[name], run.From, top, run.To-run.From, height)
}

func (p *pens) paths() (list []Path) {
	for _, name := range p.names {
		list = append(list, Path{name, string(p.drawn[name])})
	}
	return list
}

// Bar is a column of a chart: where it is, in minutes since the day's start, and how much it
// stands for.
type Bar struct {
	At, Width int
	N         float64
}

// Bars returns one kind of count as the columns of a chart.
func (r *Records) Bars(of func(*Column) float64) []Bar {
	list := make([]Bar, len(r.Columns))
	for i := range r.Columns {
		list[i] = Bar{i * ColumnMinutes, ColumnMinutes, of(&r.Columns[i])}
	}
	return list
}

// Chart draws columns, height units high, and returns the largest.
func Chart(height int, bars []Bar) (d string, most float64) {
	for _, bar := range bars {
		most = max(most, bar.N)
	}
	var b []byte
	for _, bar := range bars {
		if bar.N > 0 {
			h := max(1, int(math.Round(float64(height)*bar.N/most)))
			b = appendBox(b, bar.At, height-h, bar.Width-1, h)
		}
	}
	return string(b), most
}

// Marks draws a tick in each column that has any of a count.
func (r *Records) Marks(height int, of func(*Column) float64) string {
	var b []byte
	for i := range r.Columns {
		if of(&r.Columns[i]) > 0 {
			b = appendBox(b, i*ColumnMinutes, 0, ColumnMinutes-1, height)
		}
	}
	return string(b)
}

// Line draws a mean of percentages as a line, broken where there are none.
func (r *Records) Line(height int, of func(*Column) (sum float64, n int)) string {
	const percent = 100
	var b strings.Builder
	down := false
	for i := range r.Columns {
		sum, n := of(&r.Columns[i])
		if n == 0 {
			down = false
			continue
		}
		y := height - int(math.Round(float64(height)*min(percent, sum/float64(n))/percent))
		x := i*ColumnMinutes + ColumnMinutes/2
		if down {
			fmt.Fprintf(&b, "L%d %d", x, y)
		} else {
			fmt.Fprintf(&b, "M%d %dh1", x, y)
		}
		down = true
	}
	return b.String()
}
