package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"activity-tracker.example/testhost/debian"
	"activity-tracker.example/testhost/internal/e2etest"
)

// awayFor is how long a server is away: several records and uploads.
const awayFor = 4 * interval * time.Second

// TestServerAway takes the server away from a host on which somebody works,
// and brings it back.
func TestServerAway(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	h := trackedHost(t, debian.Bookworm, srv)
	defer h.showLogOnFailure(t)
	p := h.login(t, "alice")
	p.mustWork(t, 50, 2, 2, 2)
	wantTold(t, p)

	srv.Stop(t)
	workThroughRecords(t, p)
	if n := h.waiting(t); n < 3 {
		t.Errorf("%d events wait after %s without a server, want at least 3", n, awayFor)
	}
	srv.Start(t)
	p.mustWork(t, 25, 1, 1, 1)
	wantUnbroken(t, p)
	eventually(t, 20*time.Second, "the buffer is empty", func() error {
		if n := h.waiting(t); n > 1 {
			return fmt.Errorf("%d events wait", n)
		}
		return nil
	})
}

// TestPostgresAway takes the database away from the server.
func TestPostgresAway(t *testing.T) {
	t.Parallel()
	pg := newPostgres(t)
	srv := newServerOn(t, t.TempDir(), "--database-url", pg.url())
	h := trackedHost(t, debian.Bookworm, srv)
	defer h.showLogOnFailure(t)
	p := h.login(t, "alice")
	p.mustWork(t, 50, 2, 2, 2)
	wantTold(t, p)

	pg.stop(t)
	code, r, err := srv.Request(t.Context(), "POST", "/api/events", h.credential(t), `{"events":[]}`)
	if err != nil || code != http.StatusServiceUnavailable {
		t.Errorf("without PostgreSQL an upload is answered %d, %v: %s; want 503", code, err, r.Body)
	}
	if after, err := strconv.Atoi(r.RetryAfter); err != nil || after < 1 || after > 3600 {
		t.Errorf("Retry-After is %q, want seconds", r.RetryAfter)
	}
	workThroughRecords(t, p)
	pg.start(t)
	p.mustWork(t, 25, 1, 1, 1)
	wantUnbroken(t, p)
}

// TestPostgresKilled crashes the database while records come in: what was
// acknowledged must be there, and everything must arrive.
func TestPostgresKilled(t *testing.T) {
	t.Parallel()
	pg := newPostgres(t)
	srv := newServerOn(t, t.TempDir(), "--database-url", pg.url())
	h := trackedHost(t, debian.Bookworm, srv)
	defer h.showLogOnFailure(t)
	p := h.login(t, "alice")
	stop := keepTyping(t, p)
	for range 3 {
		sent := h.lastUpload(t)
		pg.crash(t)
		pg.start(t)
		eventually(t, 60*time.Second, "uploads go on", func() error {
			if last := h.lastUpload(t); !last.After(sent) {
				return fmt.Errorf("the last one was at %s", last)
			}
			return nil
		})
	}
	stop()
	wantUnbroken(t, p)
}

// workThroughRecords has p work all the time that a server is away.
func workThroughRecords(t *testing.T, p *person) {
	t.Helper()
	for began := time.Now(); time.Since(began) < awayFor; {
		p.mustWork(t, 10, 1, 1, 2)
	}
}

// wantUnbroken checks that everything arrived, and every interval once: none
// is missing between the first and the last.
func wantUnbroken(t *testing.T, p *person) {
	t.Helper()
	wantTold(t, p)
	events := p.records(t)
	for i := 1; i < len(events); i++ {
		if gap := events[i].Timestamp.Sub(events[i-1].Timestamp); gap != interval*time.Second {
			t.Errorf("no record between %s and %s", events[i-1].Timestamp, events[i].Timestamp)
		}
	}
}

