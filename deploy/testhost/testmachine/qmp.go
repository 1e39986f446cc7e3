package testmachine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"activity-tracker.example/testhost/internal/wait"
)

// monitor speaks QEMU's machine protocol, QMP.
type monitor struct {
	mu   sync.Mutex
	conn *net.UnixConn
	dec  *json.Decoder
}

// answerTimeout is for QEMU on a busy machine; a millisecond is usual.
const answerTimeout = time.Minute

// dialMonitor connects to the monitor's socket.
func dialMonitor(ctx context.Context, path string) (*monitor, error) {
	var d net.Dialer
	conn, err := d.DialUnix(ctx, "unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("reach QEMU's monitor: %w", err)
	}
	m := &monitor{conn: conn, dec: json.NewDecoder(conn)}
	if err := m.greet(); err != nil {
		return nil, errors.Join(fmt.Errorf("greet QEMU's monitor: %w", err), conn.Close())
	}
	return m, nil
}

func (m *monitor) greet() error {
	if err := m.conn.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return err
	}
	var greeting json.RawMessage
	if err := m.dec.Decode(&greeting); err != nil {
		return err
	}
	return m.run("qmp_capabilities", nil, nil)
}

// run sends a command to QEMU and reads its answer into result, which may be
// nil. Events between the two are left out: what they report can be asked for.
func (m *monitor) run(command string, arguments, result any) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	request := map[string]any{"execute": command}
	if arguments != nil {
		request["arguments"] = arguments
	}
	if err := m.conn.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return fmt.Errorf("QEMU: %s: %w", command, err)
	}
	if err := json.NewEncoder(m.conn).Encode(request); err != nil {
		return fmt.Errorf("QEMU: %s: %w", command, err)
	}
	for {
		var answer struct {
			Event  string          `json:"event"`
			Return json.RawMessage `json:"return"`
			Error  *struct {
				Desc string `json:"desc"`
			} `json:"error"`
		}
		if err := m.dec.Decode(&answer); err != nil {
			return fmt.Errorf("QEMU: %s: %w", command, err)
		}
		switch {
		case answer.Event != "":
			continue
		case answer.Error != nil:
			return fmt.Errorf("QEMU: %s: %s", command, answer.Error.Desc)
		case result != nil:
			return json.Unmarshal(answer.Return, result)
		}
		return nil
	}
}

// status returns what QEMU calls the machine's state: running, paused,
// suspended, …
func (m *monitor) status() (string, error) {
	var s struct {
		Status string `json:"status"`
	}
	err := m.run("query-status", nil, &s)
	return s.Status, err
}

// quit ends QEMU, which closes its disk in order; the machine gets no notice.
func (m *monitor) quit() error {
	err := m.run("quit", nil, nil)
	if errors.Is(err, io.EOF) {
		err = nil // it was faster than its answer
	}
	return errors.Join(err, m.close())
}

// kill ends QEMU without any notice, and waits until it has let go of its files.
func (m *monitor) kill() (err error) {
	process, err := m.process()
	if err != nil {
		return fmt.Errorf("find QEMU's process: %w", err)
	}
	defer func() { err = errors.Join(err, unix.Close(process), m.close()) }()
	if err := unix.PidfdSendSignal(process, unix.SIGKILL, nil, 0); err != nil {
		return fmt.Errorf("kill QEMU: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()
	err = wait.Until(ctx, func() (bool, error) {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(process), Events: unix.POLLIN}}, 0)
		return n > 0, err
	})
	if err != nil {
		return fmt.Errorf("wait for QEMU's end: %w", err)
	}
	return nil
}

// process opens the process at the other end, which is alive: it holds the
// connection.
func (m *monitor) process() (pidfd int, err error) {
	raw, err := m.conn.SyscallConn()
	if err != nil {
		return -1, err
	}
	controlErr := raw.Control(func(fd uintptr) {
		var peer *unix.Ucred
		if peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pidfd, err = unix.PidfdOpen(int(peer.Pid), 0)
		}
	})
	return pidfd, errors.Join(controlErr, err)
}

// close closes the connection, if it is not closed already.
func (m *monitor) close() error {
	if err := m.conn.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
