package servertest

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/app"
	"activity-tracker.example/server/internal/live"
	"activity-tracker.example/server/internal/password"
	"activity-tracker.example/server/internal/secret"
	"activity-tracker.example/server/internal/sso"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/rooms"
	"activity-tracker.example/server/internal/store/screenshots"
)

// How often the live view of a test's server looks at the database and at tokens.
const (
	livePoll    = 20 * time.Millisecond
	liveRecheck = 100 * time.Millisecond
)

// keepScreenshots is for how long a test's server keeps pictures.
const keepScreenshots = 14 * 24 * time.Hour

// CheapPassword is what a password costs where a test is about something else.
func CheapPassword() password.Params { return password.Params{Memory: 64, Time: 1, Threads: 1} }

// Bench is a server on a database, and the means to speak to it.
type Bench struct {
	T     testing.TB
	Store *rooms.Store
	URL   string
	HTTP  *http.Client
	// Close ends it before the test does.
	Close func()
	// Clock is that of logins and of the live view, StopLive ends that.
	Clock    *Clock
	StopLive context.CancelFunc
	// Packages is the folder of what hosts install.
	Packages string
	// Pictures is the folder of pictures of screens.
	Pictures string
	// Described is what every reply is held against; nil: nothing is.
	Described *Description
}

// Clock is the real one, put forward.
type Clock struct{ Ahead atomic.Int64 }

func (c *Clock) now() time.Time { return time.Now().Add(time.Duration(c.Ahead.Load())) }

// New starts a server on that database, whose provider of single sign-on is down.
func New(tb testing.TB, databaseURL string) *Bench {
	tb.Helper()
	return NewWith(tb, databaseURL, downSSO, slog.New(slog.DiscardHandler))
}

// downSSO returns a provider that does not answer.
func downSSO(tb testing.TB, baseURL string) *sso.Provider {
	tb.Helper()
	return SSO(tb, sso.Options{Issuer: "http://127.0.0.1:1", BaseURL: baseURL})
}

// NoSSO is for a server without single sign-on.
func NoSSO(testing.TB, string) *sso.Provider { return nil }

// SSO returns a provider of single sign-on, with what the options lack.
func SSO(tb testing.TB, o sso.Options) *sso.Provider {
	tb.Helper()
	if o.ClientID == "" {
		o.ClientID = "tracker"
	}
	p, err := sso.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.Close)
	return p
}

// NewWith starts a server on that database, with a provider of single sign-on that knows
// the server's URL, and that log.
func NewWith(tb testing.TB, databaseURL string, provider func(tb testing.TB, baseURL string) *sso.Provider, log *slog.Logger) *Bench {
	tb.Helper()
	pictures := tb.TempDir()
	st, err := rooms.Open(tb.Context(), databaseURL, rooms.Options{Log: log, Screenshots: screenshots.Options{Dir: pictures, Keep: keepScreenshots}})
	if err != nil {
		tb.Fatal(err)
	}
	if err := st.Prepare(tb.Context(), func(error) {}); err != nil {
		tb.Fatal(err)
	}
	b := newOn(tb, st, provider, log)
	b.Pictures = pictures
	return b
}

// NewAway starts a server whose database is away.
func NewAway(tb testing.TB) *Bench {
	tb.Helper()
	log := slog.New(slog.DiscardHandler)
	st, err := rooms.Open(tb.Context(), "postgres://nobody@127.0.0.1:1/none", rooms.Options{Log: log})
	if err != nil {
		tb.Fatal(err)
	}
	return newOn(tb, st, downSSO, log)
}

