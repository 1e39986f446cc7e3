package policy

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/hostd/outbound"
	"activity-tracker.example/hostd/roster"
	rules "activity-tracker.example/server/api/policy"
)

// world is a server, whose answer a test changes, and hosts that are enrolled with it.
type world struct {
	t        *testing.T
	srv      *httptest.Server
	status   int
	body     string
	matched  string // the If-None-Match of the last question
	file     string
	enrolled bool
	skew     time.Duration
	asked    func() // called while the server is asked
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, file: filepath.Join(t.TempDir(), "policy.json"), enrolled: true, status: http.StatusOK}
	w.srv = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.matched = r.Header.Get("If-None-Match")
		if w.asked != nil {
			w.asked()
		}
		if r.URL.Path != "/api/policy" || r.Header.Get("Authorization") != "Bearer secret" {
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		rw.Header().Set("ETag", `"tag"`)
		rw.WriteHeader(w.status)
		_, _ = rw.Write([]byte(w.body)) // the client has gone
	}))
	t.Cleanup(w.srv.Close)
	return w
}

// host starts a host, as after a restart.
func (w *world) host(file rules.Document) *Policy {
	w.t.Helper()
	return New(Options{
		Rules: file, File: w.file, Client: w.srv.Client(), Changed: func() {},
		Target: func() (outbound.Target, bool) {
			return outbound.Target{URL: w.srv.URL, Credential: "secret"}, w.enrolled
		},
		Now: func() time.Time { return time.Now().Add(w.skew) },
	})
}

// measured is who of root and anna is.
func measured(p *Policy) string {
	var names []string
	for _, t := range p.Allow(roster.Result{Tracked: []roster.Tracked{{Username: "root"}, {Username: "anna"}}}).Tracked {
		names = append(names, t.Username)
	}
	return strings.Join(names, " ")
}

// excluding is a reply of a revision with a policy that excludes one user.
func excluding(revision int, user string) string {
	return fmt.Sprintf(`{"revision":%d,"none":false,"policies":[{"version":%d,"host_group":null,"valid_from":"2026-01-01T00:00:00Z","policy":{"exclude_users":[%q]}}]}`,
		revision, revision, user)
}

// TestWaitsForPolicy: an enrolled host measures nothing until the server has said what
// may be, and then that, also after a restart while the server is away.
func TestWaitsForPolicy(t *testing.T) {
	w := newWorld(t)
	w.status = http.StatusServiceUnavailable
	p := w.host(rules.Document{})
	if err := p.fetch(t.Context()); err == nil || measured(p) != "" || !strings.HasPrefix(p.Problem(), "waiting for policy") || !p.waits() {
		t.Fatalf("%v; measured %q, %q", err, measured(p), p.Problem())
	}
	w.status, w.body = http.StatusOK, excluding(3, "anna")
	if err := p.fetch(t.Context()); err != nil || measured(p) != "root" || p.Problem() != "" {
		t.Fatalf("%v; measured %q, %q", err, measured(p), p.Problem())
	}
	w.status = http.StatusServiceUnavailable
	p = w.host(rules.Document{ExcludeUsers: []string{"root"}})
	if got := measured(p); got != "" {
		t.Errorf("with what the file excludes too: %q", got)
	}
	if got := p.Effective().Origins[rules.FieldExclude]; fmt.Sprint(got) != "[file policy 3]" {
		t.Errorf("from %v", got)
	}
	if err := p.fetch(t.Context()); err == nil || w.matched != `"tag"` {
		t.Errorf("%v, asked with %q", err, w.matched)
	}
	// Another server has not said anything.
	p.serve("https://other.example", true)
	if !p.waits() {
		t.Error("what one server said holds for another")
	}
	// Without one the file alone says.
	w.enrolled = false
	if p = w.host(rules.Document{}); measured(p) != "root anna" {
		t.Errorf("not enrolled: %q", measured(p))
	}
}

// TestEnrolling: who is measured when a host enrols is measured on while the server is
// asked, and then as it says; if it does not say, nobody is.
func TestEnrolling(t *testing.T) {
	for _, c := range []struct {
		status int
		want   string
	}{{http.StatusOK, "root"}, {http.StatusServiceUnavailable, ""}} {
		w := newWorld(t)
		w.enrolled, w.status, w.body = false, c.status, excluding(3, "anna")
		p := w.host(rules.Document{})
		w.enrolled = true
		meanwhile := ""
		w.asked = func() { meanwhile = measured(p) }
		if err := p.fetch(t.Context()); (err == nil) != (c.status == http.StatusOK) || meanwhile != "root anna" || measured(p) != c.want {
			t.Errorf("%d: %v; measured %q meanwhile, then %q", c.status, err, meanwhile, measured(p))
		}
	}
}

