package httpapi_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
)

// A host that begins upload after upload and ends none takes the server's memory
// and places from nobody.
func TestHostFloods(t *testing.T) {
	t.Parallel()
	b := servertest.New(t, servertest.NewDatabase(t))
	hostile, other := b.Host("hostile"), b.Host("other")
	address, err := url.Parse(b.URL)
	if err != nil {
		t.Fatal(err)
	}
	var open []net.Conn
	for range 20 {
		open = append(open, begin(t, address.Host, fmt.Sprintf(
			"POST /api/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n{", hostile, api.MaxBodyBytes)))
	}
	servertest.Await(t, "the hostile host to be refused", func() bool {
		r := b.Do(http.MethodPost, "/api/events", hostile, api.EventBatch{Events: []api.Event{servertest.Minute("m", 0)}})
		if r.Status == http.StatusTooManyRequests && r.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		return r.Status == http.StatusTooManyRequests
	})
	b.Send(other, servertest.Minute("other", 0))
	for _, conn := range open {
		_ = conn.Close()
	}
	// Its turns come back with what it cut off.
	servertest.Await(t, "the host to be let in again", func() bool {
		return b.Do(http.MethodPost, "/api/events", hostile, api.EventBatch{Events: []api.Event{servertest.Minute("m", 0)}}).Status == http.StatusOK
	})
}

// Readers that ask for large answers with one token and read none of them take the
// server's memory and places from nobody. What they hold meanwhile is this program's,
// in which other tests measure memory: it runs by itself.
func TestReaderFloods(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	host := b.Host("h")
	for i := range 3 {
		var events []api.Event
		for j := range 10 {
			e := servertest.Minute("m", 10*i+j)
			for range api.MaxFocus {
				e.Focus = append(e.Focus, api.Focus{App: "a", Title: strings.Repeat("x", api.MaxTextBytes), Seconds: 0.5})
			}
			events = append(events, e)
		}
		b.Send(host, events...)
	}
	address, err := url.Parse(b.URL)
	if err != nil {
		t.Fatal(err)
	}
	hostile, other := b.Token(directory.RoleViewer), b.Token(directory.RoleViewer)
	const question = "/api/activity/m/events?start=2000-01-01T00:00:00Z&end=2100-01-01T00:00:00Z"
	var open []net.Conn
	for range 20 {
		open = append(open, begin(t, address.Host, "GET "+question+" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+hostile+"\r\n\r\n"))
	}
	servertest.Await(t, "the hostile reader to be refused", func() bool {
		r := b.Do(http.MethodGet, "/api/machines", hostile, nil)
		if r.Status == http.StatusTooManyRequests && r.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		return r.Status == http.StatusTooManyRequests
	})
	b.Do(http.MethodGet, question, other, nil).Wants(http.StatusOK, nil)
	for _, conn := range open {
		_ = conn.Close()
	}
	servertest.Await(t, "the reader to be let in again", func() bool {
		return b.Do(http.MethodGet, "/api/machines", hostile, nil).Status == http.StatusOK
	})
}

// begin opens a connection that takes little at once, and sends that text.
func begin(t *testing.T, address, text string) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if tcp, ok := conn.(*net.TCPConn); ok {
		if err := tcp.SetReadBuffer(4 << 10); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn
}
