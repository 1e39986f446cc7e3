package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"

	"activity-tracker.example/server/internal/app"
	"activity-tracker.example/server/internal/httpserver"
)

// maxConnectionsFlag is more connections than one process is good for.
const maxConnectionsFlag = 1_000_000

// envPrefix begins the variable of each of the edge's flags: --tls-cert is
// TRACKERD_SERVER_TLS_CERT.
const envPrefix = "TRACKERD_SERVER_"

// acmeFolder is where certificates by ACME are kept, below the state folder.
const acmeFolder = "acme"

// edgeFlags are the flags of serve about the network.
type edgeFlags struct {
	files          httpserver.Files
	acme           httpserver.ACME
	proxies        []string
	proxyHeader    string
	maxConnections int
	metricsListen  string
	shutdownDelay  span
	agents         agentFlags
}

// edgeEnv are the flags that the environment may set, too. Lists are separated by
// commas there.
func edgeEnv() []string {
	return []string{
		"tls-cert", "tls-key", "acme-domain", "acme-email", "acme-http", "acme-directory", "acme-ca",
		"trusted-proxy", "trusted-proxy-header", "max-connections", "metrics-listen", "shutdown-delay",
		"packages", "base-url",
	}
}

// addCertificate adds the flags that say which certificate there is.
func (e *edgeFlags) addCertificate(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&e.files.Cert, "tls-cert", "", "file with the certificate and its chain, in PEM; read again when it changes")
	f.StringVar(&e.files.Key, "tls-key", "", "file with the certificate's key")
	f.StringSliceVar(&e.acme.Domains, "acme-domain", nil, "name to get a certificate for by ACME, accepting the authority's terms; repeatable")
	for _, name := range []string{"tls-cert", "tls-key"} {
		_ = cmd.MarkFlagFilename(name)
	}
}

func (e *edgeFlags) add(cmd *cobra.Command) {
	e.addCertificate(cmd)
	f := cmd.Flags()
	f.StringVar(&e.acme.Email, "acme-email", "", "whom the authority tells of trouble with certificates")
	f.StringVar(&e.acme.HTTPAddr, "acme-http", "", "address for HTTP-01 challenges, such as :80 (default: TLS-ALPN-01 alone, on port 443 of the name)")
	f.StringVar(&e.acme.Directory, "acme-directory", "", "the authority's directory (default: Let's Encrypt)")
	f.StringVar(&e.acme.CA, "acme-ca", "", "file with the certificates that the authority itself is known by (default: the system's)")
	f.StringSliceVar(&e.proxies, "trusted-proxy", nil, "address or network of a proxy that says who calls; repeatable")
	f.StringVar(&e.proxyHeader, "trusted-proxy-header", string(httpserver.XForwardedFor), "in which header it does: x-forwarded-for or forwarded")
	f.IntVar(&e.maxConnections, "max-connections", httpserver.UsualConnections, "connections at once, beyond which callers get 503")
	f.StringVar(&e.metricsListen, "metrics-listen", "", "another address for /metrics, which --listen then has no more")
	f.Var(&e.shutdownDelay, "shutdown-delay", "how long to answer on after being told to stop, with 503 on /readyz, for a load balancer to notice")
	_ = cmd.MarkFlagFilename("acme-ca")
	e.agents.add(cmd)
}

// fromEnvironment fills in what no flag gave, and checks the rest.
func (e *edgeFlags) fromEnvironment(cmd *cobra.Command, get func(string) string) error {
	if err := fillIn(cmd, get); err != nil {
		return err
	}
	if e.maxConnections < 1 || e.maxConnections > maxConnectionsFlag {
		return fmt.Errorf("--max-connections %d: want 1 to %d", e.maxConnections, maxConnectionsFlag)
	}
	if d := time.Duration(e.shutdownDelay); d < 0 || d > app.MaxShutdownDelay {
		return fmt.Errorf("--shutdown-delay %v: want a time up to %v, such as 15s", d, app.MaxShutdownDelay)
	}
	if _, err := e.believed(); err != nil {
		return err
	}
	if _, err := e.agents.address(); err != nil {
		return err
	}
	if err := e.options("", "", nil, nil).Check(); err != nil {
		return err
	}
	return oneOf("trusted-proxy-header", e.proxyHeader, string(httpserver.XForwardedFor), string(httpserver.Forwarded))
}

// fillIn sets the flags that a command has and nobody gave from the environment.
func fillIn(cmd *cobra.Command, get func(string) string) error {
	for _, name := range edgeEnv() {
		variable := envPrefix + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		flag := cmd.Flags().Lookup(name)
		if text := get(variable); text != "" && flag != nil && !flag.Changed {
			if err := flag.Value.Set(text); err != nil {
				return fmt.Errorf("%s %q: %w", variable, text, err)
			}
		}
	}
	return nil
}

// options are those of the address that everybody calls.
func (e *edgeFlags) options(addr, stateDir string, log *slog.Logger, metrics prometheus.Registerer) httpserver.Options {
	acme := e.acme
	acme.CacheDir = filepath.Join(stateDir, acmeFolder)
	return httpserver.Options{
		Addr: addr, Certificate: e.files, ACME: acme, MaxConnections: e.maxConnections, Log: log, Metrics: metrics,
	}
}

// believed reads whom to believe.
func (e *edgeFlags) believed() (httpserver.Proxies, error) {
	proxies, err := httpserver.NewProxies(e.proxies, httpserver.ProxyHeader(e.proxyHeader))
	if err != nil {
		return proxies, fmt.Errorf("--trusted-proxy: %w", err)
	}
	return proxies, nil
}

// trusted is believed, and warns of what is sent in the open.
func (e *edgeFlags) trusted(at *httpserver.Listener, log *slog.Logger) (httpserver.Proxies, error) {
	proxies, err := e.believed()
	if err != nil {
		return proxies, err
	}
	if !at.TLS() && !at.Loopback() && !proxies.Any() {
		log.Warn("credentials come in the open: use --tls-cert, --acme-domain, or --trusted-proxy for a proxy that speaks TLS",
			"listen", at.Addr())
	}
	return proxies, nil
}

// serveMetrics answers scrapers on their own address until ctx ends.
func (e *edgeFlags) serveMetrics(ctx context.Context, metrics *prometheus.Registry, log *slog.Logger) error {
	if e.metricsListen == "" {
		return nil
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", e.metricsListen)
	if err != nil {
		return fmt.Errorf("listening on %s: %w (another address: --metrics-listen)", e.metricsListen, err)
	}
	log.Info("metrics", "listen", l.Addr().String())
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	return httpserver.ServePlain(ctx, l, mux, log)
}
