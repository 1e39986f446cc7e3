package e2e

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"activity-tracker.example/testhost"
	"activity-tracker.example/testhost/debian"
)

// insideProxy is where the proxy is from within a host.
const insideProxy = "127.0.0.1:3128"

// TestPrivateAuthorityAndProxy has a host whose server has a certificate of a private
// authority, which is installed after the first attempt, and is then behind a proxy
// that asks for a name. Nothing of it takes a restart but the new configuration.
func TestPrivateAuthorityAndProxy(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	offer(t, srv, t.TempDir())
	h := bareHost(t, debian.Bookworm, srv)
	defer h.showLogOnFailure(t)
	h.install(t, debPath)
	h.configure(t, config)
	f, err := h.Forward(t.Context(), tlsAddr, srv.tlsAddr)
	if err != nil {
		t.Fatal(err)
	}
	h.run(t, "sh", "-c", "echo 127.0.0.1 "+tlsName+" >>/etc/hosts")

	if code, said := h.tryEnrol(t); code != 1 || !strings.Contains(said, "update-ca-certificates") {
		t.Fatalf("an authority that is not installed: exit code %d: %s", code, said)
	}
	authority, err := os.Open(srv.authority)
	if err != nil {
		t.Fatal(err)
	}
	defer authority.Close()
	if err := h.WriteFile(t.Context(), "/usr/local/share/ca-certificates/test.crt", authority, 0o644); err != nil {
		t.Fatal(err)
	}
	h.run(t, "update-ca-certificates")
	if code, said := h.tryEnrol(t); code != 0 {
		t.Fatalf("installed since, and not trusted: exit code %d: %s", code, said)
	}
	h.run(t, "trackctl", "doctor")

	// From here on only the proxy knows where the server is.
	f.Close()
	h.run(t, "sh", "-c", "sed -i /"+tlsName+"/d /etc/hosts")
	at := startProxy(t, "ann", "secret", srv.tlsAddr)
	p, err := h.Forward(t.Context(), insideProxy, at)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	h.configure(t, config+"proxy_url: http://"+insideProxy+"\n")
	res, err := h.Exec(t.Context(), testhost.Command{Args: []string{"trackctl", "doctor"}})
	if err != nil || res.Code != 1 || !strings.Contains(res.Stdout, "over the proxy http://"+insideProxy) {
		t.Errorf("doctor does not name the proxy: %v, exit code %d: %s", err, res.Code, res.Stdout)
	}
	h.configure(t, config+"proxy_url: http://ann:secret@"+insideProxy+"\n")
	alice := h.login(t, "alice")
	alice.mustWork(t, 20, 1, 1, 1)
	wantTold(t, alice)
	if out := h.run(t, "trackctl", "doctor"); strings.Contains(out, "secret") {
		t.Errorf("doctor shows the password: %s", out)
	}
}

// tryEnrol enrols by the server's name, and returns how that went.
func (h *host) tryEnrol(t *testing.T) (code int, said string) {
	t.Helper()
	token := h.srv.Command(t, "enrollment", "create", "--uses", "1", "--expires", "10m")
	res, err := h.Exec(t.Context(), testhost.Command{Args: []string{"trackctl", "enroll", baseURL, "-"}, Stdin: strings.NewReader(token + "\n")})
	if err != nil {
		t.Fatal(err)
	}
	return res.Code, res.Stdout + res.Stderr
}

// startProxy passes whoever has the name on to target, wherever they want to go.
func startProxy(t *testing.T, user, password, target string) (address string) {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Authorization", r.Header.Get("Proxy-Authorization"))
		if u, p, ok := r.BasicAuth(); !ok || u != user || p != password {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		far, err := net.Dial("tcp", target)
		if r.Method != http.MethodConnect || err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer far.Close()
		near, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer near.Close()
		_, _ = io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n")
		go func() {
			_, _ = io.Copy(far, buffered)
			_ = far.(*net.TCPConn).CloseWrite()
		}()
		_, _ = io.Copy(near, far)
	}))
	t.Cleanup(srv.Close)
	return strings.TrimPrefix(srv.URL, "http://")
}
