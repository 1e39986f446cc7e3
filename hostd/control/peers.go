package control

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// What one user may take of a socket that everybody can reach. Root has no limit,
// so that nobody can lock root out.
const (
	// maxConnsPerUser keeps one user from taking all connections.
	maxConnsPerUser = 4
	// maxConns bounds all connections: each is some kilobytes of memory.
	maxConns = 64
	// requestsPerSecond is how many requests of one user are answered in the long
	// run, and burst how many at once: a person and their prompt ask a few times, a
	// script that watches asks once a second. An answer costs about 0.1 ms.
	requestsPerSecond = 5
	burst             = 20
	// rejectedCost is as how many requests a list of rejected records counts: it may
	// read ten thousand, and starts a program to learn who asks. So do pauses and
	// receipts, which are written to the disk, and links, which the server is asked for.
	rejectedCost = 10
	// allPerSecond and allBurst are the same for all users together: whoever has a range
	// of subordinate user ids (subuid(5)) asks as tens of thousands.
	allPerSecond = 200
	allBurst     = 400
	// hangUpPause is how long after hanging up the next connection is taken: it
	// bounds what somebody costs who connects in a loop, at 1,000 a second, and
	// others wait no longer for it than their connections queue in the kernel.
	hangUpPause = time.Millisecond
	// maxPaced bounds for how many users it is remembered when they last asked.
	maxPaced = 1024
)

// pacer answers each user no faster than their limit allows.
type pacer struct {
	all *rate.Limiter

	mu     sync.Mutex
	limits map[uint32]*rate.Limiter
}

func newPacer() *pacer {
	return &pacer{all: rate.NewLimiter(allPerSecond, allBurst), limits: make(map[uint32]*rate.Limiter)}
}

// pace has requests wait for their turn. Who is over the limit is slowed down and
// not refused: with at most maxConnsPerUser waiting, a turn comes within a few seconds.
func (p *pacer) pace(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if uid := peerOf(r); !privileged(uid) {
			for _, l := range []*rate.Limiter{p.limit(uid), p.all} {
				if l.WaitN(r.Context(), cost(r)) != nil {
					return // whoever asked is gone
				}
			}
		}
		next.ServeHTTP(w, r)
	})
}

// cost is as how many requests one counts.
func cost(r *http.Request) int {
	switch r.URL.Path {
	case rejectedPath, pausePath, resumePath, noticePath, webPath:
		return rejectedCost
	}
	return 1
}

func (p *pacer) limit(uid uint32) *rate.Limiter {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l, known := p.limits[uid]; known {
		return l
	}
	if len(p.limits) >= maxPaced {
		for other, l := range p.limits {
			if l.Tokens() >= burst { // as good as new
				delete(p.limits, other)
			}
		}
	}
	l := rate.NewLimiter(requestsPerSecond, burst)
	p.limits[uid] = l
	return l
}

// peerKey is under which a request's context keeps its asker's uid.
type peerKey struct{}

func withPeer(ctx context.Context, c net.Conn) context.Context {
	if pc, ok := c.(*peerConn); ok {
		return context.WithValue(ctx, peerKey{}, pc.uid)
	}
	return ctx
}

// nobodyUID stands for an asker that is not known; no session has it.
const nobodyUID = ^uint32(0)

func peerOf(r *http.Request) uint32 {
	if uid, ok := r.Context().Value(peerKey{}).(uint32); ok {
		return uid
	}
	return nobodyUID
}

// peerListener accepts connections whose user is known and within limits, and
// hangs up on others at once.
type peerListener struct {
	*net.UnixListener
	log *slog.Logger

	mu      sync.Mutex
	total   int
	perUser map[uint32]int
}

func newPeerListener(l *net.UnixListener, log *slog.Logger) *peerListener {
	return &peerListener{UnixListener: l, log: log, perUser: make(map[uint32]int)}
}

// Accept returns the next connection that is within the limits.
func (l *peerListener) Accept() (net.Conn, error) {
	for {
		c, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		uid, err := peerUID(c)
		if err == nil && l.take(uid) {
			return &peerConn{UnixConn: c, uid: uid, release: sync.OnceFunc(func() { l.giveBack(uid) })}, nil
		}
		l.log.Debug("control connection refused", "uid", uid, "error", err)
		_ = c.Close() // nothing was sent on it
		<-time.After(hangUpPause)
	}
}

func (l *peerListener) take(uid uint32) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !privileged(uid) && (l.perUser[uid] >= maxConnsPerUser || l.total >= maxConns) {
		return false
	}
	l.total++
	l.perUser[uid]++
	return true
}

func (l *peerListener) giveBack(uid uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total--
	if l.perUser[uid]--; l.perUser[uid] == 0 {
		delete(l.perUser, uid)
	}
}

type peerConn struct {
	*net.UnixConn
	uid     uint32
	release func()
}

// Close closes the connection and frees its place.
func (c *peerConn) Close() error {
	c.release()
	return c.UnixConn.Close()
}
