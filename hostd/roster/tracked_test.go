package roster

import (
	"testing"

	"activity-tracker.example/hostd/logind"
)

func TestNameRoundTrip(t *testing.T) {
	key := logind.SessionKey{ID: "c1", Leader: 10, SinceUnixMicro: 99}
	for source, want := range map[Source]string{
		"": "c1-10-99", SourceX11: "c1-10-99", SourceWayland: "wayland.c1-10-99", SourceSeat: "seat.c1-10-99",
	} {
		name := Tracked{Key: key, Source: source}.Name()
		if name != want {
			t.Errorf("source %q: name %q, want %q", source, name, want)
		}
		gotSource, gotKey, err := ParseName(name)
		if source == "" {
			source = SourceX11
		}
		if err != nil || gotSource != source || gotKey != key {
			t.Errorf("ParseName(%q) = %q, %v, %v", name, gotSource, gotKey, err)
		}
	}
	for _, bad := range []string{"", "seat.", "x11.c1-10-99", "moon.c1-10-99", "seat.seat.c1-1-1", "c1"} {
		if _, _, err := ParseName(bad); err == nil {
			t.Errorf("ParseName(%q) took it", bad)
		}
	}
}
