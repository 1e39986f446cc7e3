package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// ForEverybody lets every user ask; what they may see is decided by uid.
	ForEverybody fs.FileMode = 0o666
	// ForOwner lets only the daemon's own user ask, and root.
	ForOwner fs.FileMode = 0o600
	// folderMode is for a folder that no service manager has made.
	folderMode fs.FileMode = 0o700
	// staleTimeout bounds the question whether an old socket still answers.
	staleTimeout = time.Second
)

// ErrInUse reports that another trackerd answers on the socket.
var ErrInUse = errors.New("another trackerd is running")

// Listen makes the socket at path, removing one that a dead trackerd left. The
// folder must be one in which only trackerd's user may make files. Who may reach
// it is ForEverybody or ForOwner.
func Listen(ctx context.Context, path string, who fs.FileMode) (*net.UnixListener, error) {
	if err := removeStale(ctx, path); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), folderMode); err != nil {
		return nil, fmt.Errorf("make the control socket's folder: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen for trackctl on %s: %w", path, err)
	}
	if err := os.Chmod(path, who); err != nil {
		return nil, errors.Join(fmt.Errorf("let users reach %s: %w", path, err), l.Close())
	}
	return l, nil
}

func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the control socket: %w", err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is in the way of the control socket and is none; remove it", path)
	}
	dialer := net.Dialer{Timeout: staleTimeout}
	c, err := dialer.DialContext(ctx, "unix", path)
	if err == nil {
		_ = c.Close() // only asked whether somebody answers
		return fmt.Errorf("%w: it answers on %s", ErrInUse, path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%w, perhaps: %s does not refuse connections: %w", ErrInUse, path, err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove the control socket of a trackerd that is gone: %w", err)
	}
	return nil
}

// peerUID asks the kernel who is at the other end.
func peerUID(c *net.UnixConn) (uint32, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nobodyUID, fmt.Errorf("reach the socket: %w", err)
	}
	var cred *unix.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, credErr); err != nil {
		return nobodyUID, fmt.Errorf("ask who connected: %w", err)
	}
	return cred.Uid, nil
}
