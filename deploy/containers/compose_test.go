package containers

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// deployment is what docker-compose.yml makes.
type deployment struct {
	*engine
	token string
}

// request asks the API from where the engine runs, over the published port, and
// returns the reply's body.
func (d *deployment) request(ctx context.Context, token, method, path, body string) ([]byte, error) {
	args := []string{
		"curl", "--silent", "--show-error", "--fail-with-body", "--max-time", "30", "--request", method,
		"http://127.0.0.1:8100" + path,
	}
	if token != "" {
		args = append(args, "--header", "Authorization: Bearer "+token)
	}
	if body != "" {
		args = append(args, "--data", body)
	}
	return d.within(ctx, args...)
}

func (d *deployment) mustRequest(t *testing.T, token, method, path, body string, reply any) {
	t.Helper()
	out, err := d.request(t.Context(), token, method, path, body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, reply); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, out)
	}
}

// awaitHealthy waits until both services pass their own health checks, which
// podman leaves to timers of systemd, and the API answers on its port.
func (d *deployment) awaitHealthy(t *testing.T) {
	t.Helper()
	for _, service := range []string{"db", "api"} {
		d.await(t, service+" to be healthy", func(ctx context.Context) error {
			id, err := d.command(ctx, "docker-compose", "ps", "-q", service).Output()
			if err != nil {
				return err
			}
			out, err := d.command(ctx, "podman", "--remote", "healthcheck", "run", strings.TrimSpace(string(id))).CombinedOutput()
			if err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			return nil
		})
	}
	d.await(t, "port 8100", func(ctx context.Context) error {
		_, err := d.request(ctx, "", "GET", "/readyz", "")
		return err
	})
}

// tokens returns the first tokens in the log, where docker-compose.yml promises them.
func (d *deployment) tokens(t *testing.T) []string {
	t.Helper()
	return regexp.MustCompile(`token=tok_\S+`).FindAllString(d.compose(t, "logs", "--no-color", "api"), -1)
}

// sent are the key counts of the events that are sent, a minute each.
var sent = []int{41, 42, 43}

// machine is who sends them.
const machine = "box-abc123-user1"

// send enrols a host as README.md describes, and has it report.
func (d *deployment) send(t *testing.T) {
	t.Helper()
	enrollment := strings.TrimSpace(d.compose(t, "exec", "-T", "api", "/usr/bin/trackerd-server", "enrollment", "create", "--uses", "1", "--expires", "1h"))
	var host struct{ Credential string }
	d.mustRequest(t, "", "POST", "/api/enroll", fmt.Sprintf(`{"enrollment_token": %q, "host_id": "box-1", "hostname": "box"}`, enrollment), &host)
	var events []string
	for i, keys := range sent {
		at := begin().Add(time.Duration(i) * time.Minute).Format(time.RFC3339)
		events = append(events, fmt.Sprintf(`{"machine_id": %q, "timestamp": %q, "key_count": %d}`, machine, at, keys))
	}
	var reply struct{ Accepted int }
	d.mustRequest(t, host.Credential, "POST", "/api/events", `{"events": [`+strings.Join(events, ",")+`]}`, &reply)
	if reply.Accepted != len(sent) {
		t.Fatalf("it accepted %d of %d events", reply.Accepted, len(sent))
	}
}

// begin is when the first event was: yesterday at noon.
func begin() time.Time { return time.Now().UTC().Truncate(24 * time.Hour).Add(-12 * time.Hour) }

// find checks that all events are there, and no other.
func (d *deployment) find(t *testing.T) {
	t.Helper()
	var reply struct {
		Events []struct {
			KeyCount int `json:"key_count"`
		}
	}
	day := begin().Truncate(24 * time.Hour)
	d.mustRequest(t, d.token, "GET", fmt.Sprintf("/api/activity/%s/events?start=%s&end=%s", machine,
		day.Format(time.RFC3339), day.AddDate(0, 0, 1).Format(time.RFC3339)), "", &reply)
	var got []int
	for _, e := range reply.Events {
		got = append(got, e.KeyCount)
	}
	if !slices.Equal(got, sent) {
		t.Fatalf("found events of %v keys, and %v were sent", got, sent)
	}
}

// The compose file as it stands, on an engine: from nothing to a first token,
// through a crash and a restart, and from a backup into an installation anew.
// Each step begins with what the one before it has left.
func TestSlowComposeOnEngine(t *testing.T) {
	d := &deployment{engine: startEngine(t)}
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := d.command(context.WithoutCancel(t.Context()), "docker-compose", "logs", "--no-color", "--tail", "40").CombinedOutput()
			t.Logf("the services logged:\n%s", out)
		}
	})
	for _, step := range []struct {
		name string
		do   func(*testing.T)
	}{
		{"base images", d.makeBaseImages},
		{"build", d.build},
		{"first start", d.firstStart},
		{"confined", d.checkConfined},
		{"crash", d.crash},
		{"restart", d.restart},
		{"restore", d.restore},
		{"CapRover", d.buildForCapRover},
	} {
		if !t.Run(step.name, step.do) {
			return
		}
	}
}

func (d *deployment) build(t *testing.T) {
	d.compose(t, "--profile", "tools", "build")
	if out := d.podman(t, "run", "--rm", "trackerd-server", "--version"); !strings.Contains(out, "1.2.3") {
		t.Errorf("the image is of version %s", out)
	}
}

