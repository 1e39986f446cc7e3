// Package selflink asks the server for a link by which somebody on this host opens their
// own page.
package selflink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"activity-tracker.example/hostd/outbound"
	"activity-tracker.example/server/api"
)

const (
	// Timeout bounds one request, for the client: somebody waits for it.
	Timeout = 20 * time.Second
	// maxReplyBytes bounds what is read of an answer.
	maxReplyBytes = 16 << 10
)

// RefusedError is the server's answer where it makes no link.
type RefusedError struct {
	Code api.Code
	// Words are what it says, cleaned, or empty.
	Words string
}

// Error returns what to do.
func (e *RefusedError) Error() string {
	switch e.Code {
	case api.CodeSelfOff:
		return "your organisation has switched this off: the server's policy has 'self: false'"
	case api.CodeNoBaseURL:
		return "the server does not know its own public address; its administrator sets it with --base-url"
	case api.CodeNotFound:
		return "the server has nothing of you from this host yet; try again after the next upload ('trackctl status')"
	case api.CodeRateLimited:
		return "you have asked for several links within a minute; wait for one, and try again"
	case api.CodeUnauthorized:
		return "the server does not know this host any more; an administrator of it runs 'trackctl enroll'"
	case codeUnknown:
		return "the server does not know such links: it is older than this program"
	default:
	}
	if e.Words != "" {
		return "the server refuses it: " + e.Words
	}
	return "the server refuses it"
}

// ErrAway means that the server does not answer.
var ErrAway = errors.New("the server does not answer")

// Ask returns a link to an account of this host.
func Ask(ctx context.Context, client *http.Client, t outbound.Target, machineID string) (api.SelfLink, error) {
	var none api.SelfLink
	body, err := json.Marshal(api.SelfLinkRequest{MachineID: machineID})
	if err != nil {
		return none, fmt.Errorf("encoding the request: %w", err)
	}
	req, err := t.Request(ctx, http.MethodPost, "api/self-links", body)
	if err != nil {
		return none, err
	}
	res, err := client.Do(req)
	if err != nil {
		return none, fmt.Errorf("%w: %w", ErrAway, err)
	}
	defer func() { _ = res.Body.Close() }() // only read
	data, err := io.ReadAll(io.LimitReader(res.Body, maxReplyBytes))
	if err != nil {
		return none, fmt.Errorf("%w: %w", ErrAway, err)
	}
	if res.StatusCode != http.StatusCreated {
		return none, refusal(res.StatusCode, data)
	}
	return link(data)
}

// link reads a link that a person can open: nothing else is shown to them.
func link(data []byte) (api.SelfLink, error) {
	var l api.SelfLink
	if err := json.Unmarshal(data, &l); err != nil {
		return l, errors.New("the server answers with something that is no link")
	}
	u, err := url.Parse(l.URL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.Fragment == "" || strings.ContainsFunc(l.URL, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return api.SelfLink{}, errors.New("the server answers with something that is no link")
	}
	return l, nil
}

// refusal returns why there is none.
func refusal(status int, data []byte) error {
	code, words := outbound.Refusal(data)
	switch {
	case status >= http.StatusInternalServerError:
		return fmt.Errorf("%w: HTTP status %d", ErrAway, status)
	case code == "" && status == http.StatusNotFound, code == api.CodeNotAllowed:
		code = codeUnknown
	}
	return &RefusedError{Code: code, Words: words}
}

// codeUnknown is of a server that has no such route.
const codeUnknown api.Code = "unknown_route"
