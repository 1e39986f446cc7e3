package main

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"testing"

	"activity-tracker.example/server/api"
)

// A host that begins upload after upload and ends none takes the server's memory
// and places from nobody.
func TestHostFloods(t *testing.T) {
	t.Parallel()
	b := newBench(t, newDatabase(t))
	hostile, other := b.host("hostile"), b.host("other")
	address, err := url.Parse(b.url)
	if err != nil {
		t.Fatal(err)
	}
	flood := func() net.Conn {
		t.Helper()
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address.Host)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_, err = fmt.Fprintf(conn, "POST /api/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n{", hostile, api.MaxBodyBytes)
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	var open []net.Conn
	for range 20 {
		open = append(open, flood())
	}
	await(t, "the hostile host to be refused", func() bool {
		r := b.do(http.MethodPost, "/api/events", hostile, api.EventBatch{Events: []api.Event{minute("m", 0)}})
		if r.status == http.StatusTooManyRequests && r.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		return r.status == http.StatusTooManyRequests
	})
	b.send(other, minute("other", 0))
	for _, conn := range open {
		_ = conn.Close()
	}
	// Its turns come back with what it cut off.
	await(t, "the host to be let in again", func() bool {
		return b.do(http.MethodPost, "/api/events", hostile, api.EventBatch{Events: []api.Event{minute("m", 0)}}).status == http.StatusOK
	})
}
