package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/testhost"
	"activity-tracker.example/testhost/debian"
	"activity-tracker.example/testhost/internal/e2etest"
)

// serverExposure is the most exposure of the server's unit, of 10.
const serverExposure = 1.5

// The server's unit and its configuration.
const (
	serverUnit    = "trackerd-server"
	serverEnvFile = "/etc/trackerd-server/server.env"
)

// postgres is the version of PostgreSQL that the host's Debian has.
func (h *host) postgres() string {
	return map[debian.Suite]string{debian.Bookworm: "15", debian.Trixie: "17"}[h.Suite()]
}

// startPostgres makes the host's cluster anew, as on a machine without a locale:
// such a cluster's own encoding is none.
func (h *host) startPostgres(t *testing.T) {
	t.Helper()
	h.run(t, "pg_dropcluster", h.postgres(), "main")
	h.run(t, "pg_createcluster", "--locale=C", "--start", h.postgres(), "main")
}

// clusterUnit is the cluster that Debian's PostgreSQL makes of itself.
func (h *host) clusterUnit() string { return "postgresql@" + h.postgres() + "-main" }

// TestServerPackage follows the server's package from apt install to purge, on a
// machine with PostgreSQL that is measured as well.
func TestServerPackage(t *testing.T) { onSuites(t, serverPackageLife) }

func serverPackageLife(t *testing.T, suite debian.Suite) {
	h := bareHost(t, suite, nil)
	defer h.showLogOnFailure(t)
	h.startPostgres(t)
	h.install(t, reversioned(t, serverDebPath, "0~earlier-1"))
	h.srv = &server{Server: &e2etest.Server{Client: e2etest.Client{Addr: insideAddr, HTTP: httpOn(t, h.Host)}}, host: h}
	h.srv.WaitReady(t, http.StatusOK)

	t.Run("installed", func(t *testing.T) { wantServerInstalled(t, h) })
	t.Run("whose database", func(t *testing.T) { wantServersDatabase(t, h) })
	t.Run("hardening", func(t *testing.T) { wantExposure(t, h, serverUnit+".service", serverExposure) })
	h.install(t, debPath)
	h.configure(t, config)
	h.enroll(t)
	p := h.login(t, "alice")
	p.mustWork(t, 40, 3, 3, 2)
	t.Run("upgrade", func(t *testing.T) { upgradeServer(t, h, p) })
	t.Run("backup", func(t *testing.T) { backUpAsRoot(t, h) })
	t.Run("certificate", func(t *testing.T) { speakTLS(t, h) })
	t.Run("port below 1024", func(t *testing.T) { listenOn443(t, h) })
	if _, err := h.Run(t.Context(), "systemctl", "stop", "trackerd"); err != nil {
		t.Error(err)
	}
	t.Run("remove and purge", func(t *testing.T) { removeAndPurgeServer(t, h) })
	t.Run("before PostgreSQL", func(t *testing.T) { installBeforePostgres(t, h) })
	t.Run("private PostgreSQL", func(t *testing.T) { takeDatabaseAway(t, h) })
}

