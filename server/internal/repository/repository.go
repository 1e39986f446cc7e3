// Package repository serves the agent's packages as an apt repository that somebody
// else has signed, and the script that installs from it.
package repository

import (
	"cmp"
	"net/http"
	"net/netip"
	"time"

	"activity-tracker.example/server/internal/limiter"
)

const (
	// usualAtOnce is how many files are sent at once: enough for a fleet, and few
	// of the connections that hosts report over.
	usualAtOnce = 100
	// othersShare is what part of them one address leaves to all others, so that
	// one that reads slowly keeps no other from its packages: a quarter, since all
	// callers behind one proxy are one address.
	othersShare = 4
	// siteBits is how much of an IPv6 address names one customer.
	siteBits = 64
	// downloadWait is how long one more waits before it is to come back.
	downloadWait = 2 * time.Second
	// downloadRetry is when, which is about as long as one takes.
	downloadRetry = 10 * time.Second
)

// Options are what to serve.
type Options struct {
	// Dir is the folder that holds the repository; empty: there is none.
	Dir string
	// BaseURL is where callers find this server.
	BaseURL BaseURL
	// AtOnce is how many files are sent at once; 0: as many as usual.
	AtOnce int
}

// Repository serves one folder. It keeps nothing of it, so that a folder that is
// replaced is served anew at once.
type Repository struct {
	dir  string
	base BaseURL
	// all bounds the downloads under way, and each those of an address.
	all  *limiter.Limiter[struct{}]
	each *limiter.Limiter[netip.Addr]
}

// New returns a repository of that folder, which need not be there yet.
func New(o Options) *Repository {
	all := cmp.Or(o.AtOnce, usualAtOnce)
	return &Repository{
		dir: o.Dir, base: o.BaseURL,
		all:  limiter.New[struct{}](all, downloadWait),
		each: limiter.New[netip.Addr](max(1, all-max(1, all/othersShare)), downloadWait),
	}
}

// BaseURL returns where callers find this server.
func (r *Repository) BaseURL() BaseURL {
	if r == nil {
		return BaseURL{}
	}
	return r.base
}

// take waits for a place among the downloads, and returns what frees it.
func (r *Repository) take(req *http.Request) (end func(), ok bool) {
	endEach, ok := r.each.Take(req.Context(), site(req))
	if !ok {
		return nil, false
	}
	endAll, ok := r.all.Take(req.Context(), struct{}{})
	if !ok {
		endEach()
		return nil, false
	}
	return func() { endAll(); endEach() }, true
}

// site is whose a request is: the caller's address, or its network in IPv6. All
// that come over a unix socket are one.
func site(req *http.Request) netip.Addr {
	caller, err := netip.ParseAddrPort(req.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := caller.Addr().Unmap().WithZone("")
	if addr.Is6() {
		if network, err := addr.Prefix(siteBits); err == nil {
			return network.Addr()
		}
	}
	return addr
}
