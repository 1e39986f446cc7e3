package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"activity-tracker.example/server/api"
)

const (
	// clientTimeout is longer than trackerd ever takes to answer.
	clientTimeout = replyTimeout + 10*time.Second
	// dialPatience is how long to try while the socket's queue is full.
	dialPatience = 3 * time.Second
	// dialPause is the time between two tries.
	dialPause = 20 * time.Millisecond
	// maxReplyBytes bounds a reply: some hundred bytes for each of the few
	// thousand sessions a host can carry.
	maxReplyBytes = 4 << 20
)

// ErrNotRunning reports that nobody answers on the socket.
var ErrNotRunning = errors.New("trackerd is not running")

// ErrNotPermitted is wrapped where the asker's uid may not do what it asked.
var ErrNotPermitted = errors.New("not permitted")

// Client asks a trackerd.
type Client struct {
	http *http.Client
}

// NewClient makes a client of the trackerd that listens on socket.
func NewClient(socket string) *Client {
	return &Client{http: &http.Client{
		Timeout: clientTimeout,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return dial(ctx, socket)
			},
		},
	}}
}

// Status asks how trackerd does.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	return s, c.do(ctx, http.MethodGet, "/v1/status", nil, &s)
}

// Sessions asks which sessions are measured.
func (c *Client) Sessions(ctx context.Context) (SessionList, error) {
	var s SessionList
	return s, c.do(ctx, http.MethodGet, "/v1/sessions", nil, &s)
}

// Doctor asks trackerd to examine itself. Only root may.
func (c *Client) Doctor(ctx context.Context) (api.CheckReport, error) {
	var r api.CheckReport
	return r, c.do(ctx, http.MethodGet, "/v1/doctor", nil, &r)
}

// Enroll asks trackerd to enrol the host. Only root may.
func (c *Client) Enroll(ctx context.Context, r EnrollRequest) (EnrollReply, error) {
	var reply EnrollReply
	return reply, c.do(ctx, http.MethodPost, "/v1/enroll", r, &reply)
}

// Answers reports whether a trackerd listens on socket.
func Answers(ctx context.Context, socket string) bool {
	conn, err := dial(ctx, socket)
	if err != nil {
		return false
	}
	_ = conn.Close() // nothing was asked
	return true
}

func (c *Client) do(ctx context.Context, method, path string, body, reply any) error {
	var sent io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encode the request: %w", err)
		}
		sent = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://trackerd"+path, sent)
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask trackerd: %w", err)
	}
	defer func() { _ = resp.Body.Close() }() // all that matters was read
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxReplyBytes))
	if err != nil {
		return fmt.Errorf("read trackerd's answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return refused(resp.StatusCode, data)
	}
	if err := json.Unmarshal(data, reply); err != nil {
		return fmt.Errorf("understand trackerd's answer: %w", err)
	}
	return nil
}

func refused(status int, data []byte) error {
	var r RefusalError
	if json.Unmarshal(data, &r) != nil || r.Message == "" {
		return fmt.Errorf("trackerd answered with HTTP status %d", status)
	}
	if r.Code == CodeForbidden {
		return fmt.Errorf("%w: %w", ErrNotPermitted, &r)
	}
	return &r
}

// dial connects, and makes sure that it is root (or the asker's own user) who
// listens: an enrolment token goes to nobody else.
func dial(ctx context.Context, socket string) (net.Conn, error) {
	conn, err := dialPatiently(ctx, socket)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, ErrNotRunning
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w: %w", ErrNotPermitted, err)
	case err != nil:
		return nil, err
	}
	uid, err := peerUID(conn)
	if err == nil && uid != rootUID && int(uid) != os.Geteuid() {
		err = fmt.Errorf("%s belongs to uid %d and not to trackerd", socket, uid)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// dialPatiently tries again while the socket's queue is full, which somebody
// else's connections can cause for moments.
func dialPatiently(ctx context.Context, socket string) (*net.UnixConn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialPatience)
	defer cancel()
	for {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "unix", socket)
		if err == nil {
			if uc, ok := conn.(*net.UnixConn); ok {
				return uc, nil
			}
			return nil, errors.Join(errors.New("no unix socket"), conn.Close())
		}
		if !errors.Is(err, syscall.EAGAIN) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("the control socket is busy: %w", err)
		case <-time.After(dialPause):
		}
	}
}
