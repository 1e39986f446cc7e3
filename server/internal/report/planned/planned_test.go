package planned

import (
	"testing"
	"time"

	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/server/internal/store/policies"
)

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

func plans(tb testing.TB) *Plans {
	tb.Helper()
	hours := func(days, spans string) *policy.WorkHours {
		w, err := policy.NewWorkHours("Europe/Berlin", []policy.DayHours{{Days: days, Spans: []string{spans}}}, []string{"2026-10-06"})
		if err != nil {
			tb.Fatal(err)
		}
		return w
	}
	first := policy.Version{Version: 1, ValidFrom: at("2026-10-05T00:00:00Z"), Policy: policy.Document{WorkHours: hours("mon-fri", "09:00-18:00")}}
	second := policy.Version{Version: 2, ValidFrom: at("2026-10-08T10:00:00Z"), Policy: policy.Document{WorkHours: hours("mon-fri", "09:00-13:00")}}
	night := policy.Version{Version: 3, HostGroup: new("night"), ValidFrom: at("2026-10-05T00:00:00Z"), Policy: policy.Document{WorkHours: hours("mon-sun", "00:00-24:00")}}
	return &Plans{
		hours: policies.Hours{
			Of:   map[string]int{"a": 0, "b": 0, "c": 1, "d": 2},
			Held: []policy.Reply{{Policies: []policy.Version{first, second}}, {Policies: []policy.Version{first, second, night}}, {}},
		},
		known: map[question]answer{},
	}
}

// What was planned is by the rules of then, in their zone; what is not known is not guessed.
func TestLength(t *testing.T) {
	p := plans(t)
	day := func(date string) time.Time { return at(date + "T00:00:00Z") }
	for _, x := range []struct {
		accounts   []string
		start, end string
		hours      float64
		known      bool
	}{
		{[]string{"a"}, "2026-10-05", "2026-10-06", 9, true},
		{[]string{"a", "b"}, "2026-10-05", "2026-10-06", 9, true},
		{[]string{"a"}, "2026-10-06", "2026-10-07", 0, true},  // a holiday
		{[]string{"a"}, "2026-10-08", "2026-10-09", 4, true},  // the rule changes at noon there
		{[]string{"a"}, "2026-10-05", "2026-10-12", 26, true}, // 9 + 0 + 9 + 4 + 4
		{[]string{"a"}, "2026-10-04", "2026-10-06", 0, false}, // before there was a rule
		{[]string{"c"}, "2026-10-05", "2026-10-06", 9, true},  // the narrower of two
		{[]string{"a", "c"}, "2026-10-05", "2026-10-06", 0, false},
		{[]string{"d"}, "2026-10-05", "2026-10-06", 0, false},
		{[]string{"x"}, "2026-10-05", "2026-10-06", 0, false},
		{nil, "2026-10-05", "2026-10-06", 0, false},
		{[]string{"a"}, "2026-10-06", "2026-10-06", 0, false},
	} {
		for range 2 { // what was answered once is answered alike
			if got, known := p.Length(x.accounts, day(x.start), day(x.end)); got.Hours() != x.hours || known != x.known {
				t.Errorf("%+v: %v, %v", x, got, known)
			}
		}
	}
	spans, known := p.Spans([]string{"a"}, at("2026-10-25T00:00:00Z"), at("2026-10-27T00:00:00Z"))
	if !known || len(spans) != 1 || !spans[0].Start.Equal(at("2026-10-26T08:00:00Z")) || !spans[0].End.Equal(at("2026-10-26T12:00:00Z")) {
		t.Errorf("%v, %v", spans, known)
	}
}
