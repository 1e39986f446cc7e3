package interval

import (
	"encoding/json"
	"maps"
	"testing"

	"activity-tracker.example/sessiond/wire"
)

// What is stored of windows is what daemons before and after this one read.
func TestStoredFocus(t *testing.T) {
	t.Parallel()
	var table FocusTable
	table.StartUnix, table.Rules = 1_790_000_040, 7
	for _, f := range []wire.Focus{
		{App: "XTerm", Title: "~", DurationMS: 5000, ActiveMS: 4000},
		{App: "Firefox", DurationMS: 300, ActiveMS: wire.ActiveUnknown},
		{App: "Firefox", Title: "none yet"},
		{App: "XTerm", Title: "~", DurationMS: 6000, ActiveMS: 3000},
	} {
		table.take(f)
	}
	written, err := json.Marshal(table)
	if err != nil {
		t.Fatal(err)
	}
	xterm, firefox := hashFocus("XTerm", "~"), hashFocus("Firefox", "")
	want := storedFocus{
		StartUnix: 1_790_000_040, Rules: 7,
		MS: map[uint64]uint64{xterm: 6000, firefox: 300}, Active: map[uint64]uint64{xterm: 4000},
	}
	var got storedFocus
	if err := json.Unmarshal(written, &got); err != nil || !maps.Equal(got.MS, want.MS) || !maps.Equal(got.Active, want.Active) ||
		got.StartUnix != want.StartUnix || got.Rules != want.Rules {
		t.Errorf("%s (%v), want %+v", written, err, want)
	}

	var again FocusTable
	if err := json.Unmarshal([]byte(`{"start":60,"ms":{"1":2},"active":{"1":1,"3":4}}`), &again); err != nil {
		t.Fatal(err)
	}
	sum := windowTime{}
	for _, c := range again.windows {
		sum.hash, sum.ms, sum.active = sum.hash+c.hash, sum.ms+c.ms, sum.active+c.active
	}
	if again.StartUnix != 60 || len(again.windows) != 2 || sum != (windowTime{4, 2, 5}) {
		t.Errorf("read %+v", again)
	}
}
