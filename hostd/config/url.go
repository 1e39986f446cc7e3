package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// maxURLBytes bounds a server's URL; browsers stop near it too.
const maxURLBytes = 2048

// ErrPlainHTTP is wrapped by ParseServerURL's refusal of plain http, which
// whoever enrols can overrule.
var ErrPlainHTTP = errors.New("plain http would show everything to the network")

// ParseServerURL checks a server's URL and writes it in the one form in which
// two URLs of the same server are equal: lower case, no default port, no slash
// at the end. Plain http is refused except to loopback or with allowHTTP. An
// empty one stays empty.
func ParseServerURL(raw string, allowHTTP bool) (string, error) {
	if raw == "" {
		return "", nil
	}
	if len(raw) > maxURLBytes {
		return "", fmt.Errorf("is longer than %d bytes", maxURLBytes)
	}
	u, err := url.Parse(raw)
	if err != nil {
		return "", errors.New("is no URL; want one such as https://tracker-api.example.org")
	}
	scheme, host, port := strings.ToLower(u.Scheme), strings.ToLower(u.Hostname()), u.Port()
	switch {
	case scheme != "https" && scheme != "http" || host == "" || u.Opaque != "":
		return "", fmt.Errorf("%q has no https:// and host; want one such as https://tracker-api.example.org", u.Redacted())
	case u.User != nil:
		return "", errors.New("has a user name or password in it; the host's credential is used instead")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", errors.New("has a query or fragment; want only https://HOST[:PORT][/PATH]")
	case strings.ContainsAny(host, " %"):
		return "", errors.New("has a host that is no name or address")
	}
	if scheme == "http" && !allowHTTP && !loopback(host) {
		return "", fmt.Errorf("%w; use https, or set allow_http: true (when enrolling: --allow-http)", ErrPlainHTTP)
	}
	if scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		port = ""
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != "" {
		host = net.JoinHostPort(strings.Trim(host, "[]"), port)
	}
	return scheme + "://" + host + strings.TrimRight(u.EscapedPath(), "/"), nil
}

// loopback trusts no name but localhost: any other may resolve elsewhere.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
