package upload

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/hostd/outbound"
)

// short is a patience that a test has: longer than a machine that others keep busy
// leaves a request alone.
const short = 2 * time.Second

// rude is a server that treats each connection in its own way.
func rude(t *testing.T, treat func(conn net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			treat(conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-ended })
	return "http://" + l.Addr().String()
}

// readRequest takes a whole request off a connection.
func readRequest(conn net.Conn) {
	req, err := http.ReadRequest(bufio.NewReader(conn))
	if err == nil {
		_, _ = io.Copy(io.Discard, req.Body)
	}
}

// drip writes a byte again and again until the other end is gone.
func drip(conn net.Conn, head, piece string) {
	_, _ = io.WriteString(conn, head)
	slow := time.NewTicker(short / 10)
	defer slow.Stop()
	for range 1000 {
		if _, err := io.WriteString(conn, piece); err != nil {
			return
		}
		<-slow.C
	}
}

// TestServersThatDoNotAnswer are given up soon after the patience is over, and the
// next batch is smaller.
func TestServersThatDoNotAnswer(t *testing.T) {
	silent := func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) } // until we hang up
	for name, treat := range map[string]func(net.Conn){
		"accepts and never answers": silent,
		"drips headers":             func(c net.Conn) { readRequest(c); drip(c, "HTTP/1.1 200 OK\r\n", "X: y\r\n") },
		"drips the body":            func(c net.Conn) { readRequest(c); drip(c, "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", " ") },
		"answers half": func(c net.Conn) {
			readRequest(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")
			silent(c)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, number(900)...)
			r.up.patience = short
			url := rude(t, treat)
			r.up.target = func() (outbound.Target, bool) { return outbound.Target{URL: url, Credential: secret}, true }
			began := time.Now()
			p := r.round()
			if took := time.Since(began); p.state != StateBackoff || took > 10*short || len(r.waiting()) != 900 {
				t.Errorf("%+v after %s, %d wait", p, took, len(r.waiting()))
			}
			s := r.up.Status().LastError
			if !strings.Contains(s, "has not answered in full within "+short.String()) || !strings.Contains(s, "at most 450 events now") {
				t.Errorf("status says %q", s)
			}
		})
	}
}

// TestServerThatTakesNothing reads no byte of a batch that is larger than what the
// kernel holds.
func TestServerThatTakesNothing(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	url := rude(t, func(net.Conn) { <-done })
	defer close(done)
	r := newRig(t)
	noise := make([]byte, 3<<20)
	src := rand.NewChaCha8([32]byte{1})
	_, _ = src.Read(noise)
	r.up.patience = short
	_, v, err := r.up.post(t.Context(), outbound.Target{URL: url, Credential: secret}, noise, contents{events: 1})
	if !v.timedOut || err == nil || !strings.Contains(err.Error(), "took nothing more of a batch for "+short.String()) {
		t.Errorf("%+v, %v", v, err)
	}
}

// TestThinLine takes longer than the patience, but something always leaves.
func TestThinLine(t *testing.T) {
	t.Parallel()
	const size, piece = 1 << 20, 16 << 10
	url := rude(t, func(conn net.Conn) {
		buf := make([]byte, piece)
		thin := time.NewTicker(short / 20)
		defer thin.Stop()
		for read := 0; read < size; {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			read += n
			<-thin.C
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{\"accepted\":1}")
	})
	r := newRig(t)
	r.up.patience = short
	began := time.Now()
	_, _, err := r.up.post(t.Context(), outbound.Target{URL: url, Credential: secret}, bytes.Repeat([]byte{'x'}, size), contents{events: 1})
	if took := time.Since(began); err != nil || took < 2*short {
		t.Errorf("%v after %s", err, took)
	}
}

// TestBatchesGrowAgain: what timed out shrinks, not below a hundred, and grows once
// the server answers.
func TestBatchesGrowAgain(t *testing.T) {
	r := newRig(t, number(1000)...)
	r.up.patience = short / 10 // whatever it was that timed out
	good, silent := r.up.target, rude(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	r.up.target = func() (outbound.Target, bool) { return outbound.Target{URL: silent, Credential: secret}, true }
	for range 5 {
		r.round()
	}
	r.up.target = good
	r.round()
	if got := fmt.Sprint(r.srv.sizes); got != "[100 126 158 198 248 170]" {
		t.Errorf("requests of %s events", got)
	}
}
