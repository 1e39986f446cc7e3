// Package sso asks an OpenID provider who somebody is, and what their groups there give
// them here.
package sso

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const (
	// askTimeout bounds one question to the provider, of which a login has four at most.
	askTimeout = 4 * time.Second
	// maxReplyBytes bounds a reply of the provider: keys and groups are far less.
	maxReplyBytes = 1 << 20
	// freshFor is for how long it is not asked again where its parts are and which keys it
	// has: a key that it has taken back is good for no longer.
	freshFor = time.Hour
	// againAfter is how long one that does not answer is left alone.
	againAfter = 5 * time.Second
)

// CallbackPath is where the provider sends browsers back.
const CallbackPath = "/login/sso/callback"

// Errors of logging in.
var (
	// ErrDown means that the provider does not answer, or not as a provider does.
	ErrDown = errors.New("the provider of single sign-on does not answer")
	// ErrRefused means that what it or the browser sent is not to be believed.
	ErrRefused = errors.New("the login at the provider is not valid")
)

// Options are how a provider is asked.
type Options struct {
	// Issuer names the provider, ClientID this server there.
	Issuer, ClientID string
	// ClientSecret is empty where the provider knows this server by PKCE alone.
	ClientSecret string
	// BaseURL is where browsers find this server.
	BaseURL string
	// GroupsClaim is in which claim somebody's groups are.
	GroupsClaim string
	// Scopes are asked for beside openid.
	Scopes []string
	Roles  Roles
	// Only means that there is no other way to log in.
	Only bool
	// Now is the clock; nil: the real one.
	Now func() time.Time
}

// Provider is asked who somebody is. One that is down is asked again later.
type Provider struct {
	Options
	client *http.Client

	// known is what is known of it; nil: nothing yet.
	known atomic.Pointer[found]
	// mu lets one ask at a time. next is when to ask again, err how that went last.
	mu   sync.Mutex
	next time.Time
	err  error
}

// found is what a provider says of itself.
type found struct {
	provider *oidc.Provider
	verifier *oidc.IDTokenVerifier
	style    oauth2.AuthStyle
	logout   string
	keys     string
	// namesItself means that it names itself when it sends browsers back (RFC 9207).
	namesItself bool
}

// New checks the options. The provider is asked when somebody logs in, so that a server
// starts without it.
func New(o Options) (*Provider, error) {
	switch {
	case o.ClientID == "":
		return nil, errors.New("the client id is missing")
	case !safe(o.Issuer):
		return nil, errors.New("the issuer: want an https URL")
	case !safe(o.BaseURL):
		return nil, errors.New("the base URL: want an https URL, where the provider sends browsers back")
	}
	o.BaseURL = strings.TrimSuffix(o.BaseURL, "/")
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Provider{Options: o, client: &http.Client{
		Timeout:   askTimeout,
		Transport: bounded{&http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second, TLSHandshakeTimeout: askTimeout}},
		// A secret is sent along: it goes nowhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Close ends idle connections; nil has none.
func (p *Provider) Close() {
	if p != nil {
		p.client.CloseIdleConnections()
	}
}

// safe reports whether secrets may go to a URL: over TLS, or within this machine.
func safe(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return false
	}
	if u.Scheme == "https" {
		return true
	}
	addr, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil && addr.IsLoopback())
}

// bounded bounds the replies of the provider.
type bounded struct{ *http.Transport }

// RoundTrip asks.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := b.Transport.RoundTrip(r)
	if err == nil {
		res.Body = &boundedBody{ReadCloser: res.Body, left: maxReplyBytes}
	}
	return res, err
}

type boundedBody struct {
	io.ReadCloser
	left int
}

// Read fails beyond the bound: half of a reply is none.
func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return 0, fmt.Errorf("the provider's reply is larger than %d bytes", maxReplyBytes)
	}
	return n, err
}

