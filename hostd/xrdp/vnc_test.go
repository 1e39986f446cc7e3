package xrdp

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// The kernel's real table of a listener such as an Xvnc's.
func TestConnectedFollowsARealPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	number := strconv.Itoa(l.Addr().(*net.TCPAddr).Port - firstVNCPort)
	uid := uint32(os.Getuid())
	ask := func(want bool, when string) {
		t.Helper()
		ports, err := readVNC("/proc")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ports.connected(number, uid); got != want || err != nil {
			t.Errorf("%s: got %v, %v; want %v", when, got, err, want)
		}
	}
	ask(false, "nobody connected")
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	ask(true, "connected by root")
	_, _ = client.Close(), server.Close()
	ask(false, "disconnected")
}

// The table is read only for displays at whose port their user listens.
func TestDisplaysWithoutAPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	number, uid := l.Addr().(*net.TCPAddr).Port-firstVNCPort, uint32(os.Getuid())
	p := NewPeers(time.Minute)
	p.folder = t.TempDir()
	for _, q := range []struct {
		display string
		uid     uint32
	}{{":" + strconv.Itoa(number), uid + 1}, {":65000", uid}, {":0", uid}} {
		if _, err := p.Connected(q.display, q.uid); !errors.Is(err, errUnknown) {
			t.Errorf("%+v: got %v", q, err)
		}
	}
	if !p.ofVNC.readAt.IsZero() {
		t.Error("the table was read")
	}
	if connected, err := p.Connected(":"+strconv.Itoa(number), uid); connected || err != nil {
		t.Errorf("a display with a port: %v, %v", connected, err)
	}
}

// tables are what the kernel writes of Xvnc :11 of user 1001, at port 5911
// (1717), and of others.
const (
	listening = "   0: 0100007F:1717 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1001        0 141149 1 0 100 0 0 10 0\n"
	serverEnd = "   1: 0100007F:1717 0100007F:DF2E 01 00000000:00000000 00:00000000 00000000  1001        0 141220 1 0 20 4 26 18 8\n"
	xrdpsEnd  = "   2: 0100007F:DF2E 0100007F:1717 01 00000000:00000000 00:00000000 00000000     0        0 141219 1 0 21 4 5 18 -1\n"
	othersEnd = "   2: 0100007F:DF2E 0100007F:1717 01 00000000:00000000 00:00000000 00000000  1002        0 141219 1 0 21 4 5 18 -1\n"
	ending    = "   2: 0100007F:DF2E 0100007F:1717 06 00000000:00000000 00:00000000 00000000     0        0 0 3 0\n"
	stranger  = "   0: 0100007F:1717 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1002        0 141149 1 0 100 0 0 10 0\n"
)

func TestVNCTables(t *testing.T) {
	for name, tc := range map[string]struct {
		table string
		want  bool
		err   error
	}{
		"no table":  {"", false, errUnknown},
		"listening": {listening, false, nil},
		"connected": {listening + serverEnd + xrdpsEnd, true, nil},
		"connected through IPv6": {
			listening + serverEnd + "   2: 0000000000000000FFFF00000100007F:DF2E 0000000000000000FFFF00000100007F:1717 01 0 0 0 0 0\n", true, nil,
		},
		"ending":                           {listening + ending, false, nil},
		"another user at the port":         {listening + serverEnd + othersEnd, false, errVNC},
		"another machine at the port":      {listening + serverEnd, false, errVNC},
		"another user's listener":          {stranger + serverEnd + xrdpsEnd, false, errUnknown},
		"xrdp and others, in any order":    {othersEnd + listening + serverEnd + "   3: 0100007F:1717 0100007F:DF2F 01 0 0 0 1001 0\n   3: 0100007F:DF2F 0100007F:1717 01 0 0 0 0 0\n", true, nil},
		"lines that are none of a table's": {"sl local\n\n 0: :1717 x 0A 0 0 0 1001 0\n 0: nothing 01 01\n" + listening, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			proc := t.TempDir()
			err := errors.Join(os.Mkdir(filepath.Join(proc, "net"), 0o755),
				os.WriteFile(filepath.Join(proc, "net", "tcp"), []byte("  sl  local_address rem_address   st\n"+tc.table), 0o644))
			if err != nil {
				t.Fatal(err)
			}
			ports, err := readVNC(proc)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := ports.connected("11", 1001); got != tc.want || !errors.Is(err, tc.err) {
				t.Errorf("got %v, %v; want %v, %v", got, err, tc.want, tc.err)
			}
		})
	}
	for _, number := range []string{"", "70000", "65000"} {
		if _, err := (vncPorts{}).connected(number, 0); !errors.Is(err, errUnknown) {
			t.Errorf("display %q: %v", number, err)
		}
	}
}

func FuzzVNCTable(f *testing.F) {
	f.Add(listening)
	f.Add(serverEnd)
	f.Fuzz(func(_ *testing.T, line string) {
		v := vncPorts{listeners: make(map[uint16]map[uint32]bool), owners: make(map[ends]uint32), at: make(map[uint16][]ends)}
		v.take(line)
	})
}
