package roster

import (
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"activity-tracker.example/hostd/display"
	"activity-tracker.example/hostd/logind"
	"activity-tracker.example/server/api"
)

func naming() Naming { return Naming{Hostname: "vm", HostHash: "abc123"} }

func usual() Wanted { return Wanted{RDP: true, Local: true} }

func xrdp(id, user, display string, since uint64) logind.Session {
	return logind.Session{
		Key: logind.SessionKey{ID: id, Leader: 10, SinceUnixMicro: since},
		UID: 1000, User: user, Type: "x11", Class: "user", Service: "xrdp-sesman",
		State: "active", Display: display,
	}
}

func tracked(r Result) []string {
	var list []string
	for _, t := range r.Tracked {
		list = append(list, t.Key.ID+" "+t.MachineID+" "+t.Display)
	}
	return list
}

func TestUpdateChooses(t *testing.T) {
	change := func(f func(*logind.Session)) logind.Session {
		s := xrdp("c1", "anna", ":10", 1)
		f(&s)
		return s
	}
	for name, tc := range map[string]struct {
		sessions []logind.Session
		want     []string
	}{
		"nobody":           {nil, nil},
		"an xrdp session":  {[]logind.Session{xrdp("c1", "anna", ":10", 1)}, []string{"c1 vm-abc123-anna :10"}},
		"opening":          {[]logind.Session{change(func(s *logind.Session) { s.State = "opening" })}, []string{"c1 vm-abc123-anna :10"}},
		"closing":          {[]logind.Session{change(func(s *logind.Session) { s.State = "closing" })}, nil},
		"ssh":              {[]logind.Session{change(func(s *logind.Session) { s.Service, s.Type, s.Display = "sshd", "tty", "" })}, nil},
		"another service":  {[]logind.Session{change(func(s *logind.Session) { s.Service = "tigervnc" })}, nil},
		"user manager":     {[]logind.Session{change(func(s *logind.Session) { s.Class = "manager" })}, nil},
		"no display yet":   {[]logind.Session{change(func(s *logind.Session) { s.Display = "" })}, nil},
		"remote or not":    {[]logind.Session{change(func(s *logind.Session) { s.RemoteHost = "10.0.0.1" })}, []string{"c1 vm-abc123-anna :10"}},
		"two of one user":  {[]logind.Session{xrdp("c2", "anna", ":11", 2), xrdp("c1", "anna", ":10", 1)}, []string{"c1 vm-abc123-anna :10", "c2 vm-abc123-anna :11"}},
		"two users":        {[]logind.Session{xrdp("c1", "anna", ":10", 1), xrdp("c2", "bert", ":11", 2)}, []string{"c1 vm-abc123-anna :10", "c2 vm-abc123-bert :11"}},
		"a display's heir": {[]logind.Session{xrdp("c2", "anna", ":10", 2), xrdp("c1", "anna", ":10.0", 1)}, []string{"c2 vm-abc123-anna :10"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := New(naming(), usual()).Update(tc.sessions, nil)
			if !slices.Equal(tracked(got), tc.want) {
				t.Errorf("got %q, want %q", tracked(got), tc.want)
			}
			if len(got.Problems) > 0 {
				t.Errorf("problems %v", got.Problems)
			}
		})
	}
}

// A display that several users' sessions name is whose server listens there: logind
// has any user name a display, also another's.
func TestDisplayOfSeveralUsers(t *testing.T) {
	const annas, marks, roots = 1000, 1001, 0
	anna, mark := xrdp("c1", "anna", ":10", 1), xrdp("c2", "mark", ":10.0", 2)
	mark.UID = marks
	screen := atSeat(func(s *logind.Session) { s.Display = ":10" })
	for name, tc := range map[string]struct {
		sessions []logind.Session
		server   uint32
		want     string
	}{
		"the older's":       {[]logind.Session{anna, mark}, annas, "c1 vm-abc123-anna :10"},
		"the newer's":       {[]logind.Session{anna, mark}, marks, "c2 vm-abc123-mark :10.0"},
		"another's":         {[]logind.Session{anna, mark}, 1002, "c2 vm-abc123-mark :10.0"},
		"root's for a seat": {[]logind.Session{screen, func() logind.Session { s := mark; s.Key.SinceUnixMicro = 9; return s }()}, roots, "2 vm-abc123-anna :10"},
	} {
		t.Run(name, func(t *testing.T) {
			if !Disputed(tc.sessions) {
				t.Error("not disputed")
			}
			got := New(naming(), usual()).Update(tc.sessions, []display.Display{{Number: 10, Owner: tc.server, UID: tc.server, PID: 5}})
			if !slices.Equal(tracked(got), []string{tc.want}) {
				t.Errorf("got %q, want %q", tracked(got), tc.want)
			}
		})
	}
	closing := mark
	closing.State = "closing"
	none := []logind.Session{anna, xrdp("c3", "anna", ":10", 3), closing, atSeat(wayland)}
	if Disputed(none) {
		t.Error("one user's sessions are disputed")
	}
}

