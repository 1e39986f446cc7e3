package doctor

import (
	"errors"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/config"
	"activity-tracker.example/server/internal/quantity"
)

func TestStateFolder(t *testing.T) {
	closed := Folder{Path: "/s/data", Mode: 0o700}
	if c := StateFolder("/s", []Folder{closed}); c.Result != api.CheckOK {
		t.Errorf("%+v", c)
	}
	if c := StateFolder("/s", []Folder{closed, {Path: "/s/run", Mode: 0o755}}); c.Result != api.CheckFailed || c.Advice != "chmod 700 /s/run" {
		t.Errorf("%+v", c)
	}
	if c := StateFolder("/s", []Folder{{Err: errors.New("permission denied")}}); c.Result != api.CheckWarning {
		t.Errorf("%+v", c)
	}
}

func TestDisk(t *testing.T) {
	for part, want := range map[float64]api.CheckResult{0.5: api.CheckOK, 0.09: api.CheckWarning, 0.02: api.CheckFailed} {
		if c := Disk(quantity.GiB, part, quantity.MiB); c.Result != want || !strings.HasPrefix(c.Detail, "1.0 GiB free") {
			t.Errorf("%v: %+v", part, c)
		}
	}
}

func TestRetention(t *testing.T) {
	const year = 365 * quantity.Day
	for _, test := range []struct {
		events, rollups time.Duration
		want            api.CheckResult
	}{{year, 3 * year, api.CheckOK}, {0, 0, api.CheckOK}, {0, year, api.CheckWarning}, {2 * year, year, api.CheckWarning}} {
		if c := Retention(config.Retention{Events: test.events, Rollups: test.rollups}); c.Result != test.want {
			t.Errorf("%+v: %+v", test, c)
		}
	}
}