// TestServerWithoutPolicies: an older server has no such route, which is no policy; but
// one that had some has not lost them.
func TestServerWithoutPolicies(t *testing.T) {
	w := newWorld(t)
	w.status = http.StatusNotFound
	p := w.host(rules.Document{})
	if err := p.fetch(t.Context()); err != nil || measured(p) != "root anna" {
		t.Fatalf("%v; measured %q", err, measured(p))
	}
	if p = w.host(rules.Document{}); measured(p) != "root anna" {
		t.Errorf("after a restart: %q", measured(p))
	}
	w.status, w.body = http.StatusOK, excluding(1, "anna")
	if err := p.fetch(t.Context()); err != nil || measured(p) != "root" {
		t.Fatalf("%v; measured %q", err, measured(p))
	}
	w.status = http.StatusNotFound
	if err := p.fetch(t.Context()); err == nil || measured(p) != "root" || p.Problem() == "" {
		t.Errorf("%v; measured %q, %q", err, measured(p), p.Problem())
	}
}

// TestWhatIsNotTaken: an older policy, one that was cut and one that makes no sense leave
// the last one, and the next good one is taken.
func TestWhatIsNotTaken(t *testing.T) {
	w := newWorld(t)
	w.body = excluding(5, "anna")
	p := w.host(rules.Document{})
	if err := p.fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	good := excluding(6, "root")
	for name, body := range map[string]string{
		"older": excluding(4, "root"), "cut": good[:len(good)-5], "nothing": "", "no policy": "<html>", "a rule that is none": excluding(7, "a:b"),
	} {
		w.body = body
		if err := p.fetch(t.Context()); err == nil || measured(p) != "root" || p.Problem() == "" {
			t.Errorf("%s: %v; measured %q", name, err, measured(p))
		}
	}
	w.body = good
	if err := p.fetch(t.Context()); err != nil || measured(p) != "anna" || p.Problem() != "" {
		t.Errorf("%v; measured %q", err, measured(p))
	}
	w.status = http.StatusNotModified
	if err := p.fetch(t.Context()); err != nil || measured(p) != "anna" {
		t.Errorf("%v; measured %q", err, measured(p))
	}
}

// TestLaterVersion: a version that is valid from later on holds from its moment on, while
// the server is away.
func TestLaterVersion(t *testing.T) {
	w := newWorld(t)
	from := time.Now().Add(time.Hour)
	w.body = `{"revision":1,"none":false,"policies":[{"version":1,"host_group":null,"valid_from":"` + from.Format(time.RFC3339) + `","policy":{"titles":false}}]}`
	p := w.host(rules.Document{})
	if err := p.fetch(t.Context()); err != nil || !p.Titles().Titles {
		t.Fatalf("%v, %+v", err, p.Titles())
	}
	w.srv.Close()
	if next := p.next(); next.Unix() != from.Unix() || p.due(from.Add(-2*time.Second)) {
		t.Errorf("next %v, want %v", next, from)
	}
	w.skew = time.Hour + time.Second
	if !p.due(p.o.Now()) {
		t.Fatal("it is not due")
	}
	p.apply()
	if p.Titles().Titles || p.due(p.o.Now()) || fmt.Sprint(p.Effective().Origins[rules.FieldTitles]) != "[policy 1]" {
		t.Errorf("%+v", p.Effective())
	}
}

// TestAskFirst: a host that knows nothing of its server asks at its start, another waits
// for nothing.
func TestAskFirst(t *testing.T) {
	w := newWorld(t)
	w.body = excluding(1, "anna")
	p := w.host(rules.Document{})
	if p.AskFirst(); measured(p) != "root" {
		t.Errorf("measured %q", measured(p))
	}
	w.body = excluding(2, "root")
	p = w.host(rules.Document{})
	if p.AskFirst(); measured(p) != "root" {
		t.Errorf("it asked although it knows: measured %q", measured(p))
	}
}

// TestFollow: a host without a policy asks at once, and each asks when it is woken.
func TestFollow(t *testing.T) {
	w := newWorld(t)
	changed := make(chan struct{}, 10)
	asked := make(chan struct{}, 10)
	w.srv.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		asked <- struct{}{}
		_, _ = rw.Write([]byte(excluding(1, "anna"))) // the client has gone
	})
	p := New(Options{
		File: w.file, Client: w.srv.Client(), Changed: func() { changed <- struct{}{} },
		Target: func() (outbound.Target, bool) { return outbound.Target{URL: w.srv.URL, Credential: "secret"}, true },
	})
	go func() { _ = p.Follow(t.Context(), time.Hour) }()
	for _, wake := range []bool{false, true} {
		if wake {
			p.Wake()
		}
		for _, c := range []chan struct{}{asked, changed} {
			select {
			case <-c:
			case <-time.After(waitTime):
				t.Fatal("nothing came")
			}
		}
	}
	if got := measured(p); got != "root" {
		t.Errorf("measured %q", got)
	}
}

// TestTold: another revision than the one that holds is asked for, but one that is not
// taken not with each upload.
func TestTold(t *testing.T) {
	w := newWorld(t)
	w.body = excluding(4, "anna")
	p := w.host(rules.Document{})
	if err := p.fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	woken := func() bool {
		select {
		case <-p.wake:
			return true
		default:
			return false
		}
	}
	for _, c := range []struct {
		revision int64
		later    time.Duration
		want     bool
	}{{4, 0, false}, {5, 0, true}, {5, 0, false}, {3, 0, true}, {3, leastPeriod, true}, {4, 0, false}} {
		w.skew += c.later
		if p.Told(c.revision); woken() != c.want {
			t.Errorf("told of %d, %v later: want asking %t", c.revision, c.later, c.want)
		}
	}
}
