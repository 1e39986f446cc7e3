package roster

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"activity-tracker.example/hostd/display"
	"activity-tracker.example/hostd/logind"
)

func forAnna(uid uint32, err error) Wanted {
	return Wanted{RDP: true, Local: true, Virtual: true, VirtualUser: "anna", VirtualUID: func() (uint32, error) { return uid, err }}
}

// annas is a display of anna's, whose server started at since.
func annas(number uint32, since uint64, change ...func(*display.Display)) display.Display {
	d := display.Display{Number: number, Owner: 1000, UID: 1000, PID: 77, SinceMicro: since}
	for _, f := range change {
		f(&d)
	}
	return d
}

func TestVirtualDisplays(t *testing.T) {
	const measured = "virtual anna x1-77-5 x11:1 needs a window manager"
	for name, tc := range map[string]struct {
		sessions []logind.Session
		displays []display.Display
		want     []string
		refused  string
	}{
		"none": {},
		"hers": {nil, []display.Display{annas(1, 5)}, []string{measured}, ""},
		"of a login without a seat": {
			[]logind.Session{{Key: logind.SessionKey{ID: "9"}, UID: 1000, User: "anna", Type: "tty", Class: "user", Service: "sshd", Scope: "session-9.scope"}},
			[]display.Display{annas(1, 5, func(d *display.Display) { d.Scope = "session-9.scope" })},
			[]string{measured},
			"",
		},
		"another user's":      {nil, []display.Display{annas(2, 5, func(d *display.Display) { d.Owner, d.UID = 1001, 1001 })}, nil, "display :2 is not measured: it belongs to another user"},
		"root's":              {nil, []display.Display{annas(2, 5, func(d *display.Display) { d.Owner, d.UID = 0, 0 })}, nil, "another user"},
		"another listens":     {nil, []display.Display{annas(2, 5, func(d *display.Display) { d.UID = 1001 })}, nil, "two users"},
		"another's file":      {nil, []display.Display{annas(2, 5, func(d *display.Display) { d.Owner = 1001 })}, nil, "two users"},
		"from another system": {nil, []display.Display{annas(2, 5, func(d *display.Display) { d.PID = 0 })}, nil, "not one of this system's"},
		"xrdp's":              {[]logind.Session{xrdp("c1", "anna", ":10", 1)}, []display.Display{annas(10, 5)}, []string{"rdp anna c1-10-1 x11:10"}, ""},
		"named by another's session": {
			[]logind.Session{func() logind.Session { s := xrdp("c1", "mallory", ":1", 1); s.UID = 1001; return s }()},
			[]display.Display{annas(1, 5)},
			[]string{measured},
			"",
		},
		"a closing session's": {
			[]logind.Session{func() logind.Session { s := xrdp("c1", "anna", ":10.0", 1); s.State = "closing"; return s }()},
			[]display.Display{annas(10, 5)},
			nil, "",
		},
		"a seat's by its scope": {
			[]logind.Session{atSeat(startx)},
			[]display.Display{annas(3, 5, func(d *display.Display) { d.Scope = "session-2.scope" })},
			[]string{"local anna 2-20-5 x11:3 front needs a window manager seat0 7"},
			"",
		},
		"beside Wayland": {[]logind.Session{atSeat(wayland, away)}, []display.Display{annas(1, 5)}, []string{"local anna wayland.2-20-5 wayland behind seat0 7"}, "a Wayland session"},
		"five": {
			nil,
			[]display.Display{annas(5, 1), annas(4, 2), annas(3, 3), annas(1, 5), annas(2, 4)},
			[]string{
				"virtual anna x5-77-1 x11:5 needs a window manager", "virtual anna x4-77-2 x11:4 needs a window manager",
				"virtual anna x3-77-3 x11:3 needs a window manager", "virtual anna x2-77-4 x11:2 needs a window manager",
			},
			"display :1 is not measured: 4 older ones are",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := New(naming(), forAnna(1000, nil)).Update(tc.sessions, tc.displays)
			if !slices.Equal(described(got), tc.want) || len(got.Problems) > 0 {
				t.Errorf("got %q, %+v; want %q", described(got), got.Problems, tc.want)
			}
			told := ""
			if len(got.Refused) > 0 {
				told = got.Refused[0].Text
			}
			if len(got.Refused) > 1 || (told == "") != (tc.refused == "") || !strings.Contains(told, tc.refused) {
				t.Errorf("refused %+v, want %q", got.Refused, tc.refused)
			}
			off := New(naming(), usual()).Update(tc.sessions, tc.displays)
			for _, s := range off.Tracked {
				if s.Kind == "virtual" {
					t.Errorf("measured without virtual: %+v", s)
				}
			}
		})
	}
}

func TestVirtualUserWhoIsNone(t *testing.T) {
	for name, w := range map[string]Wanted{"a service's": forAnna(999, nil), "root": forAnna(0, nil), "unknown": forAnna(0, errors.New("no such user"))} {
		got := New(naming(), w).Update([]logind.Session{atSeat()}, []display.Display{annas(1, 5)})
		if len(got.Tracked) != 1 || len(got.Problems) != 1 || got.Problems[0].Advice == "" {
			t.Errorf("%s: got %q, %+v; want a problem, and the others measured", name, described(got), got.Problems)
		}
	}
}
