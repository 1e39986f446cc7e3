package unit

import (
	"slices"
	"strings"
	"testing"
	"time"

	systemd "github.com/coreos/go-systemd/v22/dbus"

	"activity-tracker.example/hostd/logind"
	"activity-tracker.example/hostd/roster"
)

func TestUnitName(t *testing.T) {
	for id, want := range map[string]string{
		"c1":      "trackerd-session-c1.service",
		"42":      "trackerd-session-42.service",
		"../x":    `trackerd-session-\x2e\x2e\x2fx.service`,
		"a b@c%n": `trackerd-session-a\x20b\x40c\x25n.service`,
	} {
		if got := Name(roster.Tracked{Key: logind.SessionKey{ID: id}}); got != want {
			t.Errorf("%q: got %s, want %s", id, got, want)
		}
	}
}

func TestSeatUnitsHaveNamesOfTheirOwn(t *testing.T) {
	seat := roster.Tracked{Source: roster.SourceSeat, Key: logind.SessionKey{ID: "2"}}
	if got := Name(seat); got != "trackerd-seat-2.service" {
		t.Errorf("got %s", got)
	}
}

// TestSandboxes: a seat's helper is nobody's and reads devices; a session's is
// its user's and reads none.
func TestSandboxes(t *testing.T) {
	seat, session := set(Unit{Source: roster.SourceSeat, UID: 1001}), set(Unit{Source: roster.SourceX11, UID: 1001})
	for name, want := range map[string]string{
		"User": `"trackerd-input"`, "SupplementaryGroups": `["input"]`, "DevicePolicy": `"closed"`, "PrivateNetwork": "true",
		"ProtectProc": `"invisible"`, "LimitCORE": "@t 0",
	} {
		if seat[name] != want {
			t.Errorf("seat: %s is %s, want %s", name, seat[name], want)
		}
	}
	if !strings.Contains(seat["DeviceAllow"], "char-input") || session["DeviceAllow"] != "" || session["SupplementaryGroups"] != "" {
		t.Errorf("devices: %s, groups of a session's helper: %s", seat["DeviceAllow"], session["SupplementaryGroups"])
	}
	if session["RemoveIPC"] != "" {
		t.Error("the end of a session's helper removes its user's shared memory")
	}
	if session["User"] != `"1001"` || session["PrivateNetwork"] != "true" {
		t.Errorf("a session's helper runs as %s, without network: %s", session["User"], session["PrivateNetwork"])
	}
}

// set returns the settings of a unit by name.
func set(u Unit) map[string]string {
	u.Command = []string{"/usr/libexec/trackerd/x"}
	m := make(map[string]string)
	for _, p := range properties(u, 0) {
		m[p.Name] += p.Value.String()
	}
	return m
}

// TestFilesAreTakenAway: by the helper itself or by mounts, and never by neither.
func TestFilesAreTakenAway(t *testing.T) {
	for source, itself := range map[roster.Source]bool{
		roster.SourceX11: landlocked(), roster.SourceWayland: false, roster.SourceSeat: false,
	} {
		got := set(Unit{Source: source, UID: 1001})
		in, out := got["StandardInputFileDescriptor"] != "", got["StandardOutputFileDescriptor"] != ""
		if in == itself || out != itself {
			t.Errorf("source %v has its socket at standard input: %v, output: %v; Landlock: %v", source, in, out, landlocked())
		}
		if allowed := strings.Contains(got["SystemCallFilter"], "landlock_restrict_self"); allowed != itself {
			t.Errorf("source %v may make %s", source, got["SystemCallFilter"])
		}
		for _, p := range append(mounts(), sessionMounts()...) {
			if mounted := got[p.Name] != ""; mounted == itself {
				t.Errorf("source %v: %s is %q", source, p.Name, got[p.Name])
			}
		}
	}
}

// What a unit needs beyond a helper's comes last, where it adds to the calls that are let
// through, in whichever sandbox it runs.
func TestMoreThanAHelper(t *testing.T) {
	for _, source := range []roster.Source{roster.SourceX11, roster.SourceWayland} {
		u := Unit{Name: "trackerd-shot-c1.service", Source: source, Command: []string{"/shot"}, Calls: []string{"shmget"}, Limit: time.Minute}
		for _, p := range [][]systemd.Property{properties(u, 0), userProperties(u, 0)} {
			last := p[len(p)-2:]
			if f, ok := last[0].Value.Value().(filter); !ok || !f.Allow || !slices.Equal(f.Entries, u.Calls) || last[1].Name != "RuntimeMaxUSec" {
				t.Errorf("%s: %v", source, last)
			}
		}
		u.Calls, u.Limit = nil, 0
		for _, p := range properties(u, 0) {
			if p.Name == "RuntimeMaxUSec" {
				t.Error("a helper ends by itself")
			}
		}
	}
}
