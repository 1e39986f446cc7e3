package httpserver

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
)

// patience bounds every wait of these tests.
const patience = 20 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// certificate makes one that signs itself, for localhost.
func certificate(t *testing.T, serial int64, ends time.Time) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: ends,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})
}

func writePair(t *testing.T, dir string, cert, key []byte) {
	t.Helper()
	for name, text := range map[string][]byte{"tls.crt": cert, "tls.key": key} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// await waits for a condition.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}

// logged is a log that is read while it is written.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), text)
}

// start opens and serves an edge until the test ends.
func start(t *testing.T, o Options, h http.Handler) *Listener {
	t.Helper()
	return startWith(t, o, usualDeadlines(), h)
}

func startWith(t *testing.T, o Options, d deadlines, h http.Handler) *Listener {
	t.Helper()
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
	}
	ctx, cancel := context.WithCancel(t.Context())
	e, err := Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	e.patience = d
	var wait sync.WaitGroup
	for _, loop := range []func() error{func() error { return e.Run(ctx) }, func() error { return e.Serve(ctx, h) }} {
		wait.Go(func() {
			if err := loop(); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() { cancel(); wait.Wait() })
	return e
}

// serial connects anew and returns which certificate is shown.
func serial(t *testing.T, e *Listener, name string) int64 {
	t.Helper()
	d := &tls.Dialer{NetDialer: &net.Dialer{Timeout: patience}, Config: &tls.Config{InsecureSkipVerify: true, ServerName: name}}
	c, err := d.DialContext(t.Context(), "tcp", e.Addr())
	if err != nil {
		t.Log(err)
		return 0
	}
	defer c.Close()
	return c.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// Certificates are replaced as certbot and Kubernetes do it, by swapping a link,
// and by writing in place; what can't be used leaves the old one.
func TestCertificateReplaced(t *testing.T) {
	dir := t.TempDir()
	for i, name := range []string{"one", "two"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		cert, key := certificate(t, int64(i+1), time.Now().Add(24*time.Hour))
		writePair(t, filepath.Join(dir, name), cert, key)
	}
	link := func(to string) {
		t.Helper()
		next := filepath.Join(dir, "next")
		if err := os.Symlink(to, next); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, filepath.Join(dir, "live")); err != nil {
			t.Fatal(err)
		}
	}
	link("one")
	var log logged
	files := Files{filepath.Join(dir, "live", "tls.crt"), filepath.Join(dir, "live", "tls.key")}
	expiry := newExpiry()
	p, err := openPair(files, expiry, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	p.every = 5 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	wait.Go(func() {
		if err := p.watch(ctx); err != nil {
			t.Error(err)
		}
	})
	defer wait.Wait()
	defer cancel()
	shown := func() int64 {
		c, err := p.GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return c.Leaf.SerialNumber.Int64()
	}
	if shown() != 1 {
		t.Fatal("not the first certificate")
	}
	link("two")
	await(t, "the second certificate", func() bool { return shown() == 2 })

	// A new certificate whose key has not come yet.
	cert, key := certificate(t, 3, time.Now().Add(48*time.Hour))
	if err := os.WriteFile(files.Cert, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	await(t, "the mismatch to be told", func() bool { return testutil.ToFloat64(p.stale) == 1 && log.has("can't be used") })
	if shown() != 2 {
		t.Error("a pair that does not match is used")
	}
	if err := os.WriteFile(files.Key, key, 0o600); err != nil {
		t.Fatal(err)
	}
	await(t, "the third certificate", func() bool { return shown() == 3 && testutil.ToFloat64(p.stale) == 0 })
	if testutil.ToFloat64(expiry) != float64(p.now.Load().Leaf.NotAfter.Unix()) {
		t.Error("another expiry is told")
	}
	if err := os.Remove(files.Cert); err != nil {
		t.Fatal(err)
	}
	await(t, "the missing file to be told", func() bool { return testutil.ToFloat64(p.stale) == 1 })
	if err := os.WriteFile(files.Cert, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	await(t, "recovery", func() bool { return testutil.ToFloat64(p.stale) == 0 })
	// A key that others may replace is no secret of ours.
	if err := os.Chmod(files.Key, 0o620); err != nil {
		t.Fatal(err)
	}
	await(t, "the open key to be told", func() bool { return log.has("chmod go-w") })
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key := certificate(t, 7, time.Now().Add(time.Hour))
	writePair(t, dir, cert, key)
	e := start(t, Options{Certificate: Files{filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")}},
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
	if !e.TLS() || !e.Loopback() || serial(t, e, "localhost") != 7 {
		t.Error("not that certificate")
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport, Timeout: patience}).Get("https://" + e.Addr())
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if string(body) != "HTTP/2.0" || res.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%s %v", body, res.Header)
	}
	// Old versions of TLS are refused.
	old := &tls.Dialer{Config: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}}
	if c, err := old.DialContext(t.Context(), "tcp", e.Addr()); err == nil {
		_ = c.Close()
		t.Error("TLS 1.1 passes")
	}
}

func TestBadOptions(t *testing.T) {
	dir := t.TempDir()
	cert, key := certificate(t, 1, time.Now().Add(time.Hour))
	writePair(t, dir, cert, key)
	good := Files{filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")}
	for want, o := range map[string]Options{
		"both --tls-cert and --tls-key": {Certificate: Files{Cert: good.Cert}},
		"no such file":                  {Certificate: Files{good.Cert, "/nowhere"}},
		"leave one of the two away":     {Certificate: good, ACME: ACME{Domains: []string{"a.example"}}},
		"full name in lower case":       {ACME: ACME{Domains: []string{"https://a.example"}}},
		"failed to find any PEM data":   {Certificate: Files{good.Key + "x", good.Key}},
		"no certificate in":             {ACME: ACME{Domains: []string{"a.example"}, CA: good.Key}},
		"listening on":                  {Addr: "127.0.0.1:x"},
	} {
		if err := os.WriteFile(good.Key+"x", []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		o.Log, o.Metrics = slog.New(slog.DiscardHandler), prometheus.NewRegistry()
		e, err := Open(t.Context(), o)
		if err == nil {
			_ = e.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// Beyond the limit a caller is asked to come back, and can as soon as another has
// gone.
func TestTooManyConnections(t *testing.T) {
	metrics := prometheus.NewRegistry()
	e := start(t, Options{MaxConnections: 2, Metrics: metrics}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	ask := func(c net.Conn) (int, string) {
		t.Helper()
		_ = c.SetDeadline(time.Now().Add(patience))
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Error(err)
		}
		if res.StatusCode == http.StatusServiceUnavailable && (res.Header.Get("Retry-After") == "" || !json.Valid(body) || !bytes.Contains(body, []byte(`"unavailable"`))) {
			t.Errorf("%v %s", res.Header, body)
		}
		return res.StatusCode, string(body)
	}
	dial := func() net.Conn {
		t.Helper()
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", e.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	one, two := dial(), dial()
	for _, c := range []net.Conn{one, two} {
		if status, body := ask(c); status != 200 {
			t.Errorf("%d %s", status, body)
		}
	}
	for range 3 {
		if status, _ := ask(dial()); status != 503 {
			t.Errorf("%d beyond the limit", status)
		}
	}
	if status, _ := ask(two); status != 200 {
		t.Errorf("%d within the limit", status)
	}
	_ = one.Close()
	await(t, "a place", func() bool { status, _ := ask(dial()); return status == 200 })
	want := "# HELP trackerd_server_connections_max Connections from callers that there may be.\n# TYPE trackerd_server_connections_max gauge\ntrackerd_server_connections_max 2\n"
	if err := testutil.GatherAndCompare(metrics, strings.NewReader(want), "trackerd_server_connections_max"); err != nil {
		t.Error(err)
	}
}
