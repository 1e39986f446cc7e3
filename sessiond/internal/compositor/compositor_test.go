package compositor

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

func TestKinship(t *testing.T) {
	t.Parallel()
	uid := strconv.Itoa(os.Getuid())
	for cgroup, want := range map[string]kinship{
		"0::/user.slice/user-1000.slice/session-7.scope\n":                                         own,
		"1:name=systemd:/user.slice/user-1000.slice/session-7.scope\n0::/x\n":                      own,
		"0::/user.slice/user-1000.slice/session-77.scope\n":                                        stranger,
		"0::/user.slice/user-1000.slice/session-c1.scope\n":                                        stranger,
		"0::/user.slice/user-" + uid + ".slice/user@" + uid + ".service/session.slice/a.service\n": userService,
		"0::/user.slice/user-99.slice/user@99999.service/session.slice/a.service\n":                possible,
		"0::/init.scope\n": possible,
		"":                 possible,
	} {
		if got := (Place{Session: "7"}).kinshipOf(cgroup); got != want {
			t.Errorf("%q: %d, want %d", cgroup, got, want)
		}
	}
	if got := (Place{}).kinshipOf("0::/user.slice/user-1000.slice/session-7.scope\n"); got != possible {
		t.Errorf("without a session: %d, want %d", got, possible)
	}
}

// listen listens on a socket that accepts nobody.
func listen(t *testing.T, path string) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
}

// TestConnect: what is no socket, and a socket without a listener, are passed by,
// and of two that are as good the first is taken.
func TestConnect(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := (Place{Runtime: dir}).Connect(); !errors.Is(err, ErrNone) {
		t.Errorf("an empty folder: %v, want %v", err, ErrNone)
	}
	if err := os.WriteFile(filepath.Join(dir, "wayland-0"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "wayland-1")})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	if err := stale.Close(); err != nil {
		t.Fatal(err)
	}
	listen(t, filepath.Join(dir, "wayland-2"))
	listen(t, filepath.Join(dir, "wayland-3"))
	fd, err := Place{Runtime: dir}.Connect()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	peer, err := unix.Getpeername(fd)
	if err != nil {
		t.Fatal(err)
	}
	if name := peer.(*unix.SockaddrUnix).Name; filepath.Base(name) != "wayland-2" { //nolint:forcetypeassert // a unix socket's
		t.Errorf("connected to %s, want wayland-2", name)
	}
}

// TestFolderOfAnother: a folder that is not this user's is not looked into, nor
// a link to one that is.
func TestFolderOfAnother(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	listen(t, filepath.Join(dir, "wayland-0"))
	link := dir + "-link"
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(link) })
	foreign := "/" // root's
	if os.Getuid() == 0 {
		const nobody = 65534
		foreign = t.TempDir()
		if err := os.Chown(foreign, nobody, nobody); err != nil {
			t.Fatal(err)
		}
		listen(t, filepath.Join(foreign, "wayland-0"))
	}
	for _, path := range []string{link, foreign, dir + "-missing"} {
		if fd, err := (Place{Runtime: path}).Connect(); err == nil || errors.Is(err, ErrNone) {
			t.Errorf("%s: descriptor %d, %v", path, fd, err)
		}
	}
}
