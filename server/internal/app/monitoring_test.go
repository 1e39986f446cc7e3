package app_test

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
)

// monitoring is where dashboards and alerts lie.
const monitoring = "../../../deploy/monitoring"

// elsewhere are metrics of servers that are set up in another way than this test's.
var elsewhere = []string{
	"trackerd_server_replica_in_use",                           // with a replica
	"trackerd_server_tls_certificate_expiry_timestamp_seconds", // with TLS
	"trackerd_server_tls_certificate_stale",
}

// The dashboard and the alerts ask for metrics that a server has, with labels that
// it sets.
func TestMonitoringAsksForWhatThereIs(t *testing.T) {
	databaseURL := servertest.NewDatabase(t)
	before := servertest.New(t, databaseURL)
	host := before.Host("h")
	before.Send(host, servertest.Minute("m", 0))
	b := servertest.StartProcess(t, databaseURL)
	b.Send(host, api.Event{MachineID: "m", Timestamp: time.Now().Add(-time.Minute)}, api.Event{MachineID: "m"})
	b.Do(http.MethodGet, "/api/machines", "", nil).Refused(401, api.CodeUnauthorized)
	var metrics string
	servertest.Await(t, "the look at the database", func() bool {
		metrics = string(b.Do(http.MethodGet, "/metrics", "", nil).Body)
		return strings.Contains(metrics, "\ntrackerd_server_database_up 1\n")
	})
	name := regexp.MustCompile(`\b(trackerd_server|process|go)_[a-z_]+`)
	selector := regexp.MustCompile(`\b(trackerd_server_[a-z_]+)\{([^}]*)\}`)
	label := regexp.MustCompile(`([a-z_]+)(=~|!=|=|!~)"`)
	for _, file := range []string{"alerts.yaml", "grafana-dashboard.json"} {
		text, err := os.ReadFile(filepath.Join(monitoring, file))
		if err != nil {
			t.Fatal(err)
		}
		if file == "grafana-dashboard.json" && !json.Valid(text) {
			t.Error("the dashboard is no JSON")
		}
		// Quotes are escaped in JSON.
		asked := strings.ReplaceAll(string(text), `\"`, `"`)
		names := name.FindAllString(asked, -1)
		slices.Sort(names)
		for _, n := range slices.Compact(names) {
			if !strings.Contains(metrics, "\n"+n+"{") && !strings.Contains(metrics, "\n"+n+" ") && !slices.Contains(elsewhere, n) {
				t.Errorf("%s asks for %s, which the server does not have", file, n)
			}
		}
		for _, s := range selector.FindAllStringSubmatch(asked, -1) {
			for _, l := range label.FindAllStringSubmatch(s[2], -1) {
				if l[1] != "job" && l[1] != "instance" && !regexp.MustCompile(`\n`+s[1]+`\{[^}\n]*\b`+l[1]+`="`).MatchString(metrics) {
					t.Errorf("%s asks for the label %s of %s, which the server does not give", file, l[1], s[1])
				}
			}
		}
	}
	for _, never := range []string{`="m"`, `="h"`, "h.example"} {
		if strings.Contains(metrics, never) {
			t.Errorf("/metrics names a machine or a host: %s", never)
		}
	}
}

// The rules are what Prometheus takes, and fire when they should.
func TestAlerts(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		cache, _ := os.UserCacheDir()
		promtool = filepath.Join(cache, "activity-tracker", "bin", "promtool")
	}
	for _, args := range [][]string{
		{"check", "rules", "alerts.yaml"},
		{"test", "rules", "alerts_test.yaml"},
	} {
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = monitoring
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool (make setup installs it) %v: %v\n%s", args, err, out)
		}
	}
}
