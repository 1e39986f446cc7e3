package app

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"activity-tracker.example/server/api"
)

const (
	// probeTimeout bounds asking a server on this machine.
	probeTimeout = 5 * time.Second
	// maxProbeBytes is plenty for a health reply.
	maxProbeBytes = 4096
)

// Answer is what a probe was answered.
type Answer struct {
	Status int
	// Code is of a refusal, where it has one.
	Code api.Code
}

// Probe asks the server that listens there on this machine. It tries HTTPS where
// plain HTTP gets no proper answer; whose certificate that is does not matter, since
// it asks itself; name is the server's, empty where it has none.
func Probe(ctx context.Context, listen, path, name string) (Answer, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return Answer{}, fmt.Errorf("the address %s: %w", listen, err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	transport := &http.Transport{
		DisableKeepAlives: true,
		//nolint:gosec // It asks the server of this machine whether it lives; names don't matter.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: cmp.Or(name, host)},
	}
	client := &http.Client{
		Transport: transport,
		// A redirection to HTTPS is an answer, too.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	address := net.JoinHostPort(host, port) + path
	got, err := ask(ctx, client, "http://"+address)
	if err == nil && (got.Status == http.StatusOK || got.Status == http.StatusServiceUnavailable) {
		return got, nil
	}
	if overTLS, tlsErr := ask(ctx, client, "https://"+address); tlsErr == nil {
		return overTLS, nil
	}
	if err != nil {
		return Answer{}, fmt.Errorf("no server answers on %s: %w", listen, err)
	}
	return got, nil
}

func ask(ctx context.Context, client *http.Client, url string) (Answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return Answer{}, err
	}
	res, err := client.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(res.Body, maxProbeBytes))
	var refusal struct {
		Code api.Code `json:"code"`
	}
	// What is no refusal, or another program's answer, has no code.
	_ = json.Unmarshal(text, &refusal)
	return Answer{Status: res.StatusCode, Code: refusal.Code}, nil
}
