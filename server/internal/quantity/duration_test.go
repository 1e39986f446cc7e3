package quantity

import (
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"24h": Day, "1d": Day, "2w": 14 * Day, "1w2d": 9 * Day, "1d12h": 36 * time.Hour,
		"90m": 90 * time.Minute, "0s": 0, "1d0s": Day,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "d", "1", "1x", "-1h", "1d-2h", "1h1d", "999999w", "15250w2562047h", "1.5d", "1d 12h"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestDurationText(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 999 * time.Millisecond: "0s", 45 * time.Second: "45s", time.Hour: "1h", 2*time.Hour + 5*time.Minute: "2h 5m",
		3*Day + 4*time.Hour + time.Minute: "3d 4h", 365 * Day: "365d", time.Minute + time.Second: "1m 1s",
	} {
		if got := DurationText(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func FuzzParseDuration(f *testing.F) {
	f.Add("1w2d3h")
	f.Add("999999w")
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := ParseDuration(text); err == nil && d < 0 {
			t.Errorf("%q: %v", text, d)
		}
	})
}
