package lane_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/ui/lane"
)

func TestDraw(t *testing.T) {
	start := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	at := func(minute int) time.Time { return start.Add(time.Duration(minute) * time.Minute) }
	var d lane.Drawer
	d.Draw(start, at(1440), slices.Values([]api.Segment{{State: "active", Start: start, End: at(1)}, {State: "locked", Start: at(1), End: at(9)}}))
	l := d.Draw(start, at(1440), slices.Values([]api.Segment{
		{State: "unknown", Start: start, End: at(540)},
		{State: "active", Start: at(540), End: at(570), ActiveSeconds: 1500},
		{State: "no_input", Start: at(570), End: at(580)},
		{State: "locked", Start: at(580), End: at(590)},
		{State: "active", Start: at(590), End: at(600), ActiveSeconds: 600},
		{State: "something else", Start: at(600), End: at(601)},
		{State: "disconnected", Start: at(1430), End: at(1500)},
	}))
	want := lane.Lane{
		Width: 1440,
		Paths: []lane.Path{
			{State: "active", D: "M540 2h30v20h-30zM590 2h10v20h-10z"},
			{State: "no_input", D: "M570 12h10v10h-10z"},
			{State: "locked", D: "M580 12h10v10h-10z"},
			{State: "disconnected", D: "M1430 20h10v2h-10z"},
		},
		First: at(540), Last: at(599), Active: 2100, NoInput: 900, Locked: 600, Disconnected: 4200,
	}
	if !reflect.DeepEqual(l, want) {
		t.Errorf("got %+v\nwant %+v", l, want)
	}
}

// A day on which clocks change has 23 or 25 hours, and its axis what the clock showed.
func TestTicks(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		start, end time.Time
		six        string
	}{
		{time.Date(2026, 11, 26, 0, 0, 0, 0, zone), time.Date(2026, 11, 27, 0, 0, 0, 0, zone), "25.000%"},
		{time.Date(2026, 10, 25, 0, 0, 0, 0, zone), time.Date(2026, 10, 26, 0, 0, 0, 0, zone), "28.000%"},
		{time.Date(2026, 3, 29, 0, 0, 0, 0, zone), time.Date(2026, 3, 30, 0, 0, 0, 0, zone), "21.739%"},
	} {
		ticks := lane.Ticks(c.start, c.end, zone)
		if ticks[0] != (lane.Tick{X: "0.000%", Text: "0"}) {
			t.Errorf("%v: %+v", c.start, ticks)
		}
		for _, tick := range ticks {
			if tick.Text == "6" && tick.X != c.six {
				t.Errorf("%v: %+v", c.start, tick)
			}
		}
	}
}
