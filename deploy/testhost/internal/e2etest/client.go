package e2etest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
)

const (
	// answerTimeout is for a server on a busy machine; milliseconds are usual.
	answerTimeout = 30 * time.Second
	// readyTimeout is for a server that makes its database on a busy machine; 3 s
	// is usual.
	readyTimeout = 3 * time.Minute
	// maxAnswer is more than any answer that a test asks for, in bytes.
	maxAnswer = 64 << 20
)

// Client asks a server.
type Client struct {
	// Addr is the server's host and port.
	Addr string
	// Viewer is a token that may read; empty is none.
	Viewer string
	// HTTP makes the requests.
	HTTP *http.Client
}

// Reply is what a server answered.
type Reply struct {
	Body []byte
	// RetryAfter is when to come back, as the header has it.
	RetryAfter string
}

// Request asks the server and returns the status and the answer. A body is sent
// as it is if it is a string, as JSON if it is anything but nil.
func (c Client) Request(ctx context.Context, method, path, token string, body any) (code int, reply Reply, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(b)
	default:
		j, err := json.Marshal(b)
		if err != nil {
			return 0, reply, err
		}
		in = bytes.NewReader(j)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+c.Addr+path, in)
	if err != nil {
		return 0, reply, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return 0, reply, err
	}
	defer resp.Body.Close()
	reply.RetryAfter = resp.Header.Get("Retry-After")
	reply.Body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return resp.StatusCode, reply, err
}

// Get reads an answer as a viewer.
func (c Client) Get(ctx context.Context, path string, into any) error {
	code, r, err := c.Request(ctx, "GET", path, c.Viewer, nil)
	if err != nil {
		return err
	}
	if code != http.StatusOK {
		return fmt.Errorf("GET %s: %d: %s", path, code, r.Body)
	}
	return json.Unmarshal(r.Body, into)
}

// Events returns all records of a machine_id, oldest first, also those of a
// machine whose clock is a day ahead.
func (c Client) Events(ctx context.Context, machineID string) ([]api.Event, error) {
	const ahead = 48 * time.Hour
	var all []api.Event
	cursor := ""
	for {
		q := url.Values{"start": {"2000-01-02T00:00:00Z"}, "end": {time.Now().Add(ahead).UTC().Format(time.RFC3339)}}
		if cursor != "" {
			q.Set("cursor", cursor)
		}
		var page api.EventList
		if err := c.Get(ctx, "/api/activity/"+url.PathEscape(machineID)+"/events?"+q.Encode(), &page); err != nil {
			return nil, err
		}
		all = append(all, page.Events...)
		if cursor = page.NextCursor; cursor == "" {
			return all, nil
		}
	}
}

// WaitReady waits until /readyz answers with that status.
func (c Client) WaitReady(t *testing.T, want int) {
	t.Helper()
	Eventually(t, readyTimeout, fmt.Sprintf("/readyz answers %d", want), func() error {
		code, _, err := c.Request(t.Context(), "GET", "/readyz", "", nil)
		if err == nil && code != want {
			err = fmt.Errorf("/readyz answers %d", code)
		}
		return err
	})
}
