package repository

import (
	"errors"
	"regexp"
	"strings"
)

// maxBaseURL bounds the address, in bytes: the longest host name, a port and a
// prefix of a few words.
const maxBaseURL = 400

// baseURL lets in what a shell script and a list of apt's sources can hold as it
// stands: no quote, space, control character or anything else that means something
// to either.
var (
	baseURL = regexp.MustCompile(`^(https?)://(` + hostName + `|` + ipv6 + `)(:[1-9][0-9]{0,4})?((?:/[A-Za-z0-9._~-]+)*)/?$`)
	dots    = regexp.MustCompile(`/\.{1,2}(/|$)`)
)

const (
	hostName = `[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*`
	ipv6     = `\[[0-9A-Fa-f:.]+\]`
)

// BaseURL is the address at which callers find the server, without a slash at its
// end. The zero value is none.
type BaseURL struct{ text string }

// ParseBaseURL reads an address; an empty text is none.
func ParseBaseURL(text string) (BaseURL, error) {
	if text == "" {
		return BaseURL{}, nil
	}
	parts := baseURL.FindStringSubmatch(text)
	if parts == nil || len(text) > maxBaseURL || dots.MatchString(parts[4]) {
		return BaseURL{}, errors.New("want https://HOST[:PORT][/PREFIX] of letters, digits and - . _ ~, such as https://tracker.example.org")
	}
	scheme, host, port, prefix := parts[1], strings.ToLower(parts[2]), parts[3], parts[4]
	if scheme == "https" && port == ":443" || scheme == "http" && port == ":80" {
		port = ""
	}
	return BaseURL{scheme + "://" + host + port + prefix}, nil
}

// String returns the address.
func (b BaseURL) String() string { return b.text }

// secure reports whether nobody on the way can change what is sent from there.
func (b BaseURL) secure() bool { return strings.HasPrefix(b.text, "https://") }
