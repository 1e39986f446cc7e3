package testmachine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"

	"activity-tracker.example/testhost/internal/relay"
	"activity-tracker.example/testhost/internal/wait"
)

// control is a connection to the machine's sshd, over its virtio port.
type control struct {
	client *ssh.Client
	// ended is over when the connection is closed, by end.
	ended context.Context
	end   context.CancelFunc
	// devices are those that are watched, by path; Machine.input guards them.
	devices map[string]*device
}

// hello begins a connection; the line end ends what an earlier one left.
const hello = "\nstart\n"

// dialControl connects, and waits for a machine that boots as long as ctx.
func dialControl(ctx context.Context, path string) (*control, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("reach the machine's port: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if _, err := io.WriteString(conn, hello); err != nil {
		return nil, errors.Join(fmt.Errorf("reach the machine's port: %w", err), conn.Close())
	}
	config := &ssh.ClientConfig{
		User: "root",
		// The socket lies in a folder that only the caller enters.
		HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	}
	// What newer key exchanges add takes seconds on a processor made of software.
	config.KeyExchanges = []string{ssh.KeyExchangeCurve25519}
	config.Ciphers = []string{ssh.CipherChaCha20Poly1305}
	c, channels, requests, err := ssh.NewClientConn(conn, "machine", config)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the machine's control connection: %w", err), ctx.Err(), conn.Close())
	}
	ended, end := context.WithCancel(context.Background())
	return &control{client: ssh.NewClient(c, channels, requests), ended: ended, end: end, devices: map[string]*device{}}, nil
}

// connect opens the control connection anew, and what is forwarded over it.
func (m *Machine) connect(ctx context.Context) error {
	if err := m.disconnect(); err != nil {
		return err
	}
	if err := m.waitListening(ctx); err != nil {
		return err
	}
	c, err := dialControl(ctx, m.qemu.control)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.control = c
	for _, f := range m.forwards {
		if err := m.listen(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// waitListening waits until the machine has seen the end of its last connection:
// before, it would take what comes for a part of that.
func (m *Machine) waitListening(ctx context.Context) error {
	err := wait.Until(ctx, func() (bool, error) {
		log, err := os.ReadFile(filepath.Join(m.dir, "console.log"))
		return bytes.Count(log, []byte("control: waiting")) >= m.servings, err
	})
	if err != nil {
		return fmt.Errorf("wait until the machine takes a connection: %w\n%s", err, m.console())
	}
	return nil
}

// disconnect closes the control connection, and waits for what used it.
func (m *Machine) disconnect() error {
	m.mu.Lock()
	c := m.control
	m.control = nil
	m.mu.Unlock()
	var err error
	if c != nil {
		err = c.client.Close()
		c.end()
		m.servings++
	}
	m.wg.Wait()
	if errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) {
		return nil // the machine was faster
	}
	return err
}

// connected returns the control connection.
func (m *Machine) connected() (*control, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.control == nil {
		return nil, errors.New("the machine sleeps or has no power")
	}
	return m.control, nil
}

// forward is an address of the machine's that leads to one of the caller's.
type forward struct{ addr, target string }

// Forward lets programs of the machine reach a server of the caller's: what
// connects to addr there, on the machine's loopback, is connected to target
// here. It holds until Close, also over suspends and power cuts.
func (m *Machine) Forward(addr, target string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := forward{addr: addr, target: target}
	if m.control != nil {
		ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
		defer cancel()
		if err := m.listen(ctx, f); err != nil {
			return err
		}
	}
	m.forwards = append(m.forwards, f)
	return nil
}

// listen starts forwarding; it ends with the control connection. The caller
// holds the lock.
func (m *Machine) listen(ctx context.Context, f forward) error {
	c := m.control
	l, err := within(ctx, c, func() (net.Listener, error) { return c.client.Listen("tcp", f.addr) })
	if err != nil {
		return fmt.Errorf("forward %s of the machine: %w", f.addr, err)
	}
	m.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			m.wg.Go(func() { pass(c.ended, conn, f.target) })
		}
	})
	return nil
}

// pass copies both ways until both ends are done, or ctx is. A server that is away
// looks to the machine like one that closes at once.
func pass(ctx context.Context, in net.Conn, target string) {
	defer in.Close()
	var d net.Dialer
	out, err := d.DialContext(ctx, "tcp", target)
	if err != nil {
		return
	}
	defer out.Close()
	stop := context.AfterFunc(ctx, func() { out.Close() })
	defer stop()
	relay.Both(in, out)
}
