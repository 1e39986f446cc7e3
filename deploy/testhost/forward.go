package testhost

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"

	"activity-tracker.example/testhost/internal/netns"
	"activity-tracker.example/testhost/internal/relay"
)

// Forward lets the host reach a server of the caller's: it listens on addr and
// passes every connection on to target, a TCP address as this process dials
// it. An addr on loopback, such as "127.0.0.1:8100", is the host's own
// loopback; ClientAddr with a port is reached from the host over its network.
// It forwards until ctx is over or the returned Forwarder is closed.
func (h *Host) Forward(ctx context.Context, addr, target string) (*Forwarder, error) {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, fmt.Errorf("forward from the test host: %w", err)
	}
	ns := h.client
	if ap.Addr().IsLoopback() {
		ns = h.host
	}
	f := &Forwarder{target: target, open: map[net.Conn]struct{}{}}
	err = netns.In(ns, func() error {
		f.listener, err = net.Listen("tcp", addr)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listen for the test host: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { f.shut() })
	f.wg.Go(func() {
		defer stop()
		f.accept(ctx)
	})
	return f, nil
}

// Forwarder passes connections of a host on to a server outside.
type Forwarder struct {
	target   string
	listener net.Listener
	wg       sync.WaitGroup

	mu     sync.Mutex
	closed bool
	open   map[net.Conn]struct{}
}

// Addr is where it listens.
func (f *Forwarder) Addr() string { return f.listener.Addr().String() }

// Close stops listening, cuts the connections and waits for their end.
func (f *Forwarder) Close() error {
	err := f.shut()
	f.wg.Wait()
	return err
}

func (f *Forwarder) shut() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for c := range f.open {
		c.Close()
	}
	return ignoreNetClosed(f.listener.Close())
}

func (f *Forwarder) accept(ctx context.Context) {
	for {
		in, err := f.listener.Accept()
		if err != nil {
			return // closed
		}
		f.wg.Go(func() { f.pass(ctx, in) })
	}
}

// pass copies both ways until either side is done. A server that is away
// looks to the host like one that closes at once.
func (f *Forwarder) pass(ctx context.Context, in net.Conn) {
	defer in.Close()
	var d net.Dialer
	out, err := d.DialContext(ctx, "tcp", f.target)
	if err != nil {
		return
	}
	defer out.Close()
	if !f.keep(in, out) {
		return
	}
	defer f.drop(in, out)
	relay.Both(in, out)
}

// keep registers connections so that shut can cut them.
func (f *Forwarder) keep(conns ...net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range conns {
		f.open[c] = struct{}{}
	}
	return !f.closed
}

func (f *Forwarder) drop(conns ...net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range conns {
		delete(f.open, c)
	}
}

func ignoreNetClosed(err error) error {
	if errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}
