// Package notify speaks to the service manager that started the daemon: it
// reports when the daemon is ready, what it is doing and that it makes progress,
// and keeps descriptors safe across restarts in systemd's descriptor store.
package notify

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"golang.org/x/sys/unix"

	"activity-tracker.example/hostd/text"
)

const (
	// sendTimeout bounds one message: systemd takes them within milliseconds
	// unless it is overloaded.
	sendTimeout = 5 * time.Second
	// maxStatus bounds a status line, in bytes: systemctl shows one line.
	maxStatus = 512
	// MaxNameBytes bounds a descriptor's name (FDNAME in sd_notify(3)).
	MaxNameBytes = 255
)

// Client sends to the socket that systemd passed to the service. Make one with New;
// it is safe for concurrent use.
type Client struct {
	addr *net.UnixAddr // nil where no service manager listens
}

// New makes a client of the socket named by the variable NOTIFY_SOCKET. Where
// it is empty, nothing is sent and no error returned: the daemon runs without
// systemd.
func New(notifySocket string) *Client {
	if notifySocket == "" {
		return &Client{}
	}
	return &Client{addr: &net.UnixAddr{Name: notifySocket, Net: "unixgram"}}
}

// Ready reports that the daemon does its work from now on.
func (c *Client) Ready() error { return c.send("READY=1", nil) }

// Stopping reports that the daemon is about to end.
func (c *Client) Stopping() error { return c.send("STOPPING=1", nil) }

// Status sets the line that systemctl status shows.
func (c *Client) Status(line string) error {
	return c.send("STATUS="+text.Line(line, maxStatus), nil)
}

// alive feeds the watchdog.
func (c *Client) alive() error { return c.send("WATCHDOG=1", nil) }

// StoreFD puts a copy of f into the descriptor store under name. systemd is
// asked not to watch it (FDPOLL=0), or it would throw away a socket whose other
// end was closed, with everything in it that has not been read. A full store
// refuses silently: FileDescriptorStoreMax= in the unit must be large enough.
func (c *Client) StoreFD(name string, f *os.File) error {
	if err := checkName(name); err != nil {
		return err
	}
	if err := c.send("FDSTORE=1\nFDPOLL=0\nFDNAME="+name, f); err != nil {
		return fmt.Errorf("store descriptor %s: %w", name, err)
	}
	return nil
}

// RemoveFD takes every descriptor of that name out of the store. It is no
// error if there is none.
func (c *Client) RemoveFD(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if err := c.send("FDSTOREREMOVE=1\nFDNAME="+name, nil); err != nil {
		return fmt.Errorf("remove stored descriptor %s: %w", name, err)
	}
	return nil
}

// StoredFDs takes the descriptors that systemd passed to this process: those
// in the store. A file's Name is the name it was stored under. They are the
// caller's to close. It works once per process, since it clears the variables
// that announce them.
func StoredFDs() []*os.File { return activation.Files(true) }

// checkName keeps to what systemd accepts.
func checkName(name string) error {
	if name == "" || len(name) > MaxNameBytes {
		return fmt.Errorf("descriptor name %q: want 1 to %d bytes", name, MaxNameBytes)
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7f || c == ':' {
			return fmt.Errorf("descriptor name %q: want printable ASCII without colon", name)
		}
	}
	return nil
}

// send sends one message from an unconnected socket, with f's descriptor if
// there is one: go-systemd has no call that passes descriptors.
func (c *Client) send(message string, f *os.File) error {
	if c.addr == nil {
		return nil
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("notify the service manager: %w", err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return fmt.Errorf("notify the service manager: %w", err)
	}
	if f == nil {
		_, err = conn.WriteToUnix([]byte(message), c.addr)
	} else {
		err = sendFile(conn, c.addr, message, f)
	}
	if err != nil {
		return fmt.Errorf("notify the service manager: %w", err)
	}
	return nil
}

func sendFile(conn *net.UnixConn, addr *net.UnixAddr, message string, f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return fmt.Errorf("pass a descriptor: %w", err)
	}
	var sendErr error
	// Control holds the descriptor open while it is being sent, and leaves it
	// non-blocking, unlike Fd.
	err = raw.Control(func(fd uintptr) {
		_, _, sendErr = conn.WriteMsgUnix([]byte(message), unix.UnixRights(int(fd)), addr)
	})
	return errors.Join(err, sendErr)
}
