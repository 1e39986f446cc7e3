package outbound

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"activity-tracker.example/hostd/text"
	"activity-tracker.example/server/api"
)

const (
	// maxRetryAfter bounds what a server may ask for, so that a wrong header cannot
	// silence a host for days.
	maxRetryAfter = time.Hour
	// MaxDetail bounds what is kept of a server's words, in bytes.
	MaxDetail = 300
	// maxCode bounds a code's length, in bytes; the contract's longest has 20.
	maxCode = 64
)

// errBadURL is returned where the URL that is configured cannot be one.
var errBadURL = errors.New("the server's URL is not valid; check server_url")

// Request returns a request to the server as this host. The path is below its URL, as in
// "api/events"; without a body it may be attached later.
func (t Target) Request(ctx context.Context, method, path string, body []byte) (*http.Request, error) {
	where, err := url.JoinPath(t.URL, path)
	if err != nil {
		return nil, errBadURL // the library's words hold the URL
	}
	req, err := http.NewRequestWithContext(ctx, method, where, bytes.NewReader(body))
	if err != nil {
		return nil, errBadURL
	}
	req.Header.Set("Authorization", "Bearer "+t.Credential)
	if method != http.MethodGet {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// Refusal reads the code and the detail of a problem, as far as an answer is one: a code
// that may become a name in status and logs, and words that fit on a line.
func Refusal(answer []byte) (code api.Code, detail string) {
	var p api.Problem
	if json.Unmarshal(answer, &p) != nil {
		return "", ""
	}
	if p.Detail == "" {
		p.Detail = p.Title
	}
	if !ValidCode(p.Code) {
		p.Code = ""
	}
	return p.Code, text.Line(p.Detail, MaxDetail)
}

// ValidCode reports whether a code may become a name in status and logs.
func ValidCode(code api.Code) bool {
	return code != "" && len(code) <= maxCode && strings.Trim(string(code), "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// RetryAfter reads RFC 9110's header, seconds or a date: how long a server asks to be left
// alone, at most an hour; zero where it holds nothing usable.
func RetryAfter(header string, now time.Time) time.Duration {
	header = strings.TrimSpace(header)
	if header == "" {
		return 0
	}
	if n, err := strconv.ParseUint(header, 10, 64); err == nil {
		return time.Duration(min(n, uint64(maxRetryAfter/time.Second))) * time.Second
	} else if errors.Is(err, strconv.ErrRange) && header[0] != '-' {
		return maxRetryAfter
	}
	at, err := http.ParseTime(header)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}
