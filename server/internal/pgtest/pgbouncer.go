package pgtest

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Pooler is a pgbouncer in front of a cluster.
type Pooler struct {
	place
}

// poolerLog is the name of pgbouncer's log.
const poolerLog = "pgbouncer.log"

// Pgbouncer starts a pgbouncer as its package configures it, but for where it
// listens and what is given: in transaction mode, with that many connections to
// PostgreSQL. Each of settings is "name = value".
func Pgbouncer(tb testing.TB, c *Cluster, size string, settings ...string) *Pooler {
	tb.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program = "/usr/sbin/pgbouncer"
	}
	p := &Pooler{newPlace(tb)}
	// With auth_type any it asks for no password; the user is the database's.
	config := "[databases]\n* = host=" + c.dir + " user=" + superuser + "\n[pgbouncer]\n" + strings.Join(append([]string{
		"listen_addr =", "unix_socket_dir = " + p.dir, "auth_type = any", "pool_mode = transaction",
		"default_pool_size = " + size, "logfile =", "pidfile =",
	}, settings...), "\n") + "\n"
	path := filepath.Join(p.dir, "pgbouncer.ini")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		tb.Fatal(err)
	}
	p.chown(path)
	running := p.launch(poolerLog, program, path)
	tb.Cleanup(func() { p.end(running, syscall.SIGTERM) })
	// Its socket is there before it listens.
	p.await("pgbouncer to listen", poolerLog, func() bool {
		conn, err := (&net.Dialer{}).DialContext(tb.Context(), "unix", filepath.Join(p.dir, ".s.PGSQL.6432"))
		return err == nil && conn.Close() == nil
	})
	return p
}

// URL is how to connect to a database through it.
func (p *Pooler) URL(database string) string { return socketURL(p.dir, database) + "&port=6432" }

// Log is the end of its log.
func (p *Pooler) Log() string { return p.log(poolerLog) }
