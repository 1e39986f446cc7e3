package httpserver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
	"golang.org/x/sync/errgroup"
)

const (
	// acmeTimeout bounds one request to the certificate authority.
	acmeTimeout = 30 * time.Second
	// acmeFirstRetry and acmeLastRetry are how long to wait after a failure, the
	// second after many: authorities allow five failures an hour.
	acmeFirstRetry = time.Minute
	acmeLastRetry  = time.Hour
	// acmeLook is how often certificates are looked at; autocert renews them by
	// itself a month before their end.
	acmeLook = time.Hour
	// maxDomains bounds how many names a server has: more is a mistake.
	maxDomains = 100
	// cacheMode closes the folder with the keys.
	cacheMode = 0o700
)

// ACME is how to get certificates from an authority such as Let's Encrypt.
type ACME struct {
	// Domains are the server's names. Naming them accepts the authority's terms.
	Domains []string
	// Email is where trouble with the certificates is reported; may be empty.
	Email string
	// CacheDir keeps the account and the certificates.
	CacheDir string
	// Directory is the authority's; empty means Let's Encrypt.
	Directory string
	// CA is a file with the certificates, in PEM, by which the directory itself is
	// known; empty means the system's.
	CA string
	// HTTPAddr is where to answer HTTP-01 challenges and send browsers to TLS;
	// empty: nowhere, and TLS-ALPN-01 on the TLS port is used alone.
	HTTPAddr string
}

var domainForm = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// issuer gets certificates and renews them.
type issuer struct {
	manager *autocert.Manager
	domains []string
	expiry  *expiry
	log     *slog.Logger
	http    net.Listener
}

func newIssuer(ctx context.Context, a ACME, expiry *expiry, log *slog.Logger) (*issuer, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	client, err := acmeClient(a.CA)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(a.CacheDir, cacheMode); err != nil {
		return nil, fmt.Errorf("making the folder for certificates: %w", err)
	}
	if err := os.Chmod(a.CacheDir, cacheMode); err != nil {
		return nil, fmt.Errorf("closing the folder for certificates: %w", err)
	}
	i := &issuer{domains: a.Domains, expiry: expiry, log: log, manager: &autocert.Manager{
		Prompt: autocert.AcceptTOS, Cache: autocert.DirCache(a.CacheDir), HostPolicy: autocert.HostWhitelist(a.Domains...),
		Email: a.Email, Client: &acme.Client{DirectoryURL: a.Directory, HTTPClient: client, UserAgent: "trackerd-server"},
	}}
	if a.HTTPAddr != "" {
		if i.http, err = (&net.ListenConfig{}).Listen(ctx, "tcp", a.HTTPAddr); err != nil {
			return nil, fmt.Errorf("listening on %s: %w (another address: --acme-http)", a.HTTPAddr, err)
		}
	}
	return i, nil
}

// check looks at the names.
func (a ACME) check() error {
	if len(a.Domains) > maxDomains {
		return fmt.Errorf("--acme-domain: %d names, at most %d", len(a.Domains), maxDomains)
	}
	for _, d := range a.Domains {
		if !domainForm.MatchString(d) {
			return fmt.Errorf("--acme-domain %q: want a full name in lower case, such as tracker.example.org", d)
		}
	}
	return nil
}

func acmeClient(ca string) (*http.Client, error) {
	client := &http.Client{Timeout: acmeTimeout}
	if ca == "" {
		return client, nil
	}
	text, _, err := readPEM(ca)
	if err != nil {
		return nil, fmt.Errorf("--acme-ca: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("--acme-ca: no certificate in %s", filepath.Base(ca))
	}
	client.Transport = &http.Transport{
		Proxy:           http.ProxyFromEnvironment,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		IdleConnTimeout: acmeTimeout,
	}
	return client, nil
}

// protocol is what the authority asks for by TLS.
func (*issuer) protocol() string { return acme.ALPNProto }

// GetCertificate returns the one for the name that is asked for, or the answer to a
// challenge.
func (i *issuer) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	c, err := i.manager.GetCertificate(hello)
	if err == nil && c.Leaf != nil && !slices.Contains(hello.SupportedProtos, acme.ALPNProto) {
		i.expiry.note(strings.ToLower(hello.ServerName), c.Leaf.NotAfter)
	}
	return c, err
}

// run gets the certificates before anybody asks, and keeps looking at them, until
// ctx ends.
func (i *issuer) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	if i.http != nil {
		group.Go(func() error { return ServePlain(ctx, i.http, i.challenges(), i.log) })
	}
	for _, d := range i.domains {
		group.Go(func() error { return i.keep(ctx, d) })
	}
	return group.Wait()
}

// challenges answers HTTP-01 and sends everybody else to TLS. A port in the name
// that was asked for, as behind a forwarded port, is no other name.
func (i *issuer) challenges() http.Handler {
	next := i.manager.HTTPHandler(nil)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host, _, err := net.SplitHostPort(r.Host); err == nil {
			r.Host = host
		}
		next.ServeHTTP(w, r)
	})
}

func (i *issuer) keep(ctx context.Context, domain string) error {
	retry, had := acmeFirstRetry, false
	for ctx.Err() == nil {
		err := i.obtain(ctx, domain)
		wait := acmeLook
		switch {
		case err != nil && ctx.Err() == nil:
			wait, retry = retry, min(2*retry, acmeLastRetry)
			i.log.Error("no certificate by ACME; trying again", "domain", domain, "error", err, "in", wait)
		case err == nil && !had:
			i.log.Info("certificate by ACME is there", "domain", domain)
			retry, had = acmeFirstRetry, true
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	return nil
}

// obtain asks for a certificate as a usual browser does, so that it is made now.
func (i *issuer) obtain(ctx context.Context, domain string) error {
	done := make(chan error, 1)
	// autocert has a patience of its own, of minutes, and no context: its call is
	// left behind when the server stops.
	go func() {
		_, err := i.GetCertificate(&tls.ClientHelloInfo{
			ServerName: domain, SupportedVersions: []uint16{tls.VersionTLS13, tls.VersionTLS12},
			CipherSuites:     []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
			SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256},
			SupportedCurves:  []tls.CurveID{tls.CurveP256},
		})
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return errors.New("stopped")
	}
}
