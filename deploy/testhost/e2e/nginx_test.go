package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"activity-tracker.example/testhost"
	"activity-tracker.example/testhost/debian"
)

// prefixed is where nginx has the server, below a prefix.
const prefixed = "http://127.0.0.1:8081/tracker"

// TestSlowBehindNginx has a host report, and somebody read, through nginx with the
// server below a prefix: every link that the server sends leads to it.
func TestSlowBehindNginx(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	h := startHost(t, srv, debian.XRDP(debian.Bookworm).With("nginx", "nginx-light"))
	defer h.showLogOnFailure(t)
	const site = "server { listen 127.0.0.1:8081; location /tracker/ { proxy_pass http://" + insideAddr + "/; } }\n"
	if err := h.WriteFile(t.Context(), "/etc/nginx/conf.d/tracker.conf", strings.NewReader(site), 0o644); err != nil {
		t.Fatal(err)
	}
	h.run(t, "systemctl", "restart", "nginx")
	h.install(t, debPath)
	h.configure(t, config)
	token := srv.command(t, "enrollment", "create", "--uses", "1", "--expires", "10m")
	res, err := h.Exec(t.Context(), testhost.Command{Args: []string{"trackctl", "enroll", prefixed, "-"}, Stdin: strings.NewReader(token + "\n")})
	if err != nil || res.Code != 0 {
		t.Fatalf("trackctl enroll: %v, exit code %d: %s%s", err, res.Code, res.Stdout, res.Stderr)
	}
	people := loginAtOnce(t, h, "alice", "bob")
	for _, p := range people {
		p.mustWork(t, 20, 1, 1, 1)
	}
	wantTold(t, people...)

	reader := httpOn(t, h.Host)
	machines, page := 0, prefixed+"/api/machines?format=csv&limit=1"
	for page != "" {
		header, body := fetch(t, reader, page, srv.Viewer)
		machines += strings.Count(body, "\n") - 1
		next := regexp.MustCompile(`^<([^>]*)>; rel="next"$`).FindStringSubmatch(header.Get("Link"))
		if next == nil {
			break
		}
		page = resolve(t, page, next[1])
	}
	if machines != len(people) {
		t.Errorf("%d machines by pages, want %d", machines, len(people))
	}
	const docs = prefixed + "/api/docs"
	_, body := fetch(t, reader, docs, "")
	links := regexp.MustCompile(`href="([^"#]+)"`).FindAllStringSubmatch(body, -1)
	if len(links) == 0 {
		t.Fatalf("no links: %s", body)
	}
	for _, link := range links {
		fetch(t, reader, resolve(t, docs, link[1]), "")
	}
}

// fetch gets a page, which must be there.
func fetch(t *testing.T, c *http.Client, page, token string) (header http.Header, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, page, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(fmt.Errorf("GET %s: %d: %s, %w", page, resp.StatusCode, text, err))
	}
	return resp.Header, string(text)
}

// resolve returns where a reference on a page leads, which must be below the prefix.
func resolve(t *testing.T, page, reference string) string {
	t.Helper()
	base, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	to, err := base.Parse(reference)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(to.String(), prefixed+"/") {
		t.Errorf("%s on %s leads to %s", reference, page, to)
	}
	return to.String()
}