func TestTrackedCarriesTheSession(t *testing.T) {
	s := xrdp("c1", "anna", ":10", 1)
	got := New(naming(), usual()).Update([]logind.Session{s}, nil).Tracked[0]
	want := Tracked{Key: s.Key, Source: SourceX11, MachineID: "vm-abc123-anna", Username: "anna", UID: 1000, Display: ":10", Kind: api.SessionRDP}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// A configured machine_id without {user} must never merge two people.
func TestTemplateWithoutUser(t *testing.T) {
	r := New(Naming{Hostname: "vm", HostHash: "abc123", Template: "my-box"}, usual())
	anna, bert := xrdp("c1", "anna", ":10", 1), xrdp("c2", "bert", ":11", 2)
	got := r.Update([]logind.Session{bert, anna}, nil)
	if !slices.Equal(tracked(got), []string{"c1 my-box :10"}) {
		t.Errorf("tracked %q, want the first user only", tracked(got))
	}
	if len(got.Problems) != 1 || got.Problems[0].Username != "bert" || !strings.Contains(got.Problems[0].Text, "{user}") {
		t.Errorf("problems %+v", got.Problems)
	}
	// Nor after the first one has left.
	got = r.Update([]logind.Session{bert, xrdp("c3", "bert", ":12", 3)}, nil)
	if len(got.Tracked) != 0 || len(got.Problems) != 1 {
		t.Errorf("tracked %q, problems %+v", tracked(got), got.Problems)
	}
	if got = r.Update([]logind.Session{anna}, nil); len(got.Tracked) != 1 || len(got.Problems) != 0 {
		t.Errorf("tracked %q, problems %+v", tracked(got), got.Problems)
	}
}

func TestMachineID(t *testing.T) {
	for _, tc := range []struct{ template, user, want string }{
		{"", "user1", "vm-abc123-user1"},
		{"", `CORP\jane doe`, "vm-abc123-CORP~5cjane~20doe"},
		{"", "jane@corp.example", "vm-abc123-jane@corp.example"},
		{"", "иван", "vm-abc123-иван"},
		{"", "a/b", "vm-abc123-a~2fb"},
		{"", "a~b", "vm-abc123-a~7eb"},
		{"", "a\x00\xffb", "vm-abc123-a~00~ffb"},
		{"vm-abc123-{user}", "user1", "vm-abc123-user1"},
		{"{user}@office", "user1", "user1@office"},
		{"{user}", "..", "~2e."},
		{"desk 1", "user1", "desk~201"},
	} {
		n := naming()
		n.Template = tc.template
		if got := n.MachineID(tc.user); got != tc.want {
			t.Errorf("template %q, user %q: got %q, want %q", tc.template, tc.user, got, tc.want)
		}
	}
	long := naming().MachineID(strings.Repeat("я", 300))
	if len(long) > api.MaxMachineIDBytes || !utf8.ValidString(long) || !strings.Contains(long, "~~") {
		t.Errorf("a long name gave %q (%d bytes)", long, len(long))
	}
}

func FuzzMachineID(f *testing.F) {
	for _, s := range []string{"", "a", `A\b`, "~", "~~", strings.Repeat("x", 300), "\xff", "..", "a~5cb"} {
		f.Add(s, `a\b`)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		n := naming()
		x, y := n.MachineID(a), n.MachineID(b)
		if a != b && x == y {
			t.Fatalf("%q and %q share %q", a, b, x)
		}
		if len(x) > api.MaxMachineIDBytes || !utf8.ValidString(x) || strings.ContainsRune(x, '/') {
			t.Fatalf("%q gave %q", a, x)
		}
		for _, c := range x {
			if !unicode.IsPrint(c) || unicode.IsSpace(c) {
				t.Fatalf("%q gave %q", a, x)
			}
		}
	})
}
