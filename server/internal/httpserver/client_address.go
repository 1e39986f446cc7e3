package httpserver

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

const (
	// maxHops bounds how many proxies are followed back: more than anybody
	// has in a row.
	maxHops = 16
	// maxRequestID bounds a request's id from a proxy, in bytes: a UUID has 36,
	// a trace's name 55.
	maxRequestID = 64
)

// ProxyHeader is the one in which trusted proxies name the caller. There is only one:
// a proxy passes on the other as the caller sent it.
type ProxyHeader string

// The headers there are.
const (
	// XForwardedFor is what nginx, HAProxy, Caddy and Traefik send, with
	// X-Forwarded-Proto beside it.
	XForwardedFor ProxyHeader = "x-forwarded-for"
	// Forwarded is that of RFC 7239.
	Forwarded ProxyHeader = "forwarded"
)

// Proxies are those that are believed, and in what.
type Proxies struct {
	networks []netip.Prefix
	header   ProxyHeader
}

// NewProxies reads addresses and networks (10.0.0.0/8, ::1).
func NewProxies(list []string, header ProxyHeader) (Proxies, error) {
	p := Proxies{header: header}
	for _, text := range list {
		network, err := netip.ParsePrefix(text)
		if addr, addrErr := netip.ParseAddr(text); addrErr == nil {
			addr = addr.Unmap().WithZone("")
			network, err = addr.Prefix(addr.BitLen())
		}
		if err != nil {
			return p, fmt.Errorf("%q: want an address or a network such as 10.0.0.0/8", text)
		}
		p.networks = append(p.networks, network.Masked())
	}
	return p, nil
}

// Any reports whether there are any.
func (p Proxies) Any() bool { return len(p.networks) > 0 }

func (p Proxies) trusts(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, n := range p.networks {
		if n.Contains(addr) {
			return true
		}
	}
	return false
}

// forwarding is what is known of a request's way.
type forwarding struct {
	// secure is set where the caller spoke TLS, to us or to a trusted proxy.
	secure bool
	// requestID is the one that a trusted proxy set; empty where there is none, or
	// none that can be logged.
	requestID string
}

type forwardingKey struct{}

// forwardingOf returns what is known of a request's way; nothing is of one that did
// not pass Resolve.
func forwardingOf(ctx context.Context) forwarding {
	f, _ := ctx.Value(forwardingKey{}).(forwarding)
	return f
}

// Secure reports whether a request's caller spoke TLS, to us or to a trusted proxy.
func Secure(ctx context.Context) bool { return forwardingOf(ctx).secure }

// Resolve sets each request's RemoteAddr to the caller's, so that everything that
// follows needs to know of no proxy.
func (p Proxies) Resolve(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := forwarding{secure: r.TLS != nil}
		if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil && p.trusts(peer.Addr()) {
			p.readHeaders(r.Header, &f)
			// A copy: the caller of this handler still has the request.
			r = r.WithContext(r.Context())
			r.RemoteAddr = netip.AddrPortFrom(p.caller(r.Header, peer.Addr()), 0).String()
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), forwardingKey{}, f)))
	})
}

// readHeaders completes what is known of a request that a trusted proxy passed on.
func (p Proxies) readHeaders(h http.Header, f *forwarding) {
	if proto := p.proto(h); proto != "" {
		f.secure = strings.EqualFold(proto, "https")
	}
	if id := h.Get("X-Request-Id"); loggable(id) {
		f.requestID = id
	}
}

// caller is the first address from the right that is no trusted proxy's: what
// stands further left anybody may have written. Where it can't be known, it is the
// last proxy that is known.
func (p Proxies) caller(h http.Header, peer netip.Addr) netip.Addr {
	hops := p.hops(h)
	last := peer
	for i := len(hops) - 1; i >= 0 && len(hops)-i <= maxHops; i-- {
		addr, ok := parseHop(hops[i])
		if !ok {
			return last
		}
		last = addr
		if !p.trusts(addr) {
			return addr
		}
	}
	return last
}

// hops lists what the proxies wrote, the nearest last.
func (p Proxies) hops(h http.Header) []string {
	if p.header != Forwarded {
		return split(h.Values("X-Forwarded-For"))
	}
	var hops []string
	for _, element := range split(h.Values("Forwarded")) {
		// One without "for" hides the hop: it is not skipped.
		hops = append(hops, parameter(element, "for"))
	}
	return hops
}

// proto is how the nearest proxy was spoken to.
func (p Proxies) proto(h http.Header) string {
	name := "X-Forwarded-Proto"
	if p.header == Forwarded {
		name = "Forwarded"
	}
	list := split(h.Values(name))
	if len(list) == 0 {
		return ""
	}
	if p.header == Forwarded {
		return parameter(list[len(list)-1], "proto")
	}
	return list[len(list)-1]
}

func split(values []string) []string {
	if len(values) == 0 {
		return nil
	}
	list := strings.Split(strings.Join(values, ","), ",")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return list
}

// parameter is a parameter's value in an element of Forwarded.
func parameter(element, name string) string {
	for pair := range strings.SplitSeq(element, ";") {
		key, value, _ := strings.Cut(pair, "=")
		if strings.EqualFold(strings.TrimSpace(key), name) {
			return strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return ""
}

// parseHop reads an address, with a port or without.
func parseHop(text string) (netip.Addr, bool) {
	if host, _, err := net.SplitHostPort(text); err == nil {
		text = host
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	if err != nil {
		return netip.Addr{}, false
	}
	return addr.Unmap().WithZone(""), true
}

func loggable(id string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
	return id != "" && len(id) <= maxRequestID && strings.Trim(id, allowed) == ""
}
