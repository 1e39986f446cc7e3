// Package httpserver is where HTTP comes in: the listener, TLS and its certificates,
// the number of connections and their deadlines, the client's address, and what every
// request goes through.
package httpserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
)

const (
	// readHeaderTimeout and readTimeout bound how slowly a request may come:
	// the largest batch takes a minute at 70 kB/s.
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 60 * time.Second
	// writeTimeout bounds a whole request with its reply.
	writeTimeout = 90 * time.Second
	// idleTimeout keeps a connection between two uploads of the shortest
	// usual period.
	idleTimeout = 120 * time.Second
	// maxHeaderBytes is plenty for a bearer token.
	maxHeaderBytes = 16 << 10
	// drainTimeout bounds finishing accepted requests at the end.
	drainTimeout = 20 * time.Second
	// maxStreams is how many requests a connection of HTTP/2 may have at once: a
	// page's burst. Each that a caller holds open takes some 15 kB, as much as a
	// connection; a proxy with more callers opens more of these.
	maxStreams = 20
	// streamBuffer and connectionBuffer bound what one HTTP/2 stream and one
	// connection may have sent before it is read, in bytes: with HTTP/1 the
	// kernel keeps about as much.
	streamBuffer     = 256 << 10
	connectionBuffer = 1 << 20
	// pingAfter and pingTimeout end an HTTP/2 connection whose other end is
	// gone; the kernel's keep-alive does it for the others.
	pingAfter   = 30 * time.Second
	pingTimeout = 15 * time.Second
	// strictTransport makes browsers come back by TLS for a year.
	strictTransport = "max-age=31536000"
)

// Options are where and how to listen.
type Options struct {
	// Addr is host:port.
	Addr string
	// Certificate is the pair of files to speak TLS with; its zero value is none.
	Certificate Files
	// ACME gets certificates by itself where it names domains.
	ACME ACME
	// MaxConnections bounds those at once; 0 means UsualConnections.
	MaxConnections int
	Log            *slog.Logger
	Metrics        prometheus.Registerer
}

// deadlines bound how slow callers may be.
type deadlines struct {
	header, read, write, idle time.Duration
}

func usualDeadlines() deadlines {
	return deadlines{header: readHeaderTimeout, read: readTimeout, write: writeTimeout, idle: idleTimeout}
}

// Listener listens.
type Listener struct {
	log      *slog.Logger
	patience deadlines
	listener net.Listener
	tls      *tls.Config
	loops    []func(context.Context) error
}

// Open listens and reads the certificates. Connections wait until Serve.
func Open(ctx context.Context, o Options) (*Listener, error) {
	e := &Listener{log: o.Log, patience: usualDeadlines()}
	if err := e.secure(ctx, o); err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.Addr)
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("listening on %s: %w (ports below 1024 are root's: PORTS BELOW 1024 in man trackerd-server.env tells how; "+
			"another address: --listen)", o.Addr, err)
	}
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w (another address: --listen)", o.Addr, err)
	}
	e.listener = newBounded(l, openFiles(o.MaxConnections, o.Log), e.tls != nil, o.Metrics)
	return e, nil
}

// Check returns what is wrong with the options as such, before anything is tried.
func (o Options) Check() error {
	switch files := o.Certificate; {
	case files != Files{} && len(o.ACME.Domains) > 0:
		return errors.New("certificates come either from files or by ACME: leave one of the two away")
	case files != Files{}:
		return files.check()
	}
	return o.ACME.check()
}

// secure prepares TLS where that is wanted.
func (e *Listener) secure(ctx context.Context, o Options) error {
	var source interface {
		GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error)
	}
	if err := o.Check(); err != nil {
		return err
	}
	expiry := newExpiry()
	protocols := []string{"h2", "http/1.1"}
	switch {
	case o.Certificate != Files{}:
		pair, err := openPair(o.Certificate, expiry, o.Log)
		if err != nil {
			return err
		}
		o.Metrics.MustRegister(pair.stale)
		source, e.loops = pair, append(e.loops, pair.watch)
	case len(o.ACME.Domains) > 0:
		issuer, err := newIssuer(ctx, o.ACME, expiry, o.Log)
		if err != nil {
			return err
		}
		source, e.loops = issuer, append(e.loops, issuer.run)
		protocols = append(protocols, issuer.protocol())
	default:
		return nil
	}
	o.Metrics.MustRegister(expiry)
	e.tls = &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: protocols, GetCertificate: source.GetCertificate}
	return nil
}

// Addr is where it listens.
func (e *Listener) Addr() string { return e.listener.Addr().String() }

// TLS reports whether callers speak TLS to it.
func (e *Listener) TLS() bool { return e.tls != nil }

// Loopback reports whether only this machine can reach it.
func (e *Listener) Loopback() bool {
	addr, ok := e.listener.Addr().(*net.TCPAddr)
	return ok && addr.IP.IsLoopback()
}

// Close stops listening, where Serve never came to.
func (e *Listener) Close() error { return e.listener.Close() }

// Run keeps the certificates fresh until ctx ends.
func (e *Listener) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, loop := range e.loops {
		group.Go(func() error { return loop(ctx) })
	}
	return group.Wait()
}

// Serve answers until ctx ends, then finishes what it has accepted.
func (e *Listener) Serve(ctx context.Context, h http.Handler) error {
	server := newServer(h, e.patience, e.log)
	if e.tls != nil {
		server.TLSConfig = e.tls
		server.Handler = strict(h)
		return serve(ctx, server, func() error { return server.ServeTLS(e.listener, "", "") })
	}
	return serve(ctx, server, func() error { return server.Serve(e.listener) })
}

// ServePlain answers on one more address, without TLS and for few callers, until
// ctx ends.
func ServePlain(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	server := newServer(h, usualDeadlines(), log)
	return serve(ctx, server, func() error { return server.Serve(newBounded(l, fewConnections, false, nil)) })
}

func newServer(h http.Handler, d deadlines, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: d.header, ReadTimeout: d.read,
		WriteTimeout: d.write, IdleTimeout: d.idle,
		MaxHeaderBytes: maxHeaderBytes,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxStreams, MaxReceiveBufferPerStream: streamBuffer,
			MaxReceiveBufferPerConnection: connectionBuffer,
			SendPingTimeout:               pingAfter, PingTimeout: pingTimeout, WriteByteTimeout: writeTimeout,
		},
	}
}

func strict(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Strict-Transport-Security", strictTransport)
		h.ServeHTTP(w, r)
	})
}

// serve runs a server until ctx ends, then has it finish what it has accepted.
func serve(ctx context.Context, server *http.Server, run func() error) error {
	failed := make(chan error, 1)
	go func() { failed <- run() }()
	select {
	case err := <-failed:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	err := server.Shutdown(drain)
	if err != nil {
		err = errors.Join(fmt.Errorf("finishing the accepted requests: %w", err), server.Close())
	}
	if serveErr := <-failed; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	return err
}
