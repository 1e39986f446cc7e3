package pagetest

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// proxy is a reverse proxy before a server, which can be cut.
type proxy struct {
	*httptest.Server
	cut atomic.Bool
}

// newProxy starts one that has a prefix before all paths of the server.
func newProxy(tb testing.TB, to, prefix string) *proxy {
	tb.Helper()
	p := prepareProxy(tb, to, prefix)
	p.Start()
	return p
}

// newTLSProxy starts one that browsers reach by https, with a certificate of nobody.
func newTLSProxy(tb testing.TB, to string) *proxy {
	tb.Helper()
	p := prepareProxy(tb, to, "")
	p.StartTLS()
	return p
}

func prepareProxy(tb testing.TB, to, prefix string) *proxy {
	tb.Helper()
	target, err := url.Parse(to)
	if err != nil {
		tb.Fatal(err)
	}
	p := &proxy{}
	back := &httputil.ReverseProxy{
		FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			r.Out.URL.Path, r.Out.URL.RawPath = strings.TrimPrefix(r.In.URL.Path, prefix), ""
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.cut.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		if !strings.HasPrefix(r.URL.Path, prefix+"/") {
			http.NotFound(w, r)
			return
		}
		back.ServeHTTP(w, r)
	}))
	tb.Cleanup(p.Close)
	return p
}

// sever ends all connections, and lets none be answered until mend.
func (p *proxy) sever() {
	p.cut.Store(true)
	p.CloseClientConnections()
}

func (p *proxy) mend() { p.cut.Store(false) }
