package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"testing"

	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
)

// behindPrefix has a server answer behind a proxy that takes a prefix away, as nginx
// does by `location /tracker/ { proxy_pass http://127.0.0.1:8100/; }`.
func behindPrefix(t *testing.T, b *servertest.Bench, prefix string) {
	t.Helper()
	target, err := url.Parse(b.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	mux := http.NewServeMux()
	mux.Handle(prefix+"/", http.StripPrefix(prefix, &httputil.ReverseProxy{
		Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
	}))
	proxy := httptest.NewServer(mux)
	t.Cleanup(proxy.Close)
	t.Cleanup(b.HTTP.CloseIdleConnections)
	b.URL, b.Described = proxy.URL, nil
}

// resolve returns where a reference on a page leads.
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
	return to.String()
}

func TestLinksHoldBehindAPrefix(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	viewer := b.Token(directory.RoleViewer)
	b.Send(b.Host("h"), servertest.Minute("a", 0), servertest.Minute("b", 0), servertest.Minute("c/d", 0))
	behindPrefix(t, b, "/tracker")
	machines := 0
	for page := "/tracker/api/machines?format=csv&limit=1"; page != ""; {
		r := b.Do(http.MethodGet, page, viewer, nil)
		machines += len(r.Table()) - 1
		link := regexp.MustCompile(`^<([^>]*)>; rel="next"$`).FindStringSubmatch(r.Header.Get("Link"))
		if link == nil {
			break
		}
		page = resolve(t, page, link[1])
	}
	if machines != 3 {
		t.Errorf("%d machines by pages", machines)
	}
	const docs = "/tracker/api/docs"
	r := b.Do(http.MethodGet, docs, "", nil)
	links := regexp.MustCompile(`href="([^"#]+)"`).FindAllStringSubmatch(string(r.Body), -1)
	if len(links) == 0 {
		t.Fatalf("no links: %s", r.Body)
	}
	for _, link := range links {
		b.Do(http.MethodGet, resolve(t, docs, link[1]), "", nil).Wants(http.StatusOK, nil)
	}
}
