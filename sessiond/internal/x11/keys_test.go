package x11

import (
	"encoding/binary"
	"strings"
	"testing"

	"activity-tracker.example/sessiond/internal/counting"
	"activity-tracker.example/sessiond/wire"
)

// Keyboards whose events were recorded.
const (
	xorgxrdp = "xrdpKeyboard"
	xvnc     = "TigerVNC keyboard"
	local    = "AT Translated Set 2 keyboard"
)

// TestStrokes has what real servers sent for what hands did.
func TestStrokes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		keyboard, events string
		want             uint64
		repeats          uint64
	}{
		"a key":                                  {xorgxrdp, "R44 P44 R44:7", 1, 0},
		"a key, within one packet":               {xorgxrdp, "R44 P44 R44", 1, 0},
		"twice, within one packet":               {xorgxrdp, "R44 P44 R44 R44 P44 R44", 2, 0},
		"held":                                   {xorgxrdp, "R44 P44 R44:660 P44:660 R44:700 P44:700 R44:740 P44:741 R44:760", 1, 3},
		"held, let go by the client":             {xorgxrdp, "R44 P44 R44:660 P44:660 R44:700 P44:700 R44:740 R44:741 P44:741 R44:780 P44:780 R44:800", 1, 4},
		"held, then struck again":                {xorgxrdp, "R44 P44 R44:660 P44:660 R44:700 P44:700 R44:740 R44:830 P44:830 R44:900", 2, 2},
		"held, then another":                     {xorgxrdp, "R44 P44 R44:660 P44:660 R44:700 P44:700 R44:740 R45:745 P45:745 R45:800", 2, 2},
		"held, let go in Xvnc":                   {xvnc, "P44 P44:662 P44:728 R44:786 P44:786 P44:800 R44:860", 1, 4},
		"with Shift":                             {xorgxrdp, "P50 R38:80 P38:80 R38:160 R50:190", 2, 0},
		"a key, then Shift at once":              {xorgxrdp, "R38 P38 R38:80 P50:80 R50:160", 2, 0},
		"rollover":                               {xorgxrdp, "R38 P38 R56:60 P56:60 R38:90 R54:120 P54:120 R56:140 R54:180", 3, 0},
		"Caps Lock":                              {xorgxrdp, "P66 R66:5", 1, 0},
		"Caps Lock of the client's":              {xorgxrdp, "P66 R66", 0, 0},
		"Num Lock":                               {xorgxrdp, "R77 P77 R77:8", 1, 0},
		"Num Lock of the client's":               {xorgxrdp, "R77 P77 R77:1", 0, 0},
		"Caps Lock, put right":                   {xorgxrdp, "P66 R66:32 P66:32 R66:32", 1, 0},
		"Caps Lock of Xvnc's client":             {xvnc, "P66 R66", 0, 0},
		"held in Xvnc":                           {xvnc, "P44 P44:662 P44:728 P44:786 R44:1402", 1, 3},
		"twice in Xvnc":                          {xvnc, "P44 R44:20 P44:20 R44:40", 2, 0},
		"let go by a client that gets the focus": {xorgxrdp, "R23 R64 R44:80 P44:80 R44:160 R23:170", 1, 0},
		"a local keyboard":                       {local, "P44 R44:80 P50:90 P38:95", 3, 0},
	} {
		for _, split := range []bool{false, true} {
			got := countTyped(t, c.keyboard, c.events, split)
			if got.Keys != c.want || !split && got.Repeats != c.repeats {
				t.Errorf("%s (a Drain an event: %t): %d strokes and %d repeats, want %d and %d",
					name, split, got.Keys, got.Repeats, c.want, c.repeats)
			}
			if c.keyboard == xorgxrdp || strings.Contains(name, "let go") {
				break // what comes in one piece, and what no single event shows
			}
		}
	}
}

// countTyped counts a keyboard's events, of which each has a Drain of its own if
// they are split: P or R, the key, and the time in ms after a colon where it is
// another than before.
func countTyped(t *testing.T, keyboard, events string, split bool) wire.Counters {
	t.Helper()
	const device = 7
	in := counting.NewInput(counting.NewActivity(1000, 0))
	in.SetDevices(map[uint16]*counting.Device{device: {Kind: counting.RealDevice, Strokes: strokesOf([]byte(keyboard))}})
	s := &strokes{in: in}
	end := func(now counting.Instant) {
		s.settle(now)
		in.Commit(counting.Point{})
		if s.release.code|s.press.code|s.lift.code != 0 {
			t.Error("a key is kept")
		}
	}
	ms := uint32(1<<32 - 50) // the server's clock is about to begin anew
	start := ms
	for _, e := range strings.Fields(events) {
		key, at, hasTime := strings.Cut(e[1:], ":")
		if hasTime {
			ms = start + number(t, at)
		}
		kind := uint16(xiRawKeyRelease)
		if e[0] == 'P' {
			kind = xiRawKeyPress
		}
		b := rawEvent(kind, number(t, key), device)
		binary.LittleEndian.PutUint32(b[rawTimeAt:], ms)
		countRaw(s, b, counting.Instant(ms-start))
		if split {
			end(counting.Instant(ms - start))
		}
	}
	end(counting.Instant(ms - start + 1000))
	return in.Counters()
}

func number(t *testing.T, s string) uint32 {
	t.Helper()
	n := uint32(0)
	for _, c := range s {
		if c < '0' || c > '9' {
			t.Fatalf("%q is no number", s)
		}
		n = 10*n + uint32(c-'0')
	}
	return n
}
