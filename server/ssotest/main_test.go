package ssotest

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/sso"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the provider's
	os.Exit(servertest.Cluster{M: m}.Run())
}

// roles is what groups of the provider give in these tests.
const roles = `
# everybody who runs it
cn=admins,dc=example -> admin
auditors             -> auditor
reception-heads      -> manager: Reception; Nowhere
night-heads          -> manager: Night
staff                -> viewer
`

// bench is a server of ours and a provider.
type bench struct {
	*servertest.Bench
	t   *testing.T
	p   *provider
	log *log
	// database is the server's.
	database string
	// ahead puts the clock of single sign-on forward.
	ahead time.Duration
}

// log is what our server logs.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newBench starts both.
func newBench(t *testing.T, change ...func(*sso.Options)) *bench {
	t.Helper()
	b := newDown(t, change...)
	b.p.begin(b.URL)
	return b
}

// newDown starts a server whose provider is down until it begins.
func newDown(t *testing.T, change ...func(*sso.Options)) *bench {
	t.Helper()
	b := &bench{t: t, p: newProvider(t), log: &log{}, database: servertest.NewDatabase(t)}
	read, err := sso.ReadRoles(strings.NewReader(roles))
	if err != nil {
		t.Fatal(err)
	}
	b.Bench = servertest.NewWith(t, b.database, func(tb testing.TB, baseURL string) *sso.Provider {
		tb.Helper()
		o := sso.Options{
			Issuer: b.p.server.URL, ClientID: clientID, ClientSecret: clientSecret, BaseURL: baseURL,
			GroupsClaim: "groups", Scopes: []string{"profile", "email"}, Roles: read, Now: func() time.Time { return time.Now().Add(b.ahead) },
		}
		for _, c := range change {
			c(&o)
		}
		return servertest.SSO(tb, o)
	}, slog.New(slog.NewTextHandler(b.log, nil)))
	return b
}

// servertestOn starts another server on the same database, where passwords work.
func servertestOn(b *bench) *servertest.Bench {
	b.t.Helper()
	return servertest.NewWith(b.t, b.database, servertest.NoSSO, slog.New(slog.DiscardHandler))
}
