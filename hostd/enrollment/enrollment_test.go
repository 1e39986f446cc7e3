package enrollment

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"activity-tracker.example/hostd/config"
	"activity-tracker.example/hostd/outbound"
	"activity-tracker.example/server/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const hostID = "0123456789abcdef0123456789abcdef"

// load reads the configuration as trackerd does and opens the store.
func load(t *testing.T, dir, configText string) *Store {
	t.Helper()
	p := Options{HostID: hostID, Credential: filepath.Join(dir, "state", "credential"), Record: filepath.Join(dir, "enrollment.yaml")}
	file := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(file, []byte(configText), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(config.Paths{Config: file, Enrollment: p.Record}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(p, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// serveReply is a server that answers every enrolment alike.
func serveReply(t *testing.T, status int, body any) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req api.EnrollRequest
		if r.Method != http.MethodPost || r.URL.Path != "/api/enroll" || json.NewDecoder(r.Body).Decode(&req) != nil ||
			req.HostID != hostID || req.Hostname != "vm" || req.EnrollmentToken != "id.secret" {
			t.Errorf("wrong request: %s %s %+v", r.Method, r.URL, req)
		}
		w.Header().Set("Location", "https://elsewhere.example/api/enroll")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body)
	}))
	t.Cleanup(srv.Close)
	return srv
}

func request(url string) Request {
	return Request{URL: url, Token: "id.secret", HostID: hostID, Hostname: "vm"}
}