// status is what trackctl status --json prints.
type status struct {
	Hostname string `json:"hostname"`
	Server   struct {
		Enrolled bool   `json:"enrolled"`
		Problem  string `json:"problem"`
	} `json:"server"`
	Upload struct {
		LastSuccess *time.Time `json:"last_success"`
		LastError   string     `json:"last_error"`
	} `json:"upload"`
	Host *struct {
		HostID        string           `json:"host_id"`
		EventsWaiting int64            `json:"events_waiting"`
		DeadLetters   map[string]int64 `json:"dead_letters"`
		Problems      []string         `json:"problems"`
		Later         []struct {
			Code   string `json:"code"`
			Events int64  `json:"events"`
		} `json:"later"`
	} `json:"host"`
}

func (h *host) status(t *testing.T) status {
	t.Helper()
	var st status
	if err := json.Unmarshal([]byte(h.run(t, "trackctl", "status", "--json")), &st); err != nil || st.Host == nil {
		t.Fatalf("trackctl status --json: %v", err)
	}
	return st
}

func (h *host) waiting(t *testing.T) int64 {
	t.Helper()
	return h.status(t).Host.EventsWaiting
}

func (h *host) lastUpload(t *testing.T) time.Time {
	t.Helper()
	if last := h.status(t).Upload.LastSuccess; last != nil {
		return *last
	}
	return time.Time{}
}

// postgres is a PostgreSQL of its own, which a test can take away.
type postgres struct {
	bin, dir, port string
	uid, gid       uint32
	daemon         *e2etest.Daemon
}

func newPostgres(t *testing.T) *postgres {
	t.Helper()
	bins, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(bins) == 0 {
		t.Fatal("PostgreSQL is missing; run: apt-get install postgresql")
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		t.Fatal(err)
	}
	pg := &postgres{bin: filepath.Dir(bins[len(bins)-1]), uid: number(t, account.Uid), gid: number(t, account.Gid)}
	pg.dir, err = os.MkdirTemp("", "activity-tracker-e2e-pg-") //nolint:usetesting // PostgreSQL's user cannot enter t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(pg.dir) })
	if err := os.Chown(pg.dir, int(pg.uid), int(pg.gid)); err != nil {
		t.Fatal(err)
	}
	_, pg.port, _ = strings.Cut(e2etest.FreeAddress(t), ":")
	out, err := pg.command("initdb", "-D", pg.data(), "-U", "tracker", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N").CombinedOutput()
	if err != nil {
		t.Fatalf("initdb: %v: %s", err, out)
	}
	pg.start(t)
	t.Cleanup(func() { pg.stop(t) })
	return pg
}

func (pg *postgres) data() string { return filepath.Join(pg.dir, "data") }

func (pg *postgres) url() string {
	return "postgres://tracker@127.0.0.1:" + pg.port + "/postgres?sslmode=disable"
}

// command is one of PostgreSQL's programs, as its user.
func (pg *postgres) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(pg.bin, name), args...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: pg.uid, Gid: pg.gid}}
	return cmd
}

func (pg *postgres) start(t *testing.T) {
	t.Helper()
	// Durable, as in earnest: the tests are about what was acknowledged.
	pg.daemon = e2etest.StartDaemon(t, pg.command("postgres", "-D", pg.data(), "-p", pg.port,
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="))
	eventually(t, 30*time.Second, "PostgreSQL answers", func() error {
		return pg.command("pg_isready", "-q", "-h", "127.0.0.1", "-p", pg.port).Run()
	})
}

// stop ends it as pg_ctl stop -m fast does.
func (pg *postgres) stop(t *testing.T) {
	t.Helper()
	if pg.daemon != nil {
		pg.daemon.Stop(t, syscall.SIGINT)
		pg.daemon = nil
	}
}

// crash ends it at once, without a word to the disk: the next start recovers.
func (pg *postgres) crash(t *testing.T) {
	t.Helper()
	pg.daemon.Stop(t, syscall.SIGQUIT)
	pg.daemon = nil
}

func number(t *testing.T, s string) uint32 {
	t.Helper()
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(n)
}
