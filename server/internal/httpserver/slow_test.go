package httpserver

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"
)

// Callers that send header or body byte by byte, or nothing at all, are ended by
// their deadlines; meanwhile others are answered as ever.
func TestTricklingCallers(t *testing.T) {
	const each = 60
	d := deadlines{header: 400 * time.Millisecond, read: 800 * time.Millisecond, write: time.Second, idle: 600 * time.Millisecond}
	e := startWith(t, Options{}, d, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			w.WriteHeader(http.StatusRequestTimeout)
		}
	}))
	const body = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
	const whole = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	kinds := map[string]string{"header": "GET / HTTP/1.1\r\nX: ", "body": body, "nothing": "", "idle": whole}
	var slow sync.WaitGroup
	for kind, first := range kinds {
		for range each {
			slow.Go(func() {
				if took, err := trickle(t, e.Addr(), first, kind == "header" || kind == "body"); err != nil {
					t.Errorf("%s: still there after %v: %v", kind, took, err)
				}
			})
		}
	}
	over := make(chan struct{})
	go func() { slow.Wait(); close(over) }()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: patience}
	answered := 0
	for busy := true; busy; {
		res, err := client.Get("http://" + e.Addr())
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		answered++
		select {
		case <-over:
			busy = false
		case <-time.After(10 * time.Millisecond):
		}
	}
	if answered < 10 {
		t.Errorf("%d answers beside trickling callers", answered)
	}
	await(t, "all connections but one to end", func() bool { return e.listener.(*bounded).open.Load() <= 1 })
}

// trickle sends a beginning and then, where it is to, a byte now and then, until
// the server ends the connection; an error means that it did not.
func trickle(t *testing.T, addr, first string, on bool) (time.Duration, error) {
	t.Helper()
	begun := time.Now()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if _, err := io.WriteString(c, first); err != nil {
		return 0, err
	}
	ended := make(chan error, 1)
	go func() {
		_ = c.SetReadDeadline(time.Now().Add(patience))
		_, err := io.Copy(io.Discard, bufio.NewReader(c))
		ended <- err
	}()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			// An end, or a reset, but not our own patience.
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return time.Since(begun), err
			}
			return time.Since(begun), nil
		case <-tick.C:
			if on {
				_, _ = io.WriteString(c, "a")
			}
		}
	}
}
