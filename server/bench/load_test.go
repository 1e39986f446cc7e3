package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"activity-tracker.example/server/internal/localpg"
)

const (
	clients = 16
	// machinesPerHost are the users of one host; a client is a host.
	machinesPerHost = 20
	// window is how long each figure is measured; with the start of two
	// servers all of them take about a minute.
	window = 4 * time.Second
	// warmUp fills caches and makes partitions before a figure.
	warmUp = 500 * time.Millisecond
	// titles are the different windows of one host.
	titles = 200
	// daysBack is where the events begin, so that the last ones are not of
	// tomorrow: a minute of real time is a day here.
	daysBack = 6
)

// figure is what one load measured.
type figure struct {
	perSecond float64
	p50, p99  time.Duration
	// server, postgres and client are processor time for one event.
	server, postgres, client time.Duration
}

func (f figure) cost() time.Duration { return f.server + f.postgres }

// load is the clients, each of which goes on where it stopped.
type load struct {
	address string
	// pid is the server's process.
	pid     int
	pg      *localpg.Server
	clients []*client
}

// client is a connection of HTTP with as little of its own to do as there can be:
// it shares the processors with what is measured.
type client struct {
	conn       net.Conn
	answers    *bufio.Reader
	credential string
	host       int
	// minute and machine are what is reported next; minutes count from some days
	// back.
	minute, machine, daysBack int
	request, body             []byte
}

func newLoad(b *testing.B, p process, pg *localpg.Server, credentials []string) *load {
	b.Helper()
	l := &load{address: p.address, pid: p.pid, pg: pg}
	for i, c := range credentials {
		conn, err := (&net.Dialer{}).DialContext(b.Context(), "tcp", p.address)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = conn.Close() })
		l.clients = append(l.clients, &client{conn: conn, answers: bufio.NewReader(conn), credential: c, host: i, daysBack: daysBack})
	}
	return l
}

// begin has the clients go on with other machines, from that many days back.
func (l *load) begin(daysBack, turn int) {
	for i, c := range l.clients {
		c.host, c.minute, c.machine, c.daysBack = i+(turn+1)*len(l.clients), 0, 0, daysBack
	}
}

// run sends requests of that many events from all clients at once.
func (l *load) run(b *testing.B, size int) figure {
	b.Helper()
	l.during(b, size, warmUp)
	_, selfBefore := processTime(os.Getpid())
	before := cpuOf(b, l.pid, l.pg)
	took := l.during(b, size, window)
	used := cpuOf(b, l.pid, l.pg).since(before)
	_, self := processTime(os.Getpid())
	slices.Sort(took)
	n := len(took)
	if n == 0 {
		b.Fatal("nothing was answered")
	}
	events := time.Duration(n * size)
	return figure{
		perSecond: float64(n*size) / window.Seconds(),
		p50:       took[n/2].Round(100 * time.Microsecond), p99: took[n*99/100].Round(100 * time.Microsecond),
		server: used.server / events, postgres: used.postgres / events, client: (self - selfBefore) / events,
	}
}

// during sends for that long, and waits for the last answers.
func (l *load) during(b *testing.B, size int, span time.Duration) []time.Duration {
	b.Helper()
	end := time.Now().Add(span)
	var mu sync.Mutex
	var all []time.Duration
	var wait sync.WaitGroup
	for _, c := range l.clients {
		wait.Go(func() {
			var took []time.Duration
			for time.Now().Before(end) {
				c.next(size)
				start := time.Now()
				if err := c.post(); err != nil {
					b.Error(err)
					return
				}
				if done := time.Now(); done.Before(end) {
					took = append(took, done.Sub(start))
				}
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
		})
	}
	wait.Wait()
	return all
}

// post sends the body in one write and reads the answer.
func (c *client) post() error {
	c.request = fmt.Appendf(c.request[:0], "POST /api/events HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n",
		c.credential, len(c.body))
	c.request = append(c.request, c.body...)
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	res, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", res.StatusCode, answer)
	}
	if err == nil && !bytes.Contains(answer, []byte(`"rejected":[]`)) {
		err = fmt.Errorf("some were rejected: %.200s", answer)
	}
	return err
}

// next makes a body: five minutes of each machine in turn.
func (c *client) next(size int) {
	const run = 5
	begin := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -c.daysBack)
	c.body = append(c.body[:0], `{"events":[`...)
	for i := range size {
		if i > 0 {
			c.body = append(c.body, ',')
		}
		c.body = appendEvent(c.body, c.machineID(), c.host, c.machine, c.minute+i%run, begin)
		if i%run == run-1 {
			if c.machine++; c.machine == machinesPerHost {
				c.machine, c.minute = 0, c.minute+run
			}
		}
	}
	c.body = append(c.body, `]}`...)
}

// machineID is the one that is reported next.
func (c *client) machineID() string {
	return "vm-" + strconv.Itoa(100000+c.host*7919) + "-user" + strconv.Itoa(c.machine)
}

// appendEvent is a usual minute, as trackerd reports it; every third is idle.
func appendEvent(b []byte, id string, host, machine, minute int, begin time.Time) []byte {
	// Texts and numbers by turns, since fmt would cost more than the server.
	put := func(parts ...any) {
		for _, part := range parts {
			switch v := part.(type) {
			case string:
				b = append(b, v...)
			case int:
				b = strconv.AppendInt(b, int64(v), 10)
			}
		}
	}
	put(`{"machine_id":"`, id, `","timestamp":"`)
	b = begin.Add(time.Duration(minute)*time.Minute).AppendFormat(b, time.RFC3339)
	app, title := (host+minute/7)%12, (machine*31+minute/3)%titles
	if minute%3 == 0 {
		put(`","key_count":0,"mouse_clicks":0,"mouse_distance_px":0,"scroll_count":0,"active_window":"Document `, title, ` of host `, host, ` - Writer",`+
			`"active_app":"app-`, app, `","is_idle":true,"cpu_percent":`, minute%90, `.5,"ram_used_percent":41.25,"disk_used_percent":63.1,"interval_sec":60,`+
			`"active_seconds":0,"connected":true,"session_kind":"rdp","username":"user`, machine, `"}`)
		return b
	}
	first := minute * 37 % 30
	put(`","key_count":`, minute*17%240, `,"mouse_clicks":`, minute*5%40, `,"mouse_distance_px":`, minute*131%9000, `,"scroll_count":`, minute%25,
		`,"active_window":"Document `, title, ` of host `, host, ` - Writer","active_app":"app-`, app, `","is_idle":false,"cpu_percent":`, minute%90,
		`.5,"ram_used_percent":41.25,"disk_used_percent":63.1,"interval_sec":60,"active_seconds":`, 20+first, `.`, 100+minute*37%900,
		`,"connected":true,"session_kind":"rdp","focus":[{"app":"app-`, app, `","title":"Document `, title, ` of host `, host, ` - Writer","seconds":`,
		30+first%20, `.`, 100+minute*41%900, `,"active_seconds":`, 12+first%20, `.`, 100+minute*29%900,
		`},{"app":"app-`, (app+5)%12, `","title":"Inbox `, title%20, `","seconds":9.`, 100+minute*7%900, `,"active_seconds":9.`, 100+minute*7%900,
		`}],"username":"user`, machine, `"}`)
	return b
}
