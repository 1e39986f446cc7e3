package roster

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"activity-tracker.example/hostd/display"
	"activity-tracker.example/hostd/logind"
	"activity-tracker.example/server/api"
)

// atSeat is a session of anna's in front of seat0, on X.
func atSeat(change ...func(*logind.Session)) logind.Session {
	s := logind.Session{
		Key: logind.SessionKey{ID: "2", Leader: 20, SinceUnixMicro: 5}, UID: 1000, User: "anna",
		Type: "x11", Class: "user", Service: "lightdm", State: "active", Scope: "session-2.scope",
		Display: ":0", Seat: "seat0", VT: 7, Active: true,
	}
	for _, f := range change {
		f(&s)
	}
	return s
}

func away(s *logind.Session)    { s.Active, s.State = false, "online" }
func locked(s *logind.Session)  { s.Locked = true }
func wayland(s *logind.Session) { s.Type, s.Display = "wayland", "" }
func startx(s *logind.Session)  { s.Type, s.Display, s.Service = "tty", "", "login" }

// described is one tracked session in a line.
func described(r Result) []string {
	var list []string
	for _, t := range r.Tracked {
		line := fmt.Sprintf("%s %s %s %s%s", t.Kind, t.Username, t.Name(), t.Source, t.Display)
		if t.Connected != nil {
			line += map[bool]string{true: " front", false: " behind"}[*t.Connected]
		}
		if t.Locked {
			line += " locked"
		}
		if t.NeedsWM {
			line += " needs a window manager"
		}
		if t.Seat != "" {
			line += fmt.Sprintf(" %s %d", t.Seat, t.VT)
		}
		list = append(list, line)
	}
	return list
}

func TestLocalSessions(t *testing.T) {
	within := func(number, uid uint32, scope string) display.Display {
		return display.Display{Number: number, Owner: uid, UID: uid, PID: 9, Scope: scope}
	}
	for name, tc := range map[string]struct {
		sessions []logind.Session
		displays []display.Display
		want     []string
	}{
		"X in front":         {[]logind.Session{atSeat()}, nil, []string{"local anna 2-20-5 x11:0 front seat0 7"}},
		"X switched away":    {[]logind.Session{atSeat(away)}, nil, []string{"local anna 2-20-5 x11:0 behind seat0 7"}},
		"X locked":           {[]logind.Session{atSeat(locked)}, nil, []string{"local anna 2-20-5 x11:0 front locked seat0 7"}},
		"Wayland in front":   {[]logind.Session{atSeat(wayland)}, nil, []string{"local anna seat.2-20-5 seat front seat0 7", "local anna wayland.2-20-5 wayland front seat0 7"}},
		"Wayland away":       {[]logind.Session{atSeat(wayland, away)}, nil, []string{"local anna wayland.2-20-5 wayland behind seat0 7"}},
		"Wayland locked":     {[]logind.Session{atSeat(wayland, locked)}, nil, []string{"local anna wayland.2-20-5 wayland front locked seat0 7"}},
		"Wayland, no seat":   {[]logind.Session{atSeat(wayland, func(s *logind.Session) { s.Seat = "" })}, nil, nil},
		"greeter":            {[]logind.Session{atSeat(func(s *logind.Session) { s.Class, s.User = "greeter", "lightdm" })}, nil, nil},
		"lock screen of GDM": {[]logind.Session{atSeat(wayland, func(s *logind.Session) { s.Class = "lock-screen" })}, nil, nil},
		"user manager":       {[]logind.Session{atSeat(func(s *logind.Session) { s.Class = "manager" })}, nil, nil},
		"text console":       {[]logind.Session{atSeat(startx)}, nil, nil},
		"another's seat too": {
			[]logind.Session{atSeat(), atSeat(func(s *logind.Session) {
				s.Key.ID, s.Key.SinceUnixMicro, s.User, s.UID, s.Seat, s.VT, s.Display = "3", 6, "bert", 1001, "seat1", 0, ":1"
			})},
			nil,
			[]string{"local anna 2-20-5 x11:0 front seat0 7", "local bert 3-20-6 x11:1 front seat1 0"},
		},
		"startx": {
			[]logind.Session{atSeat(startx)},
			[]display.Display{within(9, 1000, "session-3.scope"), within(2, 1000, "session-2.scope"), within(1, 1000, "session-2.scope")},
			[]string{"local anna 2-20-5 x11:1 front needs a window manager seat0 7"},
		},
		"startx, with a server of root's": {
			[]logind.Session{atSeat(startx)},
			[]display.Display{within(1, 0, "session-2.scope")},
			[]string{"local anna 2-20-5 x11:1 front needs a window manager seat0 7"},
		},
		"startx, of another user": {[]logind.Session{atSeat(startx)}, []display.Display{within(1, 1001, "session-2.scope")}, nil},
		"startx, listener of another user": {
			[]logind.Session{atSeat(startx)},
			[]display.Display{{Number: 1, Owner: 1000, UID: 1001, PID: 9, Scope: "session-2.scope"}},
			nil,
		},
		"X of which logind knows no display": {
			[]logind.Session{atSeat(func(s *logind.Session) { s.Display, s.Service = "", "gdm-password" })},
			[]display.Display{within(1, 1000, "session-2.scope")},
			[]string{"local anna 2-20-5 x11:1 front seat0 7"},
		},
		"the display's next session": {
			[]logind.Session{atSeat(away), atSeat(func(s *logind.Session) { s.Key.ID, s.Key.SinceUnixMicro, s.User, s.UID = "3", 6, "bert", 1001 })},
			nil,
			[]string{"local bert 3-20-6 x11:0 front seat0 7"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := New(naming(), usual()).Update(tc.sessions, tc.displays)
			if !slices.Equal(described(got), tc.want) || len(got.Problems)+len(got.Refused) > 0 {
				t.Errorf("got %q, %+v, %+v; want %q", described(got), got.Problems, got.Refused, tc.want)
			}
		})
	}
}

