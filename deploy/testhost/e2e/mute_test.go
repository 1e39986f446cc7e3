package e2e

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"activity-tracker.example/testhost/debian"
)

// TestServerThatDoesNotAnswer has something in the server's place accept all that the
// host sends, and never answer. The host gives each batch up after half a minute and
// reports that; when the server is back, it gets everything.
func TestServerThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	h := trackedHost(t, debian.Bookworm, srv)
	defer h.showLogOnFailure(t)
	p := h.login(t, "alice")
	p.mustWork(t, 20, 1, 1, 1)
	wantTold(t, p)

	srv.Stop(t)
	began := time.Now()
	end := acceptAll(t, srv.Addr)
	p.mustWork(t, 30, 1, 1, 1)
	const patience = 30 * time.Second
	eventually(t, 4*patience, "a batch is given up", func() error {
		last := h.status(t).Upload.LastError
		if !strings.Contains(last, "has not answered in full within 30s: given up") {
			return fmt.Errorf("the last error is %q", last)
		}
		return nil
	})
	if took := time.Since(began); took < patience {
		t.Errorf("a batch was given up after %s", took)
	}
	end()
	srv.Start(t)
	p.mustWork(t, 20, 1, 1, 1)
	wantUnbroken(t, p)
}

// acceptAll accepts connections at an address and all that comes on them, and sends
// nothing, until end is called.
func acceptAll(t *testing.T, address string) (end func()) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var conns []net.Conn
	var readers sync.WaitGroup
	readers.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			readers.Go(func() { _, _ = io.Copy(io.Discard, conn) })
		}
	})
	return func() {
		_ = l.Close()
		mu.Lock()
		for _, conn := range conns {
			_ = conn.Close()
		}
		mu.Unlock()
		readers.Wait()
	}
}