// httpOn asks as a program on the host would.
func httpOn(t *testing.T, h *testhost.Host) *http.Client {
	t.Helper()
	transport := &http.Transport{DialContext: h.DialContext}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func wantServerInstalled(t *testing.T, h *host) {
	for _, want := range []struct {
		says string
		args []string
	}{
		{"enabled", []string{"systemctl", "is-enabled", serverUnit}},
		{"active", []string{"systemctl", "is-active", serverUnit}},
		{"answering on [::]:8100", []string{"systemctl", "show", "--property=StatusText", "--value", serverUnit}},
		{"root:trackerd-server 640", []string{"stat", "--format=%U:%G %a", serverEnvFile}},
		{"trackerd-server:trackerd-server 700", []string{"stat", "--format=%U:%G %a", "/var/lib/trackerd-server"}},
		{"root:root 755", []string{"stat", "--format=%U:%G %a", "/var/lib/trackerd-packages"}},
		// Whatever the cluster's own encoding is.
		{"UTF8", []string{"runuser", "-u", "trackerd-server", "--", "psql", "-h", "/run/postgresql", "-Atqc", "SHOW server_encoding"}},
	} {
		if got := h.run(t, want.args...); got != want.says {
			t.Errorf("%s: %q, want %q", strings.Join(want.args, " "), got, want.says)
		}
	}
}

// wantServersDatabase has people type commands without any option.
func wantServersDatabase(t *testing.T, h *host) {
	h.srv.Viewer = h.srv.command(t, "token", "create", "--name", "made by root", "--role", "viewer")
	list := h.run(t, "runuser", "-u", "trackerd-server", "--", "trackerd-server", "token", "list")
	if !strings.Contains(list, "made by root") {
		t.Errorf("the service's user sees other tokens than root made: %q", list)
	}
	if err := h.srv.Get(t.Context(), "/api/machines", new(struct{})); err != nil {
		t.Errorf("the service does not know the token: %v", err)
	}
	res, err := h.Exec(t.Context(), testhost.Command{Args: []string{"trackerd-server", "token", "list"}, User: "nobody"})
	if err != nil || res.Code == 0 || !strings.Contains(res.Stderr, "run this as root or trackerd-server") {
		t.Errorf("for nobody: %v, exit code %d: %s%s", err, res.Code, res.Stdout, res.Stderr)
	}
	h.run(t, "test", "!", "-e", "/var/lib/trackerd-server/postgres")
	h.run(t, "test", "!", "-e", "/root/.local/state/trackerd-server")
}

// upgradeServer installs the package that the test is about over an earlier one,
// while somebody types and a host is in the middle of an upload.
func upgradeServer(t *testing.T, h *host, p *person) {
	wantTold(t, p)
	h.run(t, "sed", "-i", "s/^#TRACKERD_SERVER_KEEP_EVENTS_DAYS=.*/TRACKERD_SERVER_KEEP_EVENTS_DAYS=300/", serverEnvFile)
	conf := h.run(t, "cat", serverEnvFile)
	before := h.mainPID(t, serverUnit)
	answered := halfAnUpload(t, h)
	stop := keepTyping(t, p)
	h.install(t, serverDebPath)
	stop()
	if err := answered(); err != nil {
		t.Errorf("an upload that was under way: %v", err)
	}
	h.srv.WaitReady(t, http.StatusOK)
	wantTold(t, p)
	if after := h.mainPID(t, serverUnit); after == before || after == "0" {
		t.Errorf("the server was process %s and is %s after the upgrade", before, after)
	}
	if now := h.run(t, "cat", serverEnvFile); now != conf || !strings.Contains(now, "\nTRACKERD_SERVER_KEEP_EVENTS_DAYS=300") {
		t.Errorf("the upgrade changed the configuration to %q", now)
	}
	log := h.run(t, "journalctl", "--no-pager", "-u", serverUnit)
	if !strings.Contains(log, "Deactivated successfully") || strings.Contains(log, "Failed with result") {
		t.Errorf("the service did not end as it should:\n%s", log)
	}
}

func (h *host) mainPID(t *testing.T, unit string) string {
	t.Helper()
	return h.run(t, "systemctl", "show", "--property=MainPID", "--value", unit)
}

// halfAnUpload begins one, and ends it when the server has been asked to stop. The
// returned function returns how it was answered.
func halfAnUpload(t *testing.T, h *host) func() error {
	t.Helper()
	body, half := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+insideAddr+"/api/events", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+h.credential(t))
	answered := make(chan error, 1)
	go func() {
		resp, err := h.srv.HTTP.Do(req)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				err = fmt.Errorf("status %d", resp.StatusCode)
			}
		}
		answered <- err
	}()
	if _, err := io.WriteString(half, `{"events":[`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	told := make(chan error, 1)
	go func() {
		told <- h.waitStopping(ctx)
		_, err := io.WriteString(half, `]}`)
		half.CloseWithError(err)
	}()
	return func() error {
		cancel()
		return errors.Join(<-told, <-answered)
	}
}

// waitStopping waits until the server has been asked to end.
func (h *host) waitStopping(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		state, err := h.Run(ctx, "systemctl", "show", "--property=SubState", "--value", serverUnit)
		if err != nil {
			return fmt.Errorf("wait for the service to be stopped: %w", err)
		}
		if state == "stop-sigterm" {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.New("the service was not seen stopping")
		case <-tick.C:
		}
	}
}