func TestOnlyWantedKinds(t *testing.T) {
	sessions := []logind.Session{atSeat(), atSeat(wayland, func(s *logind.Session) { s.Key.ID = "3" }), xrdp("c1", "bert", ":10", 1)}
	for kind, w := range map[api.SessionKind]Wanted{api.SessionRDP: {RDP: true}, api.SessionLocal: {Local: true}} {
		got := New(naming(), w).Update(sessions, nil).Tracked
		if len(got) == 0 || slices.ContainsFunc(got, func(t Tracked) bool { return t.Kind != kind }) {
			t.Errorf("%s: got %+v", kind, got)
		}
	}
}

// A kind that nobody knows is reported, and others are measured.
func TestUnknownKindIsTold(t *testing.T) {
	mir := atSeat(func(s *logind.Session) { s.Type, s.Key.ID, s.User = "mir", "4", "carl" })
	got := New(naming(), usual()).Update([]logind.Session{mir, atSeat()}, nil)
	if len(got.Tracked) != 1 || len(got.Problems) != 1 || got.Problems[0].Username != "carl" || !strings.Contains(got.Problems[0].Text, `"mir"`) || got.Problems[0].Advice == "" {
		t.Errorf("got %q, %+v", described(got), got.Problems)
	}
}

// Whether a screen is locked is known once a locker has reported that it is.
func TestScreenLocked(t *testing.T) {
	r := New(naming(), usual())
	for i, step := range []struct {
		session logind.Session
		want    *bool
	}{
		{atSeat(), nil},
		{atSeat(locked), new(true)},
		{atSeat(), new(false)},
		{atSeat(locked), new(true)},
		{atSeat(func(s *logind.Session) { s.Key.SinceUnixMicro++ }), nil}, // another session
	} {
		got := r.Update([]logind.Session{step.session}, nil).Tracked
		if len(got) != 1 || (got[0].ScreenLocked == nil) != (step.want == nil) || step.want != nil && *got[0].ScreenLocked != *step.want {
			t.Errorf("step %d: %+v", i, got)
		}
	}
}
