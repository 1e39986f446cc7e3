package config

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"activity-tracker.example/server/internal/quantity"
)

// load reads the settings of serve from that command line.
func load(t *testing.T, args ...string) (Config, error) {
	t.Helper()
	f := NewFlags()
	set := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	f.AddTo(set, Everywhere|Serve)
	if err := set.Parse(args); err != nil {
		t.Fatal(err)
	}
	return f.Load(Everywhere | Serve)
}

// clearEnv takes the settings out of the environment, but for a database: the file of
// an installed service is nobody's business here.
func clearEnv(t *testing.T) {
	t.Helper()
	for _, s := range Settings() {
		if s.Env != "" {
			t.Setenv(s.Env, "")
		}
	}
	t.Setenv("DATABASE_URL", "postgres://db/x")
}

func TestDefaults(t *testing.T) {
	clearEnv(t)
	c, err := load(t)
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Database: Database{URL: "postgres://db/x", ReplicaMaxLag: 30 * time.Second},
		StateDir: defaultStateDir(false),
		Keep:     Retention{Events: 400 * quantity.Day, Titles: 400 * quantity.Day, Rollups: 1100 * quantity.Day},
		Log:      Log{Format: "text"}, CompactAfter: 7 * quantity.Day, KeepAccess: 1100 * quantity.Day, Screenshots: defaultStateDir(false) + "/screenshots",
		KeepScreenshots: 14 * quantity.Day, ScreenshotsMaxBytes: 10_000_000_000, Listen: ":8100", ProxyHeader: "x-forwarded-for", MaxConnections: 10_000,
		SSO: SSO{GroupsClaim: "groups", Scopes: []string{"profile"}},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("%+v\nwant %+v", c, want)
	}
}