// find returns what the provider says of itself. Where that was found before, nobody waits
// for it to be found again, and it may fail to be. One that fails is not asked again at
// once.
func (p *Provider) find(ctx context.Context) (*found, error) {
	if f := p.known.Load(); f == nil {
		p.mu.Lock()
	} else if !p.mu.TryLock() {
		return f, nil
	}
	defer p.mu.Unlock()
	if now := p.Now(); !now.Before(p.next) {
		f, err := p.ask(ctx)
		p.err = err
		if err == nil {
			p.known.Store(f)
			p.next = now.Add(freshFor)
		} else if ctx.Err() == nil {
			p.next = now.Add(againAfter)
		}
	}
	if f := p.known.Load(); f != nil {
		return f, nil
	}
	return nil, p.err
}

// ask asks the provider about itself.
func (p *Provider) ask(ctx context.Context) (*found, error) {
	ctx = oidc.ClientContext(ctx, p.client)
	provider, err := oidc.NewProvider(ctx, p.Issuer)
	if err != nil {
		return nil, down("its description", err)
	}
	var about struct {
		Auth         string   `json:"authorization_endpoint"`
		Token        string   `json:"token_endpoint"`
		Keys         string   `json:"jwks_uri"`
		UserInfo     string   `json:"userinfo_endpoint"`
		Logout       string   `json:"end_session_endpoint"`
		TokenMethods []string `json:"token_endpoint_auth_methods_supported"`
		NamesItself  bool     `json:"authorization_response_iss_parameter_supported"`
	}
	if err := provider.Claims(&about); err != nil {
		return nil, down("its description", err)
	}
	for _, endpoint := range []string{about.Auth, about.Token, about.Keys} {
		if !safe(endpoint) {
			return nil, down("its description", errors.New("a part of it is missing, or without https"))
		}
	}
	for _, endpoint := range []string{about.UserInfo, about.Logout} {
		if endpoint != "" && !safe(endpoint) {
			return nil, down("its description", errors.New("a part of it is without https"))
		}
	}
	return &found{
		provider: provider, logout: about.Logout, keys: about.Keys, namesItself: about.NamesItself, style: style(about.TokenMethods, p.ClientSecret),
		verifier: provider.VerifierContext(ctx, &oidc.Config{ClientID: p.ClientID, Now: p.Now}),
	}, nil
}

// style is how this server shows the provider who it is. It is not tried out, which
// would use the code up.
func style(methods []string, secret string) oauth2.AuthStyle {
	basic := len(methods) == 0 || slices.Contains(methods, "client_secret_basic")
	if secret == "" || !basic {
		return oauth2.AuthStyleInParams
	}
	return oauth2.AuthStyleInHeader
}

func (p *Provider) config(f *found) *oauth2.Config {
	endpoint := f.provider.Endpoint()
	endpoint.AuthStyle = f.style
	return &oauth2.Config{
		ClientID: p.ClientID, ClientSecret: p.ClientSecret, Endpoint: endpoint, RedirectURL: p.BaseURL + CallbackPath,
		Scopes: append([]string{oidc.ScopeOpenID}, p.Scopes...),
	}
}

// down is an error of a provider that does not do what one does, of which no more is
// kept than fits into a line.
func down(what string, err error) error {
	return fmt.Errorf("%w: %s: %s", ErrDown, what, brief(err))
}

func refused(why string) error { return fmt.Errorf("%w: %s", ErrRefused, why) }

// maxReason bounds what the log has of an error that others may have worded.
const maxReason = 200

// brief is an error's text for the log. A reply of the provider may have anything in it.
func brief(err error) string {
	var netErr net.Error
	if errors.As(err, &netErr) && netErr.Timeout() {
		return "it takes too long"
	}
	reason := strings.ToValidUTF8(err.Error(), "")
	if len(reason) > maxReason {
		reason = strings.ToValidUTF8(reason[:maxReason], "") + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, reason)
}
