package collect

import (
	"encoding/json"
	"strings"
	"testing"

	"activity-tracker.example/hostd/interval"
	"activity-tracker.example/server/api"
)

// TestTitlesAreNoLongerThanTheyAre: nobody's "<" takes six bytes of the buffer that all
// share.
func TestTitlesAreNoLongerThanTheyAre(t *testing.T) {
	const title = 1000
	e := api.Event{MachineID: "vm-1-ann", ActiveWindow: strings.Repeat("<", title)}
	data, err := encodeEvent(&interval.Sealed{Event: e})
	if err != nil {
		t.Fatal(err)
	}
	var back api.Event
	if err := json.Unmarshal(data, &back); err != nil || back.ActiveWindow != e.ActiveWindow {
		t.Errorf("%q comes back, %v", back.ActiveWindow, err)
	}
	if len(data) > 2*title || strings.HasSuffix(string(data), "\n") {
		t.Errorf("%d bytes: %q", len(data), data)
	}
}
