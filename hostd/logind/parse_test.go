package logind

import (
	"maps"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
)

// xrdpSession is what logind 252 has of an xrdp session.
func xrdpSession() map[string]dbus.Variant {
	v := dbus.MakeVariant
	return map[string]dbus.Variant{
		"Id":         v("c1"),
		"User":       v([]any{uint32(1001), dbus.ObjectPath("/org/freedesktop/login1/user/_1001")}),
		"Name":       v("anna"),
		"Timestamp":  v(uint64(1753000000000000)),
		"VTNr":       v(uint32(0)),
		"Seat":       v([]any{"", dbus.ObjectPath("/")}),
		"TTY":        v(""),
		"Display":    v(":10"),
		"Remote":     v(false),
		"RemoteHost": v(""),
		"Service":    v("xrdp-sesman"),
		"Leader":     v(uint32(321)),
		"Type":       v("x11"),
		"Class":      v("user"),
		"Desktop":    v(""),
		"Scope":      v("session-c1.scope"),
		"State":      v("active"),
		"Active":     v(true),
		"LockedHint": v(false),
	}
}

func TestParseSession(t *testing.T) {
	got, err := parseSession(xrdpSession())
	if err != nil {
		t.Fatal(err)
	}
	want := Session{
		Key: SessionKey{ID: "c1", Leader: 321, SinceUnixMicro: 1753000000000000},
		UID: 1001, User: "anna", Type: "x11", Class: "user", Service: "xrdp-sesman",
		State: "active", Scope: "session-c1.scope", Display: ":10", Active: true,
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// What logind reports of a session on a seat.
func TestParseLocalSession(t *testing.T) {
	v := dbus.MakeVariant
	props := xrdpSession()
	maps.Copy(props, map[string]dbus.Variant{
		"Seat": v([]any{"seat0", dbus.ObjectPath("/org/freedesktop/login1/seat/seat0")}), "VTNr": v(uint32(7)),
		"Service": v("gdm-password"), "Type": v("wayland"), "Display": v(""), "Desktop": v("gnome"),
		"Active": v(false), "LockedHint": v(true),
	})
	got, err := parseSession(props)
	if err != nil || got.Seat != "seat0" || got.VT != 7 || got.Type != "wayland" || got.Desktop != "gnome" || got.Active || !got.Locked {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestParseSessionRefuses(t *testing.T) {
	v := dbus.MakeVariant
	for name, bad := range map[string]map[string]dbus.Variant{
		"id with a slash":        {"Id": v("../c1")},
		"empty id":               {"Id": v("")},
		"endless id":             {"Id": v(strings.Repeat("a", maxID+1))},
		"leader of another type": {"Leader": v("321")},
		"no user":                {"Name": v("")},
		"newline in the user":    {"Name": v("an\nna")},
		"NUL in the host":        {"RemoteHost": v("a\x00b")},
		"endless service":        {"Service": v(strings.Repeat("s", maxText+1))},
		"user is no pair":        {"User": v([]any{uint32(1)})},
		"user's number is text":  {"User": v([]any{"1001", dbus.ObjectPath("/")})},
		"invalid UTF-8":          {"TTY": v("\xff")},
		"seat with a control":    {"Seat": v([]any{"seat\x1b", dbus.ObjectPath("/")})},
	} {
		t.Run(name, func(t *testing.T) {
			props := xrdpSession()
			maps.Copy(props, bad)
			if s, err := parseSession(props); err == nil {
				t.Errorf("accepted as %+v", s)
			}
		})
	}
	for name := range xrdpSession() {
		if name == "Remote" {
			continue // not read
		}
		props := xrdpSession()
		delete(props, name)
		if _, err := parseSession(props); err == nil {
			t.Errorf("accepted without %s", name)
		}
	}
}

func TestDisplayThatIsNoneIsLeftOut(t *testing.T) {
	for display, want := range map[string]string{
		":0": ":0", ":10": ":10", ":10.0": ":10.0", "": "", "host:10": "", ":": "", ":10.": "",
		":10 --no-titles": "", ":1234567": "", "10": "", ":-1": "",
	} {
		props := xrdpSession()
		props["Display"] = dbus.MakeVariant(display)
		s, err := parseSession(props)
		if err != nil {
			t.Fatal(err)
		}
		if s.Display != want {
			t.Errorf("display %q became %q, want %q", display, s.Display, want)
		}
	}
}