// backUpAsRoot has root back up into root's own folder, where the service's user
// may not write.
func backUpAsRoot(t *testing.T, h *host) {
	res, err := h.Exec(t.Context(), testhost.Command{Args: []string{"trackerd-server", "backup", "/root/tracker.dump"}})
	if err != nil || res.Code == 0 || !strings.Contains(res.Stderr, "trackerd-server backup - >FILE") {
		t.Errorf("backup to a file of root's: %v, exit code %d: %s%s", err, res.Code, res.Stdout, res.Stderr)
	}
	h.run(t, "sh", "-c", "trackerd-server backup - >/root/tracker.dump")
	// One of PostgreSQL's own archives.
	h.run(t, "pg_restore", "--list", "/root/tracker.dump")
	// And back, as README.md has it.
	h.run(t, "systemctl", "stop", serverUnit)
	h.run(t, "sh", "-c", "trackerd-server restore --overwrite - </root/tracker.dump && systemctl start "+serverUnit)
	h.srv.WaitReady(t, http.StatusOK)
	if err := h.srv.Get(t.Context(), "/api/machines", new(struct{})); err != nil {
		t.Errorf("the restored database does not know the token: %v", err)
	}
}

// speakTLS follows the man page about certificates, with the settings that
// stand in server.env as examples.
func speakTLS(t *testing.T, h *host) {
	page, err := os.ReadFile("../../../packaging/trackerd-server/man/trackerd-server.env.5")
	if err != nil {
		t.Fatal(err)
	}
	_, commands, ok := strings.Cut(string(page), ".SH TLS\n")
	_, commands, begin := strings.Cut(commands, ".nf\n")
	commands, _, end := strings.Cut(commands, ".fi\n")
	if !ok || !begin || !end {
		t.Fatal("the man page does not say how")
	}
	const place = "cd /root && cp /etc/ssl/certs/ssl-cert-snakeoil.pem chain.pem && cp /etc/ssl/private/ssl-cert-snakeoil.key key.pem && "
	h.run(t, "sh", "-ec", place+"umask 077\n"+strings.ReplaceAll(commands, `\-`, "-"))
	conf := h.run(t, "cat", serverEnvFile)
	h.run(t, "sed", "-i", "s/^#TRACKERD_SERVER_TLS_/TRACKERD_SERVER_TLS_/", serverEnvFile)
	h.run(t, "systemctl", "restart", serverUnit)
	if said := h.run(t, "sh", "-c", "trackerd-server doctor | grep certificate"); !strings.HasPrefix(said, "ok ") {
		t.Errorf("the doctor says %q", said)
	}
	eventually(t, 30*time.Second, "it speaks TLS", func() error {
		_, err := h.Run(t.Context(), "trackerd-server", "healthcheck", "--ready")
		return err
	})
	h.configureServer(t, conf)
	h.srv.WaitReady(t, http.StatusOK)
	// Purging leaves what it has not brought.
	h.run(t, "rm", "-r", "/etc/trackerd-server/tls")
}

// configureServer writes this configuration for the service.
func (h *host) configureServer(t *testing.T, conf string) {
	t.Helper()
	if err := h.WriteFile(t.Context(), serverEnvFile, strings.NewReader(conf+"\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	h.run(t, "chgrp", "trackerd-server", serverEnvFile)
	h.run(t, "systemctl", "daemon-reload")
	h.run(t, "systemctl", "restart", serverUnit)
}

// listenOn443 follows the man page about low ports.
func listenOn443(t *testing.T, h *host) {
	page, err := os.ReadFile("../../../packaging/trackerd-server/man/trackerd-server.env.5")
	if err != nil {
		t.Fatal(err)
	}
	_, dropIn, ok := strings.Cut(string(page), ".nf\n[Service]\n")
	dropIn, _, end := strings.Cut(dropIn, ".fi\n")
	if !ok || !end {
		t.Fatal("the man page has no drop-in")
	}
	const folder = "/etc/systemd/system/trackerd-server.service.d"
	err = h.WriteFile(t.Context(), folder+"/test.conf", strings.NewReader("[Service]\n"+dropIn), 0o644)
	if err != nil {
		t.Fatal(err)
	}
	conf := h.run(t, "cat", serverEnvFile)
	h.run(t, "sed", "-i", "s/^#TRACKERD_SERVER_LISTEN=.*/TRACKERD_SERVER_LISTEN=127.0.0.1:443/", serverEnvFile)
	h.run(t, "systemctl", "daemon-reload")
	h.run(t, "systemctl", "restart", serverUnit)
	low := e2etest.Client{Addr: "127.0.0.1:443", HTTP: h.srv.HTTP}
	low.WaitReady(t, http.StatusOK)
	h.run(t, "rm", "-r", folder)
	h.configureServer(t, conf)
	h.srv.WaitReady(t, http.StatusOK)
}

// storedEvents asks PostgreSQL itself.
func (h *host) storedEvents(t *testing.T) string {
	t.Helper()
	return h.run(t, "runuser", "-u", "postgres", "--", "psql", "--dbname=trackerd-server", "-Atqc", "SELECT count(*) FROM event")
}

func removeAndPurgeServer(t *testing.T, h *host) {
	events := h.storedEvents(t)
	if events == "0" {
		t.Error("there is no event that could be lost")
	}
	h.apt(t, "remove", "trackerd-server")
	h.run(t, "test", "-s", serverEnvFile)
	h.run(t, "test", "-d", "/var/lib/trackerd-server")
	h.run(t, "test", "!", "-e", "/usr/bin/trackerd-server")
	if _, _, err := h.srv.Request(t.Context(), "GET", "/healthz", "", nil); err == nil {
		t.Error("something answers although the server is removed")
	}
	said := h.apt(t, "purge", "trackerd-server")
	h.wantNothingLeft(t, "*trackerd-server*")
	if got := h.storedEvents(t); got != events {
		t.Errorf("%s events before, %s after purging", events, got)
	}
	// It prints how to drop the database; do that.
	drops := 0
	for line := range strings.Lines(said) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "runuser ") {
			h.run(t, strings.Fields(line)...)
			drops++
		}
	}
	if drops != 2 {
		t.Errorf("purging says how to drop %d of database and role: %s", drops, said)
	}
}

