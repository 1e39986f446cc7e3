package httpserver

import (
	"io"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// UsualConnections is how many connections there may be at once: each costs
	// 10 to 50 kB, so that all of them take a few hundred megabytes.
	UsualConnections = 10_000
	// fewConnections bounds those of an address for scrapers or ACME.
	fewConnections = 100
	// otherFiles is how many descriptors the rest of the server needs: database
	// connections, files, replies by other servers.
	otherFiles = 256
	// refusals bounds how many callers are sent a refusal at once; beyond them a
	// connection is only closed.
	refusals = 64
	// refusalTime bounds sending one.
	refusalTime = time.Second
)

// refusalText is what is sent to those who are too many.
const refusalText = `{"type":"about:blank","title":"Service Unavailable","status":503,"code":"unavailable","detail":"Too many connections; try later."}`

// refusal is a whole reply, for those who have not asked yet.
func refusal() string {
	return "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n" +
		"Retry-After: 30\r\nConnection: close\r\nContent-Length: " + strconv.Itoa(len(refusalText)) + "\r\n\r\n" + refusalText
}

// bounded accepts so many connections at once and asks all others to come back.
type bounded struct {
	net.Listener
	limit   int64
	open    atomic.Int64
	refused atomic.Int64
	// silent is set where callers speak TLS: they would not understand a refusal.
	silent  bool
	telling chan struct{}
}

func newBounded(l net.Listener, limit int, silent bool, metrics prometheus.Registerer) *bounded {
	b := &bounded{Listener: l, limit: int64(limit), silent: silent, telling: make(chan struct{}, refusals)}
	if metrics == nil {
		return b
	}
	metrics.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "trackerd_server_connections", Help: "Connections from callers that are open.",
		}, func() float64 { return float64(b.open.Load()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "trackerd_server_connections_max", Help: "Connections from callers that there may be.",
		}, func() float64 { return float64(b.limit) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "trackerd_server_connections_refused_total", Help: "Connections refused since there were too many.",
		}, func() float64 { return float64(b.refused.Load()) }))
	return b
}

// Accept waits for a connection that there is room for.
func (b *bounded) Accept() (net.Conn, error) {
	for {
		c, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if b.open.Add(1) <= b.limit {
			return &counted{Conn: c, closed: sync.OnceFunc(func() { b.open.Add(-1) })}, nil
		}
		b.open.Add(-1)
		b.refused.Add(1)
		b.refuse(c)
	}
}

// refuse reports why and closes, without holding up those who come next.
func (b *bounded) refuse(c net.Conn) {
	select {
	case b.telling <- struct{}{}:
	default:
		_ = c.Close()
		return
	}
	if b.silent {
		_ = c.Close()
		<-b.telling
		return
	}
	go func() {
		defer func() { <-b.telling }()
		defer func() { _ = c.Close() }()
		// A failure can be reported to nobody. What the caller sends is read, or the
		// kernel would throw the refusal away with it.
		_ = c.SetDeadline(time.Now().Add(refusalTime))
		_, _ = io.WriteString(c, refusal())
		if half, ok := c.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(c, maxHeaderBytes))
	}()
}

// counted returns its place back when it is closed.
type counted struct {
	net.Conn
	closed func()
}

// Close ends the connection.
func (c *counted) Close() error {
	c.closed()
	return c.Conn.Close()
}

// openFiles is how many connections the system allows, at most those wanted. Go
// has raised the soft limit to the hard one.
func openFiles(wanted int, log *slog.Logger) int {
	if wanted == 0 {
		wanted = UsualConnections
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur >= uint64(wanted+otherFiles) {
		return wanted
	}
	allowed := max(int(limit.Cur)-otherFiles, int(limit.Cur)/2)
	log.Warn("fewer connections than wanted: raise the limit of open files (LimitNOFILE=)",
		"connections", allowed, "wanted", wanted, "open_files", limit.Cur)
	return allowed
}
