package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

const (
	// probeTimeout bounds asking a server on this machine.
	probeTimeout = 5 * time.Second
	// maxProbeBytes is plenty for a health reply.
	maxProbeBytes = 4096
)

func healthcheckCommand(s *settings) *cobra.Command {
	var listen string
	var ready bool
	cmd := &cobra.Command{
		Use:   "healthcheck [--ready]",
		Short: "Ask the server on this machine whether it is well",
		Long: `healthcheck asks the server that listens on this machine, over HTTP or HTTPS, and
fails unless it is well: for containers, whose images have no other client.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			addr, err := listenAddress(listen, os.Getenv)
			if err != nil {
				return err
			}
			path := "/healthz"
			if ready {
				path = "/readyz"
			}
			got, err := probe(cmd.Context(), addr, path, ownName(os.Getenv))
			if err != nil {
				return err
			}
			if got.status != http.StatusOK {
				return fmt.Errorf("the server on %s answers %s with %d", addr, path, got.status)
			}
			if s.verbose {
				return printLine(cmd.OutOrStdout(), "ok")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "", "where the server listens (default \""+defaultListen+"\")")
	cmd.Flags().BoolVar(&ready, "ready", false, "fail also while its database is away")
	return cmd
}

// answer is what a probe was told.
type answer struct {
	status int
	// code is of a refusal, where it has one.
	code string
}

// probe asks the server that listens there on this machine. It tries HTTPS where
// plain HTTP gets no proper answer; whose certificate that is does not matter, since
// it asks itself; name is the server's, empty where it has none.
func probe(ctx context.Context, listen, path, name string) (answer, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return answer{}, fmt.Errorf("the address %s: %w", listen, err)
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
	if err == nil && (got.status == http.StatusOK || got.status == http.StatusServiceUnavailable) {
		return got, nil
	}
	if overTLS, tlsErr := ask(ctx, client, "https://"+address); tlsErr == nil {
		return overTLS, nil
	}
	if err != nil {
		return answer{}, fmt.Errorf("no server answers on %s: %w", listen, err)
	}
	return got, nil
}

// ownName is the name that a server with certificates by ACME answers to, and to no
// other; empty where it has none.
func ownName(get func(string) string) string {
	first, _, _ := strings.Cut(get(envPrefix+"ACME_DOMAIN"), ",")
	return strings.TrimSpace(first)
}

func ask(ctx context.Context, client *http.Client, url string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return answer{}, err
	}
	res, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(res.Body, maxProbeBytes))
	var refusal struct {
		Code string `json:"code"`
	}
	// What is no refusal, or another program's answer, has no code.
	_ = json.Unmarshal(text, &refusal)
	return answer{res.StatusCode, refusal.Code}, nil
}