// installBeforePostgres installs the package while PostgreSQL is away, and then
// has PostgreSQL come.
func installBeforePostgres(t *testing.T, h *host) {
	h.run(t, "systemctl", "stop", h.clusterUnit())
	h.install(t, serverDebPath)
	h.srv.WaitReady(t, http.StatusServiceUnavailable)
	eventually(t, 30*time.Second, "the status line says that PostgreSQL is to be started", func() error {
		if got := h.serverStatus(t); !strings.HasPrefix(got, "waiting for the database (systemctl start postgresql") {
			return fmt.Errorf("it is %q", got)
		}
		return nil
	})
	h.run(t, "systemctl", "start", h.clusterUnit())
	eventually(t, 30*time.Second, "the status line says what to do", func() error {
		if got := h.serverStatus(t); !strings.Contains(got, "/usr/libexec/trackerd-server/make-database") {
			return fmt.Errorf("it is %q", got)
		}
		return nil
	})
	// What happens at the end of an apt run that brings PostgreSQL.
	h.run(t, "dpkg-trigger", "--by-package=postgresql-"+h.postgres(), "/usr/lib/postgresql")
	h.run(t, "dpkg", "--configure", "--pending")
	h.srv.WaitReady(t, http.StatusOK)
	h.run(t, "/usr/libexec/trackerd-server/make-database")
	h.srv.WaitReady(t, http.StatusOK)
	// Later, too, the status line follows PostgreSQL.
	for _, step := range []struct{ do, status string }{{"stop", "answering 503 on"}, {"start", "answering on"}} {
		h.run(t, "systemctl", step.do, h.clusterUnit())
		eventually(t, 40*time.Second, "the status line follows PostgreSQL", func() error {
			if got := h.serverStatus(t); !strings.HasPrefix(got, step.status) {
				return fmt.Errorf("after its %s it is %q", step.do, got)
			}
			return nil
		})
	}
}

// takeDatabaseAway leaves the service to a PostgreSQL of its own, within its
// sandbox, which commands from outside have to find.
func takeDatabaseAway(t *testing.T, h *host) {
	h.run(t, "sed", "-i", "s/^DATABASE_URL/#&/", serverEnvFile)
	h.run(t, "systemctl", "restart", serverUnit)
	h.run(t, "systemctl", "stop", h.clusterUnit())
	h.srv.WaitReady(t, http.StatusOK)
	h.run(t, "test", "-d", "/var/lib/trackerd-server/postgres/data")
	h.srv.Viewer = h.srv.command(t, "token", "create", "--name", "private", "--role", "viewer")
	if err := h.srv.Get(t.Context(), "/api/machines", new(struct{})); err != nil {
		t.Errorf("the service does not know the token: %v", err)
	}
}

func (h *host) serverStatus(t *testing.T) string {
	t.Helper()
	return h.run(t, "systemctl", "show", "--property=StatusText", "--value", serverUnit)
}