// newOn starts a server on a store, which it closes in the end.
func newOn(tb testing.TB, st *rooms.Store, provider func(testing.TB, string) *sso.Provider, log *slog.Logger) *Bench {
	tb.Helper()
	described, err := ReadDescription()
	if err != nil {
		tb.Fatal(err)
	}
	clock := &Clock{}
	board := live.New(st.Reader, live.Options{Hours: st.Policies, Poll: livePoll, Recheck: liveRecheck, Now: clock.now, Log: log})
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	var running sync.WaitGroup
	running.Go(func() { _ = board.Run(ctx) })
	packages, folder := newRepository(tb)
	server := httptest.NewUnstartedServer(nil)
	server.Config.Handler, err = app.NewHandler(st, board, log, app.Surroundings{
		Metrics: app.NewMetrics(), Repository: packages, SSO: provider(tb, "http://"+server.Listener.Addr().String()),
		PasswordCost: CheapPassword(), Now: clock.now,
	})
	if err != nil {
		tb.Fatal(err)
	}
	server.Start()
	b := Connect(tb, server.URL, &http.Transport{})
	b.Store, b.Clock, b.StopLive, b.Packages, b.Described = st, clock, cancel, folder, described
	b.Close = sync.OnceFunc(func() {
		cancel()
		b.HTTP.CloseIdleConnections()
		server.Close()
		running.Wait()
		st.Close()
	})
	tb.Cleanup(b.Close)
	return b
}

// Connect returns the means to speak to a server that runs elsewhere.
func Connect(tb testing.TB, url string, transport *http.Transport) *Bench {
	tb.Helper()
	tb.Cleanup(transport.CloseIdleConnections)
	return &Bench{T: tb, URL: url, HTTP: &http.Client{
		Transport: transport, Timeout: Patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Token keeps an API token and returns it whole.
func (b *Bench) Token(role directory.Role) string {
	b.T.Helper()
	c := secret.New(secret.KindToken)
	if err := b.Store.AddToken(b.T.Context(), directory.Token{ID: c.ID, Name: "test", Role: role}, c.Hash()); err != nil {
		b.T.Fatal(err)
	}
	return c.Reveal()
}

// Limited keeps a viewer's token that sees only these groups and returns it whole.
func (b *Bench) Limited(groups ...string) string {
	b.T.Helper()
	c := secret.New(secret.KindToken)
	token := directory.Token{ID: c.ID, Name: "limited", Role: directory.RoleViewer, Limited: true, Groups: groups}
	if err := b.Store.AddToken(b.T.Context(), token, c.Hash()); err != nil {
		b.T.Fatal(err)
	}
	return c.Reveal()
}

// Enrollment keeps a host's enrolment token and returns it whole.
func (b *Bench) Enrollment(uses int, expires time.Duration, host string) string {
	b.T.Helper()
	return b.EnrollmentFor(directory.Enrollment{Kind: api.EnrollHost, UsesLeft: uses, ForHost: host, ExpiresAt: time.Now().Add(expires)})
}

// EnrollmentFor keeps an enrolment token and returns it whole.
func (b *Bench) EnrollmentFor(e directory.Enrollment) string {
	b.T.Helper()
	c := secret.New(secret.KindEnrollment)
	e.ID = c.ID
	if err := b.Store.AddEnrollment(b.T.Context(), e, c.Hash()); err != nil {
		b.T.Fatal(err)
	}
	return c.Reveal()
}

// Host enrols a host and returns its credential.
func (b *Bench) Host(id string) string {
	b.T.Helper()
	var reply api.EnrollReply
	b.Do(http.MethodPost, "/api/enroll", "", api.EnrollRequest{
		EnrollmentToken: b.Enrollment(1, time.Hour, ""), HostID: id, Hostname: id + ".example",
	}).Wants(http.StatusCreated, &reply)
	return reply.Credential
}

// Group makes a group of these machines.
func (b *Bench) Group(name string, machines ...string) {
	b.T.Helper()
	if _, _, err := b.Store.AddGroup(b.T.Context(), name); err != nil {
		b.T.Fatal(err)
	}
	for _, m := range machines {
		if err := b.Store.AddMember(b.T.Context(), name, m); err != nil {
			b.T.Fatal(err)
		}
	}
}
