package outbound

import (
	"encoding/base64"
	"encoding/pem"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const timeout = 10 * time.Second

// tlsServer speaks TLS with a certificate that no system trusts, and returns it.
func tlsServer(t *testing.T) (srv *httptest.Server, certificate []byte) {
	t.Helper()
	srv = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	srv.Config.ErrorLog = slog.NewLogLogger(slog.NewTextHandler(t.Output(), nil), slog.LevelDebug)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
}

func get(t *testing.T, c *http.Client, url string) error {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusTeapot {
		t.Errorf("%s answers %d", url, resp.StatusCode)
	}
	return nil
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestAuthorityInstalledLater: neither the system's authorities nor ca_file need a
// restart, and one that is taken away is not trusted any more.
func TestAuthorityInstalledLater(t *testing.T) {
	srv, certificate := tlsServer(t)
	dir := t.TempDir()
	bundle, folder, ca := filepath.Join(dir, "bundle"), filepath.Join(dir, "certs"), filepath.Join(dir, "ca.pem")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", bundle)
	t.Setenv("SSL_CERT_DIR", folder)
	other := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("no certificate")})
	for name, place := range map[string]string{"the bundle": bundle, "the folder": filepath.Join(folder, "one.pem")} {
		c := NewClient(Options{}, timeout)
		defer c.CloseIdleConnections()
		if err := get(t, c, srv.URL); err == nil || !strings.Contains(err.Error(), "unknown authority") {
			t.Errorf("%s: trusted before: %v", name, err)
		}
		write(t, place, append(other, certificate...))
		if err := get(t, c, srv.URL); err != nil {
			t.Errorf("%s: not trusted after it was installed: %v", name, err)
		}
		if err := os.Remove(place); err != nil {
			t.Fatal(err)
		}
		if err := get(t, c, srv.URL); err == nil {
			t.Errorf("%s: trusted after it was taken away", name)
		}
	}
	c := NewClient(Options{CAFile: ca}, timeout)
	defer c.CloseIdleConnections()
	if err := get(t, c, srv.URL); err == nil || !strings.Contains(err.Error(), "read ca_file") {
		t.Errorf("a ca_file that is missing: %v", err)
	}
	write(t, ca, []byte("hello\n"))
	if err := get(t, c, srv.URL); err == nil || !strings.Contains(err.Error(), "no certificate in PEM") {
		t.Errorf("a ca_file with something else: %v", err)
	}
	write(t, ca, certificate)
	if err := get(t, c, srv.URL); err != nil {
		t.Errorf("ca_file: %v", err)
	}
}

// newProxy is a proxy that lets nobody pass without a name, and counts who asked.
func newProxy(t *testing.T, password string) (url string, asked *int) {
	t.Helper()
	asked = new(int)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked++
		if r.Header.Get("Proxy-Authorization") != "Basic "+base64.StdEncoding.EncodeToString([]byte("ann:"+password)) {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		w.WriteHeader(http.StatusTeapot)
	}))
	t.Cleanup(srv.Close)
	return strings.TrimPrefix(srv.URL, "http://"), asked
}

// TestProxy: it is used, its errors name it without its password, and servers on this
// machine are reached without it.
func TestProxy(t *testing.T) {
	const far = "http://tracker.example" // never looked up here: the proxy does
	at, asked := newProxy(t, "secret")
	c := NewClient(Options{ProxyURL: "http://ann:secret@" + at}, timeout)
	defer c.CloseIdleConnections()
	if err := get(t, c, far); err != nil || *asked != 1 {
		t.Errorf("%v, asked %d times", err, *asked)
	}
	near := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	defer near.Close()
	if err := get(t, c, near.URL); err != nil || *asked != 1 {
		t.Errorf("a server on this machine: %v, the proxy was asked %d times", err, *asked)
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for name, tc := range map[string]struct{ proxy, url, want string }{
		"asks for a name":       {"http://" + at, far, "asks for a name and password"},
		"asks for another":      {"http://ann:guess@" + at, far, "asks for a name and password"},
		"asks for one with TLS": {"http://ann:guess@" + at, "https://tracker.example", "Proxy Authentication Required"},
		"is away":               {"http://ann:guess@" + closed.Addr().String(), far, "connection refused"},
	} {
		c := NewClient(Options{ProxyURL: tc.proxy}, timeout)
		err := get(t, c, tc.url)
		var via *ProxyError
		if !errors.As(err, &via) || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "over the proxy http://") || strings.Contains(err.Error(), "guess") {
			t.Errorf("%s: %v", name, err)
		}
		c.CloseIdleConnections()
	}
}

func TestNoRedirectIsFollowed(t *testing.T) {
	srv := httptest.NewServer(http.RedirectHandler("http://elsewhere.example", http.StatusFound))
	defer srv.Close()
	c := NewClient(Options{}, timeout)
	defer c.CloseIdleConnections()
	resp, err := c.Get(srv.URL)
	if err != nil || resp.StatusCode != http.StatusFound {
		t.Fatalf("%v, %v", resp, err)
	}
	resp.Body.Close()
}
