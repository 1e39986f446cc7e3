package interval

import (
	"slices"
	"time"

	"activity-tracker.example/sessiond/wire"
)

const (
	// maxRuns is how many helpers of one session are remembered: one lives, a
	// predecessor may have unread reports, and two more are margin.
	maxRuns = 4
	// maxFocusTables is how many intervals' focus is remembered of each
	// helper, so that a repeated report of an earlier interval adds nothing.
	maxFocusTables = 4
	// focusOrder is how far back a focus interval may lie and be taken for a
	// late repeat; further back is a clock that was set.
	focusOrder = time.Hour
)

// Account is what was already counted of one session.
type Account struct {
	MachineID string `json:"machine_id"`
	// SeenUnix is when a reading last came, by the daemon's clock.
	SeenUnix int64 `json:"seen"`
	// ReportedUnixMilli is the time of the latest report, by the helper's.
	ReportedUnixMilli int64 `json:"reported"`
	// Ended is true once the session is no longer tracked.
	Ended bool `json:"ended,omitempty"`
	// Runs are its helpers, the latest used last; at most maxRuns.
	Runs []Run `json:"runs"`
}

// Run is what was already counted of one helper process.
type Run struct {
	StartedUnixNano int64         `json:"started"`
	Counted         wire.Counters `json:"counted"`
	// Focus are its latest intervals, by start; at most maxFocusTables.
	Focus []FocusTable `json:"focus,omitempty"`
}

// growth is what a report adds to what was counted before.
type growth struct {
	counters wire.Counters
	focus    []wire.Focus
	// replaced is what was counted of the interval's focus under other rules for
	// titles, in the place of which focus comes; nil where nothing was.
	replaced *FocusTable
}

// empty reports whether nothing was added.
func (g *growth) empty() bool {
	return g.counters == wire.Counters{} && len(g.focus) == 0 && g.replaced == nil
}

// take counts the report and returns what it added, and whether its helper was
// known. Totals only ever grow, so
// the greatest seen is the truth: a late or repeated report adds nothing, and
// neither does one that goes backwards under the same start, which no working
// helper sends. A run that is unknown starts from zero unless distrusted.
func (a *Account) take(r *wire.Report, distrust bool) (g growth, known bool) {
	run, known := a.run(r.StartedUnixNano)
	was, now, add := run.Counted.List(), r.Counters.List(), g.counters.List()
	for i := range was {
		if *now[i] > *was[i] {
			*add[i] = *now[i] - *was[i]
			*was[i] = *now[i]
		}
	}
	g.focus, g.replaced = run.takeFocus(r)
	if !known && distrust {
		return growth{}, false
	}
	return g, known
}

// run finds the helper's run, or makes room for it, and moves it to the end.
func (a *Account) run(started int64) (run *Run, known bool) {
	i := slices.IndexFunc(a.Runs, func(r Run) bool { return r.StartedUnixNano == started })
	found := Run{StartedUnixNano: started}
	if i >= 0 {
		found = a.Runs[i]
		a.Runs = slices.Delete(a.Runs, i, i+1)
	} else if len(a.Runs) >= maxRuns {
		a.Runs = slices.Delete(a.Runs, 0, 1)
	}
	a.Runs = append(a.Runs, found)
	return &a.Runs[len(a.Runs)-1], i >= 0
}

func (run *Run) takeFocus(r *wire.Report) (grown []wire.Focus, replaced *FocusTable) {
	t := run.table(r.IntervalStartUnix)
	if t == nil {
		return nil, nil
	}
	if t.Rules != r.Rules && len(t.windows) > 0 {
		replaced = &FocusTable{windows: t.windows}
		t.windows = nil
	}
	t.Rules = r.Rules
	if len(r.Focus) > 0 { // clone left them to be shared
		t.windows = slices.Clone(t.windows)
	}
	for _, f := range r.Focus {
		if more := t.take(f); more.DurationMS > 0 || more.ActiveMS > 0 && more.ActiveMS != wire.ActiveUnknown {
			grown = append(grown, more)
		}
	}
	return grown, replaced
}

// table finds the interval's table or makes one; nil means that the report
// repeats an interval from before all that are remembered.
func (run *Run) table(start int64) *FocusTable {
	for i := range run.Focus {
		if run.Focus[i].StartUnix == start {
			return &run.Focus[i]
		}
	}
	if len(run.Focus) >= maxFocusTables {
		oldest := 0
		for i := range run.Focus {
			if run.Focus[i].StartUnix < run.Focus[oldest].StartUnix {
				oldest = i
			}
		}
		if behind := run.Focus[oldest].StartUnix - start; behind > 0 && behind <= int64(focusOrder/time.Second) {
			return nil
		}
		if start < run.Focus[oldest].StartUnix { // the clock was set back: forget the future
			run.Focus = run.Focus[:0]
		} else {
			run.Focus = slices.Delete(run.Focus, oldest, oldest+1)
		}
	}
	run.Focus = append(run.Focus, FocusTable{StartUnix: start})
	return &run.Focus[len(run.Focus)-1]
}

// clone copies all but the windows of focus tables: they are many, and a reading changes
// those of one, which takeFocus copies.
func (a *Account) clone() *Account {
	c := *a
	c.Runs = slices.Clone(a.Runs)
	for i := range c.Runs {
		c.Runs[i].Focus = slices.Clone(c.Runs[i].Focus)
	}
	return &c
}
