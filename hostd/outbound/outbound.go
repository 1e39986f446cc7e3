// Package outbound makes what speaks to the server, clients and requests: over the proxy
// that is configured, and trusting the authorities that are installed now.
package outbound

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"
)

const (
	// idleTimeout closes a connection between two requests.
	idleTimeout = 30 * time.Second
	// maxReplyHeader bounds a reply's headers, in bytes.
	maxReplyHeader = 64 << 10
	// writeBuffer bounds what the kernel takes of us before it leaves, in bytes, so
	// that what was written is nearly what has left: 2 s over a line of 512 kbit/s.
	writeBuffer = 64 << 10
	// usualDialTimeout is how long connecting may take, and the handshake after it.
	usualDialTimeout = 10 * time.Second
)

// Options are how to reach the server. The zero value uses the proxy of the
// environment and the system's authorities.
type Options struct {
	// ProxyURL is the proxy to use but for servers on this machine; empty means
	// HTTPS_PROXY and its kin.
	ProxyURL string
	// CAFile holds authorities that are trusted beside the system's; may be empty.
	CAFile string
	// DialTimeout bounds connecting, and the handshake after it; zero means 10 s.
	DialTimeout time.Duration
}

// NewClient returns a client. TLS is at least 1.2, and no redirect is followed, since
// it would carry the credential to where it was not issued. Errors name the proxy
// that was used.
func NewClient(o Options, timeout time.Duration) *http.Client {
	if o.DialTimeout == 0 {
		o.DialTimeout = usualDialTimeout
	}
	return &http.Client{
		Timeout:       timeout,
		Transport:     &transport{o: o, proxy: proxy(o.ProxyURL), authorities: newAuthorities(o.CAFile)},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// proxy returns which proxy a request takes.
func proxy(configured string) func(*http.Request) (*url.URL, error) {
	if configured == "" {
		return http.ProxyFromEnvironment
	}
	u, err := url.Parse(configured)
	return func(r *http.Request) (*url.URL, error) {
		if err == nil && onThisMachine(r.URL.Hostname()) {
			return nil, nil
		}
		return u, err
	}
}

func onThisMachine(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.Unmap().IsLoopback()
}

// ProxyError is why a proxy brought no answer.
type ProxyError struct {
	// Proxy is its URL, without a password.
	Proxy string
	Err   error
}

// Error names the proxy.
func (e *ProxyError) Error() string { return fmt.Sprintf("over the proxy %s: %v", e.Proxy, e.Err) }

// Unwrap returns what went wrong.
func (e *ProxyError) Unwrap() error { return e.Err }

// transport is an http.RoundTripper that is made anew when the authorities changed.
type transport struct {
	o           Options
	proxy       func(*http.Request) (*url.URL, error)
	authorities *authorities

	mu   sync.Mutex
	http *http.Transport
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	current, err := t.current()
	if err != nil {
		return nil, err
	}
	via, err := t.proxy(r)
	if err != nil {
		return nil, fmt.Errorf("choose the proxy: %w", err)
	}
	resp, err := current.RoundTrip(r)
	if via == nil {
		return resp, err //nolint:wrapcheck // as net/http has it
	}
	if err == nil && resp.StatusCode == http.StatusProxyAuthRequired {
		_ = resp.Body.Close() // nothing in it helps
		err = fmt.Errorf("it asks for a name and password (HTTP %d); put them into proxy_url", resp.StatusCode)
	}
	if err != nil {
		return nil, &ProxyError{Proxy: via.Redacted(), Err: err}
	}
	return resp, nil
}

// CloseIdleConnections is called by http.Client's.
func (t *transport) CloseIdleConnections() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.http != nil {
		t.http.CloseIdleConnections()
	}
}

// current returns a transport that trusts the authorities of now.
func (t *transport) current() (*http.Transport, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	changed, err := t.authorities.reload()
	if err != nil {
		return nil, err
	}
	if t.http != nil && !changed {
		return t.http, nil
	}
	if t.http != nil {
		t.http.CloseIdleConnections()
	}
	t.http = &http.Transport{
		Proxy:                  t.proxy,
		DialContext:            t.dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: t.authorities.pool},
		TLSHandshakeTimeout:    t.o.DialTimeout,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxReplyHeader,
		MaxIdleConns:           1,
		ForceAttemptHTTP2:      true,
	}
	return t.http, nil
}

func (t *transport) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: t.o.DialTimeout}
	conn, err := dialer.DialContext(ctx, network, address)
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(writeBuffer) // else it is only noticed later that nothing leaves
	}
	return conn, err //nolint:wrapcheck // what failed is in it
}
