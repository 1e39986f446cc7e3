package xrdp

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// display is one that no X server has, since tests share the machine.
const display = "654321"

// rig is a socket where xrdp makes a display's, and an asker whose clock the
// test turns.
type rig struct {
	t     *testing.T
	peers *Peers
	now   time.Time
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, peers: NewPeers(), now: time.Unix(1_000_000, 0)}
	r.peers.now = func() time.Time { return r.now }
	folder := filepath.Dir(socketPrefix)
	if _, err := os.Stat(folder); os.IsNotExist(err) {
		t.Cleanup(func() { _ = os.Remove(folder) })
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatalf("the test makes a socket where xrdp does, which takes root: %v", err)
	}
	_ = os.Remove(socketPrefix + display)
	return r
}

func (r *rig) listen(path string) *net.UnixListener {
	r.t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = l.Close() })
	return l
}

// connect connects to a socket and returns how to end that.
func (r *rig) connect(l *net.UnixListener) func() {
	r.t.Helper()
	client, err := net.DialUnix("unix", nil, l.Addr().(*net.UnixAddr))
	if err != nil {
		r.t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		r.t.Fatal(err)
	}
	end := func() { _, _ = client.Close(), server.Close() }
	r.t.Cleanup(end)
	return end
}

func (r *rig) check(want bool, when string) {
	r.t.Helper()
	got, err := r.peers.Connected(":"+display, uint32(os.Getuid()))
	if err != nil || got != want {
		r.t.Errorf("%s: got %v, %v", when, got, err)
	}
}

// The kernel's own list of a real socket with and without a client.
func TestConnectedFollowsARealSocket(t *testing.T) {
	r := newRig(t)
	r.check(false, "no socket")
	l := r.listen(socketPrefix + display)
	r.check(false, "nobody connected")
	end := r.connect(l)
	r.check(false, "within the time a list is used again")
	r.now = r.now.Add(freshFor)
	r.check(true, "connected")
	if got, err := r.peers.Connected(":"+display, uint32(os.Getuid())+1); got || err != nil {
		t.Errorf("somebody else's socket: got %v, %v", got, err)
	}
	end()
	r.now = r.now.Add(freshFor)
	r.check(false, "disconnected")
}

// Any user can make a socket of the same name in a mount namespace of their own;
// /proc/net/unix shows it as the real one's.
func TestNamesAreNotBelieved(t *testing.T) {
	r := newRig(t)
	r.listen(socketPrefix + display)
	script := `mount -t tmpfs none "$1" && exec "$2" -test.run=^TestImpostor$`
	cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "sh", "-c", script, "sh", filepath.Dir(socketPrefix), os.Args[0])
	cmd.Env = append(os.Environ(), "XRDP_TEST_IMPOSTOR=1")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = stdin.Close(), cmd.Wait() }()
	said := make([]byte, len(connectedWord))
	if _, err := stdout.Read(said); err != nil || string(said) != connectedWord {
		t.Fatalf("the impostor said %q, %v", said, err)
	}
	list, err := os.ReadFile("/proc/net/unix")
	impostor := regexp.MustCompile(` 0001 03 +\d+ ` + socketPrefix + display + "\n")
	if err != nil || !impostor.Match(list) {
		t.Fatalf("the impostor is not in the list of names: %v", err)
	}
	r.check(false, "an impostor is connected")
}

const connectedWord = "connected\n"

// TestImpostor runs in the process that TestNamesAreNotBelieved starts.
func TestImpostor(t *testing.T) {
	if os.Getenv("XRDP_TEST_IMPOSTOR") == "" {
		return
	}
	r := newRig(t)
	r.connect(r.listen(socketPrefix + display))
	_, _ = os.Stdout.WriteString(connectedWord)
	_, _ = os.Stdin.Read(make([]byte, 1))
}

func TestConnectedRefusesOtherDisplays(t *testing.T) {
	for _, d := range []string{"", "10", ":", ":x", "host:10", ":10/../11"} {
		if _, err := NewPeers().Connected(d, 0); err == nil {
			t.Errorf("display %q was accepted", d)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(request())
	f.Add([]byte{36, 0, 0, 0, 20, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 0, 1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		found := make(map[file]bool)
		_, _ = parse(b, 7, found)
		for file := range found {
			if file.device != 7 {
				t.Errorf("found %+v", file)
			}
		}
	})
}