// Every setting is taken from its flag, and from its variable where there is no flag.
func TestSources(t *testing.T) {
	clearEnv(t)
	for name, args := range map[string][]string{
		"a flag":              {"--compact-after-days", "3"},
		"a flag before a var": {"--compact-after-days=3", "--log-level=debug"},
	} {
		t.Setenv("TRACKERD_SERVER_COMPACT_AFTER_DAYS", "5")
		if c, err := load(t, args...); err != nil || c.CompactAfter != 3*quantity.Day {
			t.Errorf("%s: %v %v", name, c.CompactAfter, err)
		}
	}
	if c, err := load(t); err != nil || c.CompactAfter != 5*quantity.Day {
		t.Errorf("a variable: %v %v", c.CompactAfter, err)
	}
	file := filepath.Join(t.TempDir(), "server.env")
	if err := os.WriteFile(file, []byte("TRACKERD_SERVER_COMPACT_AFTER_DAYS=6\nTRACKERD_SERVER_LISTEN=:1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Unsetenv("TRACKERD_SERVER_LISTEN"); err != nil {
		t.Fatal(err)
	}
	if c, err := load(t, "--env-file", file); err != nil || c.CompactAfter != 5*quantity.Day || c.Listen != ":1" {
		t.Errorf("a file behind the environment: %v %q %v", c.CompactAfter, c.Listen, err)
	}
}

func TestValues(t *testing.T) {
	clearEnv(t)
	c, err := load(t, "--verbose", "--no-migrate", "--acme-domain", "a.example,b.example", "--acme-domain", "c.example",
		"--shutdown-delay", "1m30s", "--tls-cert", "", "--keep-events-days", "0", "--first-token-to-log")
	if err != nil || c.Log.Level != slog.LevelDebug || !c.Database.NoMigrate || strings.Join(c.TLS.ACMEDomains, " ") != "a.example b.example c.example" ||
		c.ShutdownDelay != 90*time.Second || c.Keep.Events != 0 || !c.FirstTokenToLog {
		t.Errorf("%+v, %v", c, err)
	}
	t.Setenv("TRACKERD_SERVER_FIRST_TOKEN", "log")
	t.Setenv("TRACKERD_SERVER_TRUSTED_PROXY", "10.0.0.0/8, ::1")
	t.Setenv("TRACKERD_SERVER_NO_MIGRATE", "true")
	c, err = load(t)
	if err != nil || !c.FirstTokenToLog || !c.Database.NoMigrate || strings.Join(c.Proxies, " ") != "10.0.0.0/8 ::1" {
		t.Errorf("%+v, %v", c, err)
	}
}

// An error names the setting as it was set.
func TestWrongValues(t *testing.T) {
	for _, test := range []struct{ flag, env, value, want string }{
		{"keep-events-days", "TRACKERD_SERVER_KEEP_EVENTS_DAYS", "-1", "want days from 0 (for ever) to 36525"},
		{"compact-after-days", "TRACKERD_SERVER_COMPACT_AFTER_DAYS", "1d", "want days from 0 (never)"},
		{"replica-max-lag", "TRACKERD_SERVER_REPLICA_MAX_LAG", "soon", "want a time such as 15s"},
		{"replica-max-lag", "TRACKERD_SERVER_REPLICA_MAX_LAG", "1s", "want a time from 2s to 1h"},
		{"replica-max-lag", "TRACKERD_SERVER_REPLICA_MAX_LAG", "2h", "want a time from 2s to 1h"},
		{"shutdown-delay", "TRACKERD_SERVER_SHUTDOWN_DELAY", "3m", "want a time from 0s to 2m"},
		{"no-migrate", "TRACKERD_SERVER_NO_MIGRATE", "perhaps", "want true or false"},
		{"log-format", "TRACKERD_SERVER_LOG_FORMAT", "xml", "want one of [text json]"},
		{"log-level", "TRACKERD_SERVER_LOG_LEVEL", "loud", "want one of [debug"},
		{"listen", "TRACKERD_SERVER_LISTEN", "8100", "want ADDRESS:PORT, or :PORT for all addresses; did you mean :8100?"},
		{"listen", "TRACKERD_SERVER_LISTEN", "nonsense", "want ADDRESS:PORT"},
		{"max-connections", "TRACKERD_SERVER_MAX_CONNECTIONS", "0", "want 1 to 1000000"},
		{"trusted-proxy-header", "TRACKERD_SERVER_TRUSTED_PROXY_HEADER", "via", "want one of [x-forwarded-for forwarded]"},
		{"first-token-to-log", "TRACKERD_SERVER_FIRST_TOKEN", "yes", "want log, or nothing"},
	} {
		clearEnv(t)
		var wrong *Error
		_, err := load(t, "--"+test.flag+"="+test.value)
		if !errors.As(err, &wrong) || !wrong.OnCommandLine || !strings.HasPrefix(err.Error(), "--"+test.flag+` "`+test.value+`": `+test.want) {
			t.Errorf("--%s=%s: %v", test.flag, test.value, err)
		}
		t.Setenv(test.env, test.value)
		_, err = load(t)
		if !errors.As(err, &wrong) || wrong.OnCommandLine || !strings.HasPrefix(err.Error(), test.env+` "`+test.value+`": `+test.want) {
			t.Errorf("%s=%s: %v", test.env, test.value, err)
		}
	}
}

// A misspelt setting in a file is no setting that is left out; what other programs read
// may stand there too.
func TestMisspeltSetting(t *testing.T) {
	clearEnv(t)
	t.Setenv("TRACKERD_SERVER_NONSENSE", "of another program")
	t.Setenv("SOMETHING_ELSE", "")
	file := filepath.Join(t.TempDir(), "server.env")
	for text, want := range map[string]string{
		"TRACKERD_SERVER_KEEP_EVENT_DAYS=30\n": file + ": there is no setting TRACKERD_SERVER_KEEP_EVENT_DAYS",
		"SOMETHING_ELSE=1\n":                   "",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var wrong *Error
		_, err := load(t, "--env-file", file)
		if want == "" && err != nil || want != "" && (!errors.As(err, &wrong) || wrong.OnCommandLine || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// The private PostgreSQL has no replica.
func TestReplicaNeedsADatabase(t *testing.T) {
	clearEnv(t)
	t.Setenv("DATABASE_URL", "")
	if _, err := load(t, "--replica-database-url", "postgres://replica/x", "--state-dir", t.TempDir()); err == nil ||
		!strings.Contains(err.Error(), "needs DATABASE_URL") {
		t.Error(err)
	}
}

// A healthcheck needs none of the settings of a database, right or wrong.
func TestHealthcheckReadsItsOwn(t *testing.T) {
	clearEnv(t)
	t.Setenv("TRACKERD_SERVER_KEEP_EVENTS_DAYS", "many")
	t.Setenv("TRACKERD_SERVER_LISTEN", "127.0.0.1:1")
	if c, err := NewFlags().Load(Healthcheck); err != nil || c.Listen != "127.0.0.1:1" {
		t.Errorf("%+v, %v", c, err)
	}
}

// Single sign-on takes all that it needs, and nothing of it goes without the issuer.
func TestSingleSignOnIsWhole(t *testing.T) {
	clearEnv(t)
	all := []string{"--sso-issuer=https://id.example.org", "--sso-client-id=x", "--sso-roles-file=/r", "--base-url=https://t.example.org"}
	c, err := load(t, append(all, "--sso-only", "--sso-scope=profile,groups")...)
	if err != nil || !c.SSO.Only || len(c.SSO.Scopes) != 2 || c.SSO.GroupsClaim != "groups" {
		t.Errorf("%+v %v", c.SSO, err)
	}
	for i := range all {
		var args []string
		for j, arg := range all {
			if j != i {
				args = append(args, arg)
			}
		}
		if _, err := load(t, args...); err == nil {
			t.Errorf("it does without %s", all[i])
		}
	}
	if _, err := load(t, "--sso-only"); err == nil {
		t.Error("--sso-only alone lets nobody log in")
	}
}