// firstStart starts everything as README.md describes, takes the first token from
// the log, and sends events.
func (d *deployment) firstStart(t *testing.T) {
	d.compose(t, "up", "-d")
	d.awaitHealthy(t)
	tokens := d.tokens(t)
	if len(tokens) != 1 {
		t.Fatalf("the log has %d first tokens", len(tokens))
	}
	d.token = strings.TrimPrefix(tokens[0], "token=")
	d.send(t)
	d.find(t)
}

// checkConfined checks how the services run.
func (d *deployment) checkConfined(t *testing.T) {
	for service, user := range map[string]string{"api": "65532", "db": "999"} {
		status := d.status(t, d.container(t, service))
		for _, want := range []string{"Uid:\t" + user + "\t", "CapEff:\t0000000000000000", "NoNewPrivs:\t1"} {
			if !strings.Contains(status, want) {
				t.Errorf("%s runs without %q:\n%s", service, want, status)
			}
		}
	}
	if out := d.podman(t, "inspect", "--format", "{{.HostConfig.ReadonlyRootfs}}", d.container(t, "api"), d.container(t, "db")); strings.Contains(out, "false") {
		t.Errorf("read-only: %s", out)
	}
	// The database is on a network without a way out, and publishes nothing.
	routes := d.compose(t, "exec", "-T", "db", "cat", "/proc/net/route")
	if regexp.MustCompile(`(?m)^\S+\t00000000\t`).MatchString(routes) {
		t.Errorf("the database has a way out:\n%s", routes)
	}
	listening, err := d.within(t.Context(), "cat", "/proc/net/tcp", "/proc/net/tcp6")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(listening), fmt.Sprintf(":%04X ", 5432)) {
		t.Errorf("the database's port is open:\n%s", listening)
	}
}

// crash kills the server and the database; the engine starts them again.
func (d *deployment) crash(t *testing.T) {
	for _, service := range []string{"api", "db"} {
		id := d.container(t, service)
		was := strings.TrimSpace(d.podman(t, "inspect", "--format", "{{.State.Pid}}", id))
		// podman kill would be its operator's wish, after which nothing is started.
		if _, err := d.within(t.Context(), "kill", "-KILL", was); err != nil {
			t.Fatal(err)
		}
		d.await(t, service+" to be started again", func(ctx context.Context) error {
			out, err := d.command(ctx, "podman", "--remote", "inspect", "--format", "{{.State.Pid}}", id).Output()
			if pid, _ := strconv.Atoi(strings.TrimSpace(string(out))); err == nil && (pid == 0 || strconv.Itoa(pid) == was) {
				err = fmt.Errorf("its process is %d", pid)
			}
			return err
		})
	}
	d.awaitHealthy(t)
	d.find(t)
}

// restart restarts everything, and then makes all containers anew: what is kept
// lies in volumes, and no second token is made.
func (d *deployment) restart(t *testing.T) {
	d.compose(t, "restart")
	d.awaitHealthy(t)
	d.find(t)
	d.compose(t, "down")
	d.compose(t, "up", "-d")
	d.awaitHealthy(t)
	d.find(t)
	if tokens := d.tokens(t); len(tokens) != 0 {
		t.Errorf("the second start makes another token: %d", len(tokens))
	}
}

// restore makes a backup, loses the whole installation, password included, and
// puts the backup into a new one.
func (d *deployment) restore(t *testing.T) {
	dump := d.compose(t, "run", "--rm", "-T", "tools", "backup", "-")
	if !strings.HasPrefix(dump, "PGDMP") {
		t.Fatalf("a backup of %d bytes is none", len(dump))
	}
	d.compose(t, "down", "--volumes")
	d.compose(t, "up", "-d")
	d.awaitHealthy(t)
	if _, err := d.request(t.Context(), d.token, "GET", "/api/machines", ""); err == nil {
		t.Error("the token of what was lost is good for the new installation")
	}
	d.compose(t, "stop", "api")
	d.output(t, []byte(dump), "docker-compose", "run", "--rm", "-T", "tools", "restore", "--overwrite", "-")
	d.compose(t, "up", "-d")
	d.awaitHealthy(t)
	d.find(t)
}

// buildForCapRover does what CapRover does with captain-definition: it builds
// the Dockerfile named there without a target, with the variables of the app as
// arguments, and runs it with these, here beside docker-compose.yml's database.
func (d *deployment) buildForCapRover(t *testing.T) {
	var definition struct{ DockerfilePath string }
	if err := json.Unmarshal(read(t, serverDir+"/captain-definition"), &definition); err != nil {
		t.Fatal(err)
	}
	d.podman(t, "build", "--format", "docker", "--tag", "img-captain-tracker:1",
		"--build-arg", "VERSION=1.2.3", "--file", definition.DockerfilePath, ".")
	password := strings.TrimSpace(d.compose(t, "exec", "-T", "--user", "postgres", "db", "cat", "/run/password/db"))
	database := url.URL{
		Scheme: "postgres", User: url.UserPassword("tracker", password), Host: "db", Path: "tracker", RawQuery: "sslmode=disable",
	}
	d.podman(t, "run", "--detach", "--name", "captain", "--network", "tracker_inner",
		"--env", "DATABASE_URL="+database.String(), "img-captain-tracker:1")
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := d.command(context.WithoutCancel(t.Context()), "podman", "--remote", "logs", "captain").CombinedOutput()
			t.Logf("it logged:\n%s", out)
		}
	})
	d.await(t, "the server on CapRover", func(ctx context.Context) error {
		return d.command(ctx, "podman", "--remote", "exec", "captain", "/usr/bin/trackerd-server", "healthcheck", "--ready").Run()
	})
}
