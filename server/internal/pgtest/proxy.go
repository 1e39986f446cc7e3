package pgtest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// Proxy is a network between a client and a cluster that can fail in the ways of
// networks.
type Proxy struct {
	tb      testing.TB
	target  string
	listen  net.Listener
	serving sync.WaitGroup

	// hanging takes new connections and sends nothing on them.
	hanging atomic.Bool

	mu    sync.Mutex
	conns map[*crossing]struct{}
}

// crossing is one connection through a proxy.
type crossing struct {
	client, server net.Conn
	// lost swallows what either side sends.
	lost atomic.Bool
}

// Through starts a proxy on loopback before a cluster.
func Through(tb testing.TB, c *Cluster) *Proxy {
	tb.Helper()
	l, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{tb: tb, target: c.Socket(), listen: l, conns: map[*crossing]struct{}{}}
	p.serving.Go(p.accept)
	tb.Cleanup(func() {
		if err := l.Close(); err != nil {
			tb.Error(err)
		}
		p.Cut()
		p.serving.Wait()
	})
	return p
}

// URL is how to connect to a database through it.
func (p *Proxy) URL(database string) string {
	return fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable", superuser, p.listen.Addr(), database)
}

func (p *Proxy) accept() {
	for {
		client, err := p.listen.Accept()
		if err != nil {
			return
		}
		c := &crossing{client: client}
		if !p.hanging.Load() {
			if c.server, err = (&net.Dialer{}).DialContext(p.tb.Context(), "unix", p.target); err != nil {
				_ = client.Close()
				continue
			}
		}
		p.mu.Lock()
		p.conns[c] = struct{}{}
		p.mu.Unlock()
		p.serving.Go(func() { p.carry(c) })
	}
}

// carry carries a connection until either side ends it.
func (p *Proxy) carry(c *crossing) {
	defer func() {
		p.mu.Lock()
		delete(p.conns, c)
		p.mu.Unlock()
	}()
	defer c.close()
	if c.server == nil {
		_, _ = io.Copy(io.Discard, c.client)
		return
	}
	var back sync.WaitGroup
	back.Go(func() { c.copy(c.client, c.server) })
	c.copy(c.server, c.client)
	c.close()
	back.Wait()
}

// copy copies one direction. On a lost connection neither bytes nor the end
// arrive, but for our own closing of it.
func (c *crossing) copy(to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if c.lost.Load() {
			if err == nil {
				continue
			}
			if !errors.Is(err, net.ErrClosed) {
				// Who still waits on the other side waits on.
				_, _ = io.Copy(io.Discard, to)
			}
			return
		}
		if n > 0 {
			if _, werr := to.Write(buf[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			c.close()
			return
		}
	}
}

func (c *crossing) close() {
	_ = c.client.Close()
	if c.server != nil {
		_ = c.server.Close()
	}
}

// Cut ends all connections there are.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.close()
	}
}

// HalfClose shows the clients that nothing more will come, while what they send
// still arrives.
func (p *Proxy) HalfClose() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		if half, ok := c.client.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
	}
}

// Lose makes all connections there are silent for ever, as when the other
// machine vanished, and new ones until Find.
func (p *Proxy) Lose() {
	p.hanging.Store(true)
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.lost.Store(true)
	}
}

// Find lets new connections through again. Those that were lost stay so.
func (p *Proxy) Find() { p.hanging.Store(false) }
