package xrdp

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// display is one that no X server has, since tests share the machine.
const display = "654321"

// rig is a folder like xrdp's, and an asker whose clock the test turns.
type rig struct {
	t      *testing.T
	peers  *Peers
	now    time.Time
	folder string
}

func newRig(t *testing.T, folder string) *rig {
	t.Helper()
	r := &rig{t: t, peers: NewPeers(time.Minute), now: time.Unix(1_000_000, 0), folder: folder}
	r.peers.now = func() time.Time { return r.now }
	r.peers.folder = folder
	return r
}

// socket is where the display's socket is with xrdp 0.9.
func (r *rig) socket() string { return filepath.Join(r.folder, socketName+display) }

// own is the user's folder of xrdp 0.10, which it makes.
func (r *rig) own() string {
	r.t.Helper()
	path := filepath.Join(r.folder, strconv.Itoa(os.Getuid()))
	if err := os.MkdirAll(path, 0o2750); err != nil {
		r.t.Fatal(err)
	}
	return path
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
		r.t.Errorf("%s: got %v, %v; want %v", when, got, err, want)
	}
}

func (r *rig) unknown(uid int, when string) {
	r.t.Helper()
	if got, err := r.peers.Connected(":"+display, uint32(uid)); got || !errors.Is(err, errUnknown) {
		r.t.Errorf("%s: got %v, %v; want that it is unknown", when, got, err)
	}
}

// The kernel's own list of a real socket with and without a client, where either
// version of xrdp has it.
func TestConnectedFollowsARealSocket(t *testing.T) {
	for name, path := range map[string]func(r *rig) string{
		"0.9":  (*rig).socket,
		"0.10": func(r *rig) string { return filepath.Join(r.own(), socketName+display) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, t.TempDir())
			r.unknown(os.Getuid(), "no socket")
			l := r.listen(path(r))
			r.now = r.now.Add(freshMost)
			r.check(false, "nobody connected")
			end := r.connect(l)
			r.check(false, "within the time a list is used again")
			r.now = r.now.Add(freshMost)
			r.check(true, "connected")
			r.unknown(os.Getuid()+1, "somebody else's socket")
			end()
			r.now = r.now.Add(freshMost)
			r.check(false, "disconnected")
		})
	}
}

// Somebody logs in just after the list was read for somebody else.
func TestANewDisplayIsNotJudgedByAnOldList(t *testing.T) {
	r := newRig(t, t.TempDir())
	r.listen(filepath.Join(r.folder, socketName+"654322"))
	if got, err := r.peers.Connected(":654322", uint32(os.Getuid())); got || err != nil {
		t.Fatalf("nobody connected: got %v, %v", got, err)
	}
	r.now = r.now.Add(time.Second)
	l := r.listen(r.socket())
	r.check(false, "an X server before xrdp connects to it")
	r.connect(l)
	r.check(true, "connected within the time a list is used again")
}

// Where every user may make files, a folder of another's name is nobody's.
func TestFoldersOfOthersAreNotLookedInto(t *testing.T) {
	r := newRig(t, t.TempDir())
	own := r.own()
	r.connect(r.listen(filepath.Join(own, socketName+display)))
	r.check(true, "the user's own folder")
	if err := os.Chown(own, os.Getuid()+1, -1); err != nil {
		t.Fatalf("this takes root: %v", err)
	}
	r.now = r.now.Add(freshMost)
	r.unknown(os.Getuid(), "a folder of another user's")
	elsewhere := filepath.Join(r.folder, "elsewhere")
	if err := errors.Join(os.Chown(own, os.Getuid(), -1), os.Rename(own, elsewhere), os.Symlink(elsewhere, own)); err != nil {
		t.Fatal(err)
	}
	r.now = r.now.Add(freshMost)
	r.unknown(os.Getuid(), "a link")
}

// Any user can make a socket of the same name in a mount namespace of their own;
// /proc/net/unix shows it as the real one's.
func TestNamesAreNotBelieved(t *testing.T) {
	r := newRig(t, t.TempDir())
	r.listen(r.socket())
	script := `mount -t tmpfs none "$1" && exec "$2" -test.run=^TestImpostor$`
	cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "sh", "-c", script, "sh", r.folder, os.Args[0])
	cmd.Env = append(os.Environ(), "XRDP_TEST_IMPOSTOR="+r.folder)
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
	impostor := regexp.MustCompile(` 0001 03 +\d+ ` + regexp.QuoteMeta(r.socket()) + "\n")
	if err != nil || !impostor.Match(list) {
		t.Fatalf("the impostor is not in the list of names: %v", err)
	}
	r.check(false, "an impostor is connected")
}

const connectedWord = "connected\n"

// TestImpostor runs in the process that TestNamesAreNotBelieved starts.
func TestImpostor(t *testing.T) {
	folder := os.Getenv("XRDP_TEST_IMPOSTOR")
	if folder == "" {
		return
	}
	r := newRig(t, folder)
	r.connect(r.listen(r.socket()))
	_, _ = os.Stdout.WriteString(connectedWord)
	_, _ = os.Stdin.Read(make([]byte, 1))
}

// Displays about which nobody asks any more are not looked at.
func TestDisplaysAreForgotten(t *testing.T) {
	r := newRig(t, t.TempDir())
	for range 2 {
		r.unknown(os.Getuid(), "no socket")
	}
	for left := 1; left >= 0; left-- {
		r.now = r.now.Add(freshMost)
		r.peers.lookAt(question{"7", 1})
		if _, known := r.peers.sockets.value[question{display, uint32(os.Getuid())}]; known != (left == 1) {
			t.Errorf("with %d rounds left it is known: %v", left, known)
		}
	}
}

func TestConnectedRefusesOtherDisplays(t *testing.T) {
	for _, d := range []string{"", "10", ":", ":x", "host:10", ":10/../11"} {
		if _, err := NewPeers(0).Connected(d, 0); err == nil {
			t.Errorf("display %q was accepted", d)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(request())
	f.Add([]byte{36, 0, 0, 0, 20, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 0, 1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = parse(b, func(entry []byte) {
			if f, ok := boundFile(entry); !ok && f != (file{}) {
				t.Errorf("found %+v", f)
			}
		})
	})
}
