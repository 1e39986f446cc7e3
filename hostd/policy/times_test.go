package policy

import (
	"reflect"
	"testing"
	"time"

	"activity-tracker.example/hostd/roster"
	rules "activity-tracker.example/server/api/policy"
)

func hours(t *testing.T, zone string, days ...rules.DayHours) *rules.WorkHours {
	t.Helper()
	w, err := rules.NewWorkHours(zone, days, nil)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func day(days string, spans ...string) rules.DayHours {
	return rules.DayHours{Days: days, Spans: spans}
}

func unix(t *testing.T, s string) int64 {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at.Unix()
}

// at is a policy of work hours, with a clock that shows a time and goes on.
func at(t *testing.T, now string, w *rules.WorkHours, changed func()) *Policy {
	t.Helper()
	start, begin := time.Unix(unix(t, now), 0), time.Now()
	return New(Options{
		Rules: rules.Document{WorkHours: w}, Changed: changed,
		Now: func() time.Time { return start.Add(time.Since(begin)).Round(0) },
	})
}

func TestGaps(t *testing.T) {
	week := hours(t, "Europe/Moscow", day("mon-fri", "09:00-13:00", "14:00-18:00"))
	night := hours(t, "Europe/Berlin", day("sun", "00:00-02:30"))
	for name, c := range map[string]struct {
		w           *rules.WorkHours
		from, until string
		want        []Gap
	}{
		"always":      {nil, "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z", nil},
		"all outside": {week, "2026-11-22T00:00:00Z", "2026-11-22T01:00:00Z", []Gap{{unix(t, "2026-11-22T00:00:00Z"), unix(t, "2026-11-22T01:00:00Z"), ReasonHours}}},
		"a day": {week, "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z", []Gap{
			{unix(t, "2026-11-23T00:00:00Z"), unix(t, "2026-11-23T06:00:00Z"), ReasonHours},
			{unix(t, "2026-11-23T10:00:00Z"), unix(t, "2026-11-23T11:00:00Z"), ReasonHours},
			{unix(t, "2026-11-23T15:00:00Z"), unix(t, "2026-11-24T00:00:00Z"), ReasonHours},
		}},
		// The hour from two comes twice: each half hour of it is inside.
		"clocks set back": {night, "2026-10-24T22:00:00Z", "2026-10-25T02:00:00Z", []Gap{
			{unix(t, "2026-10-25T00:30:00Z"), unix(t, "2026-10-25T01:00:00Z"), ReasonHours},
			{unix(t, "2026-10-25T01:30:00Z"), unix(t, "2026-10-25T02:00:00Z"), ReasonHours},
		}},
		// The hour from two does not come: inside ends with it.
		"clocks set forward": {night, "2026-03-28T23:00:00Z", "2026-03-29T02:00:00Z", []Gap{
			{unix(t, "2026-03-29T01:00:00Z"), unix(t, "2026-03-29T02:00:00Z"), ReasonHours},
		}},
	} {
		p := at(t, c.until, c.w, func() {})
		if got := p.Gaps("m", unix(t, c.from), unix(t, c.until)); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestGapsOfTheirTime: what was not collected is by the hours that held then.
func TestGapsOfTheirTime(t *testing.T) {
	noon := unix(t, "2026-11-23T12:00:00Z")
	p := at(t, "2026-11-23T12:00:00Z", hours(t, "UTC", day("mon", "09:00-18:00")), func() {})
	p.times.change(nil, time.Unix(noon+3600, 0))
	p.times.change(rules.Hours{hours(t, "UTC")}, time.Unix(noon+7200, 0))
	want := []Gap{{noon - 4*3600, noon - 3*3600, ReasonHours}, {noon + 7200, noon + 9000, ReasonHours}}
	if got := p.Gaps("m", noon-4*3600, noon+9000); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := p.Missing("m", noon-4*3600, noon+9000); got != 3600+1800 {
		t.Errorf("%d s", got)
	}
}

// TestBorder: at the second at which hours begin or end the sessions are looked at again,
// and helpers are told when they end.
func TestBorder(t *testing.T) {
	w := hours(t, "Europe/Moscow", day("mon-fri", "09:00-18:00"))
	for name, c := range map[string]struct {
		before  string
		measure bool // from the border on
		until   string
	}{
		"begin": {"2026-11-23T05:59:59Z", true, "2026-11-23T15:00:00Z"},
		"end":   {"2026-11-23T14:59:59Z", false, "2026-11-23T15:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			changed := make(chan time.Time, 10)
			var p *Policy
			p = at(t, c.before, w, func() { changed <- p.o.Now() })
			go func() { _ = p.Run(t.Context()) }()
			<-changed // at the start
			select {
			case when := <-changed:
				if border := time.Unix(unix(t, c.before)+1, 0); when.Before(border) || when.Sub(border) > 500*time.Millisecond {
					t.Errorf("noticed at %v", when)
				}
			case <-time.After(waitTime):
				t.Fatal("nothing changed")
			}
			list := p.Allow(roster.Result{Tracked: []roster.Tracked{{Username: "anna"}}})
			if measured := len(list.Tracked) == 1; measured != c.measure {
				t.Errorf("measured: %t", measured)
			}
			if got := p.Titles().UntilUnix; got != unix(t, c.until) {
				t.Errorf("until %v", time.Unix(got, 0).UTC())
			}
		})
	}
}
