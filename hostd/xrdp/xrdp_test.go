package xrdp

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	const head = "Num       RefCount Protocol Flags    Type St Inode Path\n"
	line := func(flags, kind, state, path string) string {
		return "0000000000000000: 00000003 00000000 " + flags + " " + kind + " " + state + " 12345 " + path + "\n"
	}
	for name, tc := range map[string]struct {
		text string
		want bool
	}{
		"nothing":         {head, false},
		"a client":        {head + line("00000000", "0001", "03", "/run/xrdp/sockdir/xrdp_display_10"), true},
		"listening only":  {head + line("00010000", "0001", "01", "/run/xrdp/sockdir/xrdp_display_10"), false},
		"another display": {head + line("00000000", "0001", "03", "/run/xrdp/sockdir/xrdp_display_1"), false},
		"longer number":   {head + line("00000000", "0001", "03", "/run/xrdp/sockdir/xrdp_display_100"), false},
		"another folder":  {head + line("00000000", "0001", "03", "/tmp/run/xrdp/sockdir/xrdp_display_10"), false},
		"abstract":        {head + line("00000000", "0001", "03", "@/run/xrdp/sockdir/xrdp_display_10"), false},
		"a datagram":      {head + line("00000000", "0002", "03", "/run/xrdp/sockdir/xrdp_display_10"), false},
		"in another name": {head + line("00000000", "0001", "03", "/tmp/a /run/xrdp/sockdir/xrdp_display_10"), false},
		"with a tail":     {head + line("00000000", "0001", "03", "/run/xrdp/sockdir/xrdp_display_10 "), false},
		"after a newline": {head + line("00000000", "0001", "01", "/tmp/a\n /run/xrdp/sockdir/xrdp_display_10"), false},
		"no path":         {head + strings.TrimSuffix(line("00000000", "0001", "03", ""), " \n") + "\n", false},
	} {
		if got := parse([]byte(tc.text))["10"]; got != tc.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("0000000000000000: 00000003 00000000 00000000 0001 03 12345 /run/xrdp/sockdir/xrdp_display_10\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for number := range parse(b) {
			if !digits(number) {
				t.Errorf("display %q", number)
			}
		}
	})
}

// The kernel's own list of a real socket with and without a client, at the
// place where xrdp makes it.
func TestConnectedFollowsARealSocket(t *testing.T) {
	const number = "654321" // no display has it
	path := socketPrefix + number
	made := false
	if _, err := os.Stat(filepath.Dir(path)); os.IsNotExist(err) {
		made = true
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatalf("the test makes a socket where xrdp does, which takes root: %v", err)
	}
	if made {
		t.Cleanup(func() { _ = os.Remove(filepath.Dir(path)) })
	}
	_ = os.Remove(path)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	now := time.Unix(1_000_000, 0)
	p := NewPeers()
	p.now = func() time.Time { return now }
	check := func(want bool, when string) {
		t.Helper()
		got, err := p.Connected(":" + number)
		if err != nil || got != want {
			t.Errorf("%s: got %v, %v", when, got, err)
		}
	}
	check(false, "nobody connected")
	client, err := net.DialUnix("unix", nil, l.Addr().(*net.UnixAddr))
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	check(false, "within the time a list is used again")
	now = now.Add(freshFor)
	check(true, "connected")
	_, _ = client.Close(), server.Close()
	now = now.Add(freshFor)
	check(false, "disconnected")
}

func TestConnectedRefusesOtherDisplays(t *testing.T) {
	for _, d := range []string{"", "10", ":", ":x", "host:10", ":10/../11"} {
		if _, err := NewPeers().Connected(d); err == nil {
			t.Errorf("display %q was accepted", d)
		}
	}
}