func TestEnrollAndRestart(t *testing.T) {
	dir := t.TempDir()
	s := load(t, dir, "")
	if _, ok := s.Target(); ok || s.State() != (State{}) {
		t.Fatalf("enrolled from the start: %+v", s.State())
	}
	srv := serveReply(t, http.StatusCreated, api.EnrollReply{HostID: hostID, Credential: "cred.secret"})
	if err := s.Enroll(context.Background(), request(srv.URL+"/")); err != nil {
		t.Fatal(err)
	}
	want := outbound.Target{URL: srv.URL, Credential: "cred.secret"}
	if got, ok := s.Target(); !ok || got != want {
		t.Errorf("at once: %+v, %v", got, ok)
	}
	again := load(t, dir, "")
	if got, ok := again.Target(); !ok || got != want || !again.State().Enrolled || again.State().Problem != "" {
		t.Errorf("after a restart: %+v, %v, %+v", got, ok, again.State())
	}
	for path, mode := range map[string]os.FileMode{"state": 0o700, "state/credential": 0o600, "enrollment.yaml": 0o644} {
		info, err := os.Stat(filepath.Join(dir, path))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v; want mode %o", path, info.Mode(), err, mode)
		}
	}
	record, err := os.ReadFile(filepath.Join(dir, "enrollment.yaml"))
	if err != nil || strings.Contains(string(record), "secret") {
		t.Errorf("the record has a secret: %s, %v", record, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*", ".credential*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestCredentialStaysWithItsServer: no configuration sends it elsewhere.
func TestCredentialStaysWithItsServer(t *testing.T) {
	dir := t.TempDir()
	srv := serveReply(t, http.StatusCreated, api.EnrollReply{HostID: hostID, Credential: "cred.secret"})
	if err := load(t, dir, "").Enroll(context.Background(), request(srv.URL)); err != nil {
		t.Fatal(err)
	}
	s := load(t, dir, "server_url: https://other.example\n")
	if target, ok := s.Target(); ok || target != (outbound.Target{}) {
		t.Errorf("another server_url: %+v", target)
	}
	if p := s.State().Problem; !strings.Contains(p, "config.yaml:1 says server_url https://other.example") {
		t.Errorf("problem: %q", p)
	}
	err := s.Enroll(context.Background(), request(srv.URL))
	if err == nil || !strings.Contains(err.Error(), "config.yaml:1 says server_url https://other.example; enrol with that one") {
		t.Errorf("enrolling with a server that is not the configured one: %v", err)
	}
	if _, ok := load(t, dir, "server_url: "+srv.URL+"/\n").Target(); !ok {
		t.Error("the same server_url, written otherwise: not enrolled")
	}
	if err := os.WriteFile(filepath.Join(dir, "enrollment.yaml"), []byte("server_url: https://other.example\nhost_id: \""+hostID+"\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s := load(t, dir, ""); s.State().Enrolled || !strings.Contains(s.State().Problem, "not of the same enrolment") {
		t.Errorf("a record of another enrolment: %+v", s.State())
	}
}

// TestCredentialOfAnotherMachine: a machine that was cloned after enrolling does not
// speak for the one that it was cloned from.
func TestCredentialOfAnotherMachine(t *testing.T) {
	const other = "ffffffffffffffffffffffffffffffff"
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{
		"state/credential": `{"server_url":"https://a.example","host_id":"` + other + `","credential":"a.b"}`,
		"enrollment.yaml":  "server_url: https://a.example\nhost_id: \"" + other + "\"\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := load(t, dir, "")
	if _, ok := s.Target(); ok || s.State().ServerURL != "https://a.example" || !strings.Contains(s.State().Problem, "issued to another machine (host id "+other) {
		t.Errorf("got %+v", s.State())
	}
}

func TestDamagedCredential(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		want string
	}{
		"empty":           {"", 0o600, "is damaged; enrol again"},
		"cut off":         {`{"server_url":"https://a.example","host_`, 0o600, "is damaged; enrol again"},
		"header in it":    {`{"server_url":"https://a.example","host_id":"` + hostID + `","credential":"a\r\nb: c"}`, 0o600, "is damaged; enrol again"},
		"readable":        {`{"server_url":"https://a.example","host_id":"` + hostID + `","credential":"a.b"}`, 0o644, "lets others read it; enrol again"},
		"larger than any": {strings.Repeat(" ", maxCredentialFileBytes+1), 0o600, "is damaged; enrol again"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, "state"), 0o700); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, "state", "credential")
			if err := os.WriteFile(file, []byte(c.text), c.mode); err != nil {
				t.Fatal(err)
			}
			record := "server_url: https://a.example\nhost_id: \"" + hostID + "\"\n"
			if err := os.WriteFile(filepath.Join(dir, "enrollment.yaml"), []byte(record), 0o600); err != nil {
				t.Fatal(err)
			}
			s := load(t, dir, "")
			if _, ok := s.Target(); ok || !strings.Contains(s.State().Problem, c.want) {
				t.Errorf("got %+v", s.State())
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	problem := func(status int, code api.Code, detail string) api.Problem {
		return api.Problem{Title: "no", Status: status, Code: code, Detail: detail}
	}
	for name, c := range map[string]struct {
		status int
		body   any
		want   string
	}{
		"bad token":       {401, problem(401, api.CodeBadToken, ""), "does not accept this enrolment token: it is unknown, expired, used up or of the other kind"},
		"unauthorized":    {401, problem(401, api.CodeUnauthorized, ""), "does not accept this enrolment token"},
		"rate":            {429, problem(429, api.CodeRateLimited, ""), "too many attempts"},
		"database away":   {503, problem(503, api.CodeUnavailable, "no database\n\x1b[2J"), "is there but not ready (HTTP 503) (the server says: no database; ?[2J)"},
		"redirect":        {307, "moved", "redirects to https://elsewhere.example/api/enroll; enrol with the final URL"},
		"other refusal":   {400, problem(400, api.CodeBadRequest, "host_id"), "HTTP 400, bad_request (the server says: host_id)"},
		"enrolled before": {409, problem(409, api.CodeHostEnrolled, "as a token has it"), "(the server says: as a token has it); if this machine was cloned from one that is in use, or that from it, give it a machine-id of its own instead: 'rm /etc/machine-id"},
		"no tracker":      {404, "<html>", "not as a tracker server does; check the URL"},
		"ok but no":       {200, api.EnrollReply{HostID: hostID, Credential: "a.b"}, "HTTP 200, but not as a tracker"},
		"another host":    {201, api.EnrollReply{HostID: "other", Credential: "a.b"}, "not as a tracker server does"},
		"no credential":   {201, api.EnrollReply{HostID: hostID}, "not as a tracker server does"},
		"evil credential": {201, api.EnrollReply{HostID: hostID, Credential: "a\r\nX: y"}, "not as a tracker server does"},
		"endless reply":   {201, strings.Repeat("a", 2*maxReplyBytes), "not as a tracker server does"},
		"no JSON at all":  {201, json.RawMessage(`"text"`), "not as a tracker server does"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := load(t, dir, "")
			err := s.Enroll(context.Background(), request(serveReply(t, c.status, c.body).URL))
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("got %v", err)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error shows the token: %v", err)
			}
			if entries, _ := os.ReadDir(filepath.Join(dir, "state")); len(entries) != 0 || s.State().Enrolled {
				t.Errorf("something was kept: %v", entries)
			}
		})
	}
}

func TestRefusedBeforeAsking(t *testing.T) {
	s := load(t, t.TempDir(), "")
	for want, r := range map[string]Request{
		"refused to enrol over plain http": {URL: "http://192.0.2.1", Token: "a.b"},
		"the server's URL is empty":        {URL: " ", Token: "a.b"},
		"the server's URL \"ftp://a\" has": {URL: "ftp://a", Token: "a.b"},
		"this is no enrolment token":       {URL: "https://192.0.2.1", Token: "ab"},
	} {
		if err := s.Enroll(context.Background(), r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v", want, err)
		}
	}
}

func TestNoAnswer(t *testing.T) {
	s := load(t, t.TempDir(), "")
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	for want, url := range map[string]string{
		"cannot reach":                                   gone.URL,
		"does not speak TLS; is it http":                 strings.Replace(plain.URL, "http:", "https:", 1),
		"is not from an authority that this host trusts": serveTLS(t, "127.0.0.1", time.Hour),
		"cannot be resolved":                             "https://tracker.invalid",
	} {
		if err := s.Enroll(context.Background(), request(url)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
	silent, accepted := listenSilently(t)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-accepted; cancel() }()
	if err := s.Enroll(ctx, request(silent)); err == nil || !strings.Contains(err.Error(), "was given up") {
		t.Errorf("cancelled: got %v", err)
	}
}

// TestRedirectGetsNoToken: the token goes to the named server only.
func TestRedirectGetsNoToken(t *testing.T) {
	var asked atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer other.Close()
	first := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer first.Close()
	if err := load(t, t.TempDir(), "").Enroll(context.Background(), request(first.URL)); err == nil || asked.Load() != 0 {
		t.Errorf("error %v, %d requests at the other server", err, asked.Load())
	}
}

// TestExplain covers what a certificate can be wrong in beside its issuer.
func TestExplain(t *testing.T) {
	for want, err := range map[string]error{
		"is for another name":             x509.HostnameError{Certificate: &x509.Certificate{DNSNames: []string{"b.example"}}, Host: "a.example"},
		"has expired or is not valid yet": x509.CertificateInvalidError{Reason: x509.Expired},
		"does not answer in time":         os.ErrDeadlineExceeded,
		"cannot reach https://a.example over the proxy http://b:3128: lookup b": &outbound.ProxyError{
			Proxy: "http://b:3128", Err: &net.DNSError{Err: "no such host", Name: "b"},
		},
		"is not from an authority that this host trusts: over the proxy http://b:3128": &outbound.ProxyError{
			Proxy: "http://b:3128", Err: x509.UnknownAuthorityError{},
		},
	} {
		if got := Explain("https://a.example", err); !strings.Contains(got.Error(), want) {
			t.Errorf("%v: got %v", err, got)
		}
	}
}

func TestUnwritableRecord(t *testing.T) {
	dir := t.TempDir()
	s := load(t, dir, "")
	s.o.Record = filepath.Join(dir, "missing", "enrollment.yaml")
	srv := serveReply(t, http.StatusCreated, api.EnrollReply{HostID: hostID, Credential: "cred.secret"})
	err := s.Enroll(context.Background(), request(srv.URL))
	if err == nil || !strings.Contains(err.Error(), "the server accepted this host, but") {
		t.Errorf("got %v", err)
	}
	if _, ok := s.Target(); ok || s.State().Problem == "" {
		t.Errorf("half an enrolment is used: %+v", s.State())
	}
	if s := load(t, dir, ""); s.State().Enrolled {
		t.Error("half an enrolment is used after a restart")
	}
}

// listenSilently accepts one connection and sends nothing on it.
func listenSilently(t *testing.T) (url string, accepted <-chan struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ch, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		close(ch)
		_, _ = conn.Read(make([]byte, 1<<20))
		_, _ = conn.Read(make([]byte, 1<<20)) // until the client hangs up
		_ = conn.Close()
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return "http://" + l.Addr().String(), ch
}

// serveTLS answers with a certificate that nobody vouches for.
func serveTLS(t *testing.T, ip string, validFor time.Duration) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(validFor), IPAddresses: []net.IP{net.ParseIP(ip)},
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv.URL
}
