package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"activity-tracker.example/server/internal/config"
	"activity-tracker.example/server/internal/httpserver"
	"activity-tracker.example/server/internal/repository"
	"activity-tracker.example/server/internal/sso"
)

// acmeFolder is where certificates by ACME are kept, below the state folder.
const acmeFolder = "acme"

// Check reports what is wrong with settings that only the parts of a server
// understand, before anything listens.
func Check(c config.Config) error {
	if _, err := proxies(c); err != nil {
		return err
	}
	if _, err := Repository(c); err != nil {
		return err
	}
	if _, err := singleSignOn(c); err != nil {
		return err
	}
	return listenerOptions(c, nil, nil).Check()
}

// CertificateFiles are the certificate's files.
func CertificateFiles(c config.Config) httpserver.Files {
	return httpserver.Files{Cert: c.TLS.Cert, Key: c.TLS.Key}
}

// ACME is how certificates are got from an authority.
func ACME(c config.Config) httpserver.ACME {
	return httpserver.ACME{
		Domains: c.TLS.ACMEDomains, Email: c.TLS.ACMEEmail, HTTPAddr: c.TLS.ACMEHTTP, Directory: c.TLS.ACMEDirectory,
		CA: c.TLS.ACMECA, CacheDir: filepath.Join(c.StateDir, acmeFolder),
	}
}

// Repository is what hosts install from.
func Repository(c config.Config) (*repository.Repository, error) {
	base, err := repository.ParseBaseURL(c.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("--base-url %q: %w", c.BaseURL, err)
	}
	dir := c.Packages
	if c.Service {
		dir = cmp.Or(dir, config.ServicePackages)
	}
	return repository.New(repository.Options{Dir: dir, BaseURL: base}), nil
}

// listenerOptions are those of the address that everybody calls.
func listenerOptions(c config.Config, log *slog.Logger, metrics prometheus.Registerer) httpserver.Options {
	return httpserver.Options{
		Addr: c.Listen, Certificate: CertificateFiles(c), ACME: ACME(c), MaxConnections: c.MaxConnections, Log: log, Metrics: metrics,
	}
}

// proxies are those that are believed who calls.
func proxies(c config.Config) (httpserver.Proxies, error) {
	proxies, err := httpserver.NewProxies(c.Proxies, httpserver.ProxyHeader(c.ProxyHeader))
	if err != nil {
		return proxies, fmt.Errorf("--trusted-proxy: %w", err)
	}
	return proxies, nil
}

// warnOfPlainHTTP warns of what is sent in the open.
func warnOfPlainHTTP(l *httpserver.Listener, proxies httpserver.Proxies, log *slog.Logger) {
	if !l.TLS() && !l.Loopback() && !proxies.Any() {
		log.Warn("credentials come in the open: use --tls-cert, --acme-domain, or --trusted-proxy for a proxy that speaks TLS",
			"listen", l.Addr())
	}
}

// serveMetrics answers scrapers on an address of their own until ctx ends; not where
// there is none.
func serveMetrics(ctx context.Context, addr string, metrics *prometheus.Registry, log *slog.Logger) error {
	if addr == "" {
		return nil
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("listening on %s: %w (another address: --metrics-listen)", addr, err)
	}
	log.Info("metrics", "listen", l.Addr().String())
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	return httpserver.ServePlain(ctx, l, mux, log)
}

const (
	// maxSecretBytes bounds the client's secret: more is another file.
	maxSecretBytes = 1024
	// secretMode are the rights that others must not have on it.
	secretMode = 0o037
)

// singleSignOn returns the provider that the settings name; nil: none.
func singleSignOn(c config.Config) (*sso.Provider, error) {
	if c.SSO.Issuer == "" {
		return nil, nil
	}
	clientSecret, err := clientSecret(c.SSO.SecretFile)
	if err != nil {
		return nil, fmt.Errorf("--sso-client-secret-file: %w", err)
	}
	file, err := os.Open(c.SSO.RolesFile)
	if err != nil {
		return nil, fmt.Errorf("--sso-roles-file: %w", err)
	}
	defer func() { _ = file.Close() }()
	roles, err := sso.ReadRoles(file)
	if err != nil {
		return nil, fmt.Errorf("--sso-roles-file %s: %w", c.SSO.RolesFile, err)
	}
	p, err := sso.New(sso.Options{
		Issuer: c.SSO.Issuer, ClientID: c.SSO.ClientID, ClientSecret: clientSecret, BaseURL: c.BaseURL,
		GroupsClaim: c.SSO.GroupsClaim, Scopes: c.SSO.Scopes, Roles: roles, Only: c.SSO.Only,
	})
	if err != nil {
		return nil, fmt.Errorf("single sign-on: %w", err)
	}
	return p, nil
}

// clientSecret reads a file that nobody else may read.
func clientSecret(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if info.Mode().Perm()&secretMode != 0 {
		return "", fmt.Errorf("%s: others may read or change it: chmod 600", path)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSecretBytes+1))
	if err != nil {
		return "", err
	}
	secret := strings.TrimRight(string(b), "\r\n")
	if secret == "" || len(b) > maxSecretBytes || strings.ContainsAny(secret, "\x00\r\n") {
		return "", errors.New("want the client's secret, one line of at most 1024 bytes")
	}
	return secret, nil
}
