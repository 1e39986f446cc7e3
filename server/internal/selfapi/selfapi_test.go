package selfapi_test

import (
	"archive/zip"
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/secret"
	"activity-tracker.example/server/internal/selfapi"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/policies"
)

// office is a server with a host where alice and bob work, and another of bob's.
type office struct {
	*servertest.Bench
	host, other string
}

const alice, bob, elsewhere = "vm-alice", "vm-bob", "away-bob"

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{Bench: servertest.New(t, servertest.NewDatabase(t))}
	o.host, o.other = o.Host("vm"), o.Host("away")
	o.Send(o.host, servertest.Minute(alice, 0), servertest.Minute(bob, 0))
	o.Send(o.other, servertest.Minute(elsewhere, 0))
	return o
}

func (o *office) open(link string, headers ...string) servertest.Reply {
	o.T.Helper()
	return o.Do(http.MethodPost, "/api/self-sessions", "", api.SelfSessionRequest{Link: link}, headers...)
}

func (o *office) tie(link string, headers ...string) servertest.Reply {
	o.T.Helper()
	return o.Do(http.MethodPost, "/api/self-sessions", "", api.SelfSessionRequest{Link: link, Tie: true}, headers...)
}

func (o *office) me(login []string) (p api.Person) {
	o.T.Helper()
	o.Do(http.MethodGet, "/api/me", "", nil, login...).Wants(http.StatusOK, &p)
	return p
}

// sql runs a statement that no route has.
func (o *office) sql(statement string, args ...any) {
	o.T.Helper()
	err := o.Store.DB.Write(o.T.Context(), "testing", func(tx pgx.Tx) error {
		_, err := tx.Exec(o.T.Context(), statement, args...)
		return err
	})
	if err != nil {
		o.T.Fatal(err)
	}
}

// refresh has all links be new, however slow this machine is.
func (o *office) refresh() {
	o.T.Helper()
	o.sql("UPDATE self_link SET created_at = now()")
}

func accounts(p api.Person) string {
	var ids []string
	for _, a := range p.Accounts {
		ids = append(ids, a.MachineID)
	}
	return strings.Join(ids, " ")
}

// A link opens one account and nothing else, also of a person who has others.
func TestLinkOpensOneAccount(t *testing.T) {
	o := newOffice(t)
	o.Do(http.MethodPost, "/api/people/p2/accounts", o.Token(directory.RoleAdmin), api.PersonJoin{MachineIDs: []string{elsewhere}}).Wants(200, nil)
	link := o.SelfLink(o.host, bob)
	if !strings.HasPrefix(link.URL, "https://tracker.example.org/prefix/self#self_") || time.Until(link.ExpiresAt) > time.Minute {
		t.Errorf("%+v", link)
	}
	r := o.open(link.URL)
	var opened api.SelfSession
	r.Wants(http.StatusOK, &opened)
	if opened.MachineID != bob || opened.Tied || opened.EndsAt == nil || time.Until(*opened.EndsAt) > time.Hour {
		t.Errorf("%+v", opened)
	}
	cookie := r.Header.Get("Set-Cookie")
	for _, want := range []string{"__Host-", "Path=/", "HttpOnly", "Secure", "SameSite=Lax"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("the cookie %q lacks %s", cookie, want)
		}
	}
	login := r.Cookie()
	if p := o.me(login); accounts(p) != bob || !p.Partial || p.ID != "p2" {
		t.Errorf("%+v", p)
	}
	day := "date=" + servertest.Minute(bob, 0).Timestamp.Format(time.DateOnly)
	var own api.PersonSummary
	o.Do(http.MethodGet, "/api/me/summary?"+day, "", nil, login...).Wants(http.StatusOK, &own)
	if whole := o.Summary(o.Token(directory.RoleAdmin), bob, day); own.KeyCount != whole.KeyCount || own.KeyCount == 0 || !own.Partial {
		t.Errorf("%+v, want those of %+v", own, whole)
	}
	for path, has := range map[string]bool{
		"/api/me/events?start=2000-01-01T00:00:00Z&end=2100-01-01T00:00:00Z": true, "/api/me/timeline?" + day: false, "/api/me/day?" + day: false, "/api/me/access": false,
	} {
		r := o.Do(http.MethodGet, path, "", nil, login...)
		r.Wants(http.StatusOK, nil)
		if text := string(r.Body); strings.Contains(text, alice) || strings.Contains(text, elsewhere) || has != strings.Contains(text, bob) {
			t.Errorf("%s: %s", path, text)
		}
	}
	for _, path := range []string{"/api/people", "/api/people/p2", "/api/people/p1/summary?" + day, "/api/machines", "/api/machines/" + bob, "/api/live", "/api/login", "/api/users", "/api/people/p2/access"} {
		o.Do(http.MethodGet, path, "", nil, login...).Refused(http.StatusForbidden, api.CodeForbidden)
	}
	o.Do(http.MethodDelete, "/api/people/p2", "", nil, login...).Refused(http.StatusForbidden, api.CodeForbidden)
}

// An export of who came by a link has that account alone.
func TestExportOfOneAccount(t *testing.T) {
	o := newOffice(t)
	o.Do(http.MethodPost, "/api/people/p2/accounts", o.Token(directory.RoleAdmin), api.PersonJoin{MachineIDs: []string{elsewhere}}).Wants(200, nil)
	r := o.Do(http.MethodGet, "/api/me/export", "", nil, o.OpenSelf(o.host, bob)...)
	r.Wants(http.StatusOK, nil)
	z, err := zip.NewReader(bytes.NewReader(r.Body), int64(len(r.Body)))
	if err != nil {
		t.Fatal(err)
	}
	own := 0
	for _, f := range z.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		own += strings.Count(string(text), bob)
		if strings.Contains(string(text), alice) || strings.Contains(string(text), elsewhere) {
			t.Errorf("%s has something else: %s", f.Name, text)
		}
	}
	if own < 3 {
		t.Errorf("%d times %s", own, bob)
	}
}

// Whatever is wrong with a link, the answer is the same, and nothing is used up by it.
func TestWrongLinks(t *testing.T) {
	o := newOffice(t)
	used, old := o.SelfLink(o.host, alice).URL, o.SelfLink(o.host, alice).URL
	o.open(used).Wants(http.StatusOK, nil)
	id, _, _ := strings.Cut(old[strings.Index(old, "#")+1:], ".")
	o.sql("UPDATE self_link SET created_at = created_at - interval '1 minute' WHERE id = $1", id)
	good := o.SelfLink(o.host, alice).URL
	swapped := good[:strings.LastIndex(good, ".")] + used[strings.LastIndex(used, "."):]
	var first string
	for what, link := range map[string]string{
		"used": used, "old": old, "unknown": secret.New(secret.KindSelf).Reveal(), "another's secret": swapped, "a login": secret.New(secret.KindLogin).Reveal(), "no link": "x", "empty": "",
	} {
		r := o.open(link)
		r.Refused(http.StatusUnauthorized, api.CodeBadLink)
		if first == "" {
			first = string(r.Body)
		}
		if string(r.Body) != first || r.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %s %v, others %s", what, r.Body, r.Header, first)
		}
	}
	o.refresh()
	o.open("   "+good+"\n").Wants(http.StatusOK, nil)
}

// Of many who use one link at once one gets in.
func TestLinkWorksOnce(t *testing.T) {
	o := newOffice(t)
	link := o.SelfLink(o.host, alice).URL
	var in atomic.Int32
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			r, err := o.Try(http.MethodPost, "/api/self-sessions", "", api.SelfSessionRequest{Link: link})
			if err != nil {
				t.Error(err)
			}
			if r.Status == http.StatusOK {
				in.Add(1)
			}
		})
	}
	all.Wait()
	if in.Load() != 1 {
		t.Errorf("%d got in", in.Load())
	}
}

// A host gets links to its own accounts alone, and five of one in a minute.
func TestWhoGetsLinks(t *testing.T) {
	o := newOffice(t)
	ask := func(credential, machineID string) servertest.Reply {
		return o.Do(http.MethodPost, "/api/self-links", credential, api.SelfLinkRequest{MachineID: machineID})
	}
	foreign, unknown := ask(o.other, alice), ask(o.other, "nobody")
	foreign.Refused(http.StatusNotFound, api.CodeNotFound)
	if string(foreign.Body) != string(unknown.Body) {
		t.Errorf("%s, but %s", foreign.Body, unknown.Body)
	}
	ask(o.Token(directory.RoleAdmin), alice).Refused(http.StatusForbidden, api.CodeForbidden)
	ask(o.host, "").Refused(http.StatusBadRequest, api.CodeBadRequest)
	ask(o.host, "a\x00").Refused(http.StatusBadRequest, api.CodeBadRequest)
	var made atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			r, err := o.Try(http.MethodPost, "/api/self-links", o.host, api.SelfLinkRequest{MachineID: alice})
			if err != nil {
				t.Error(err)
			}
			if r.Status == http.StatusCreated {
				made.Add(1)
			}
		})
	}
	all.Wait()
	o.refresh()
	r := ask(o.host, alice)
	r.Refused(http.StatusTooManyRequests, api.CodeRateLimited)
	if made.Load() != 5 || r.Header.Get("Retry-After") != "60" {
		t.Errorf("%d were made; %v", made.Load(), r.Header)
	}
	o.SelfLink(o.host, bob)
	o.sql("UPDATE self_link SET created_at = created_at - interval '1 minute'")
	o.SelfLink(o.host, alice)
}

// Without a public address there are no links.
func TestNoBaseURL(t *testing.T) {
	o := newOffice(t)
	guard := auth.NewGuard(o.Store.Directory, o.Store.Users, auth.NewFailures(1, time.Second, time.Now))
	a := selfapi.New(o.Store.Self, o.Store.Policies, guard, "", time.Now)
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{"machine_id": "`+alice+`"}`))
	r.Header.Set("Authorization", "Bearer "+o.host)
	w := httptest.NewRecorder()
	a.MakeLink(w, r)
	if w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), `"no_base_url"`) || !strings.Contains(w.Body.String(), "--base-url") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// Policy switches links off at once: none is made or used, and what was opened closes.
func TestSwitchedOff(t *testing.T) {
	o := newOffice(t)
	login, link := o.OpenSelf(o.host, alice), o.SelfLink(o.host, alice).URL
	set := func(on bool) {
		if _, err := o.Store.Policies.Add(t.Context(), policies.Draft{Author: "test", Policy: policy.Document{Self: &on}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	set(false)
	o.Do(http.MethodPost, "/api/self-links", o.host, api.SelfLinkRequest{MachineID: alice}).Refused(http.StatusConflict, api.CodeSelfOff)
	o.open(link).Refused(http.StatusConflict, api.CodeSelfOff)
	o.Do(http.MethodGet, "/api/me", "", nil, login...).Refused(http.StatusUnauthorized, api.CodeUnauthorized)
	set(true)
	o.refresh()
	o.open(link).Wants(http.StatusOK, nil)
}

// The login ends after an hour, when it is logged out, and with the account; six of an
// account are too many.
func TestLoginEnds(t *testing.T) {
	o := newOffice(t)
	ended := func(what string, login []string) {
		t.Helper()
		if r := o.Do(http.MethodGet, "/api/me", "", nil, login...); r.Status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", what, r.Status, r.Body)
		}
	}
	logout := o.OpenSelf(o.host, alice)
	o.Do(http.MethodPost, "/api/logout", "", nil, logout...).Wants(http.StatusNoContent, nil)
	ended("logged out", logout)
	hour := o.OpenSelf(o.host, alice)
	o.sql("UPDATE login_session SET created_at = now() - interval '50 minutes' WHERE machine IS NOT NULL")
	o.me(hour)
	o.sql("UPDATE login_session SET created_at = now() - interval '1 hour' WHERE machine IS NOT NULL")
	ended("an hour later", hour)
	oldest := o.OpenSelf(o.host, bob)
	for range 4 {
		o.OpenSelf(o.host, bob)
	}
	o.me(oldest)
	o.sql("DELETE FROM self_link")
	newest := o.OpenSelf(o.host, bob)
	ended("six", oldest)
	o.Do(http.MethodDelete, "/api/people/p2", o.Token(directory.RoleAdmin), nil).Wants(http.StatusAccepted, nil)
	ended("erased", newest)
}

// A link ends the login of another link in the same browser, and no user's.
func TestLinkReplacesNoUser(t *testing.T) {
	o := newOffice(t)
	o.User("anna", directory.RoleViewer)
	anna, first := o.Login("anna"), o.OpenSelf(o.host, alice)
	link := o.SelfLink(o.host, bob).URL
	r := o.open(link, anna...)
	r.Refused(http.StatusConflict, api.CodeLoggedIn)
	if r.Header.Get("Set-Cookie") != "" {
		t.Error(r.Header)
	}
	second := o.open(link, first...)
	second.Wants(http.StatusOK, nil)
	if second.Cookie()[1] == first[1] {
		t.Error("the cookie stays")
	}
	o.Do(http.MethodGet, "/api/me", "", nil, first...).Refused(http.StatusUnauthorized, api.CodeUnauthorized)
	if p := o.me(second.Cookie()); accounts(p) != bob {
		t.Errorf("%+v", p)
	}
	// A browser goes on sending the cookie of a login that has ended.
	o.Do(http.MethodPost, "/api/logout", "", nil, anna...).Wants(http.StatusNoContent, nil)
	o.open(o.SelfLink(o.host, bob).URL, anna...).Wants(http.StatusOK, nil)
	// Who logs in from there is not that account any more.
	self := o.OpenSelf(o.host, alice)
	o.Login("anna", self...)
	o.Do(http.MethodGet, "/api/me", "", nil, self...).Refused(http.StatusUnauthorized, api.CodeUnauthorized)
}

// Another site's page opens nothing, and ties nothing.
func TestAnotherSite(t *testing.T) {
	o := newOffice(t)
	o.User("anna", directory.RoleViewer)
	login, link := o.Login("anna"), o.SelfLink(o.host, alice).URL
	for _, headers := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "same-site"},
	} {
		o.open(link, headers...).Refused(http.StatusForbidden, api.CodeForbidden)
		o.tie(link, append(headers, login...)...).Refused(http.StatusForbidden, api.CodeForbidden)
	}
	o.open(link, "Content-Type", "text/plain").Refused(http.StatusUnsupportedMediaType, api.CodeUnsupportedType)
	o.refresh()
	o.open(link).Wants(http.StatusOK, nil)
}

// A user who opens a link while logged in sees that account as their own, and no other; an
// administrator ties them to a person with all accounts.
func TestTying(t *testing.T) {
	o := newOffice(t)
	admin := o.Token(directory.RoleAdmin)
	user := o.User("bob", directory.RoleAuditor) // whose name is an account's
	login := o.Login("bob")
	o.Do(http.MethodGet, "/api/me", "", nil, login...).Refused(http.StatusNotFound, api.CodeNotFound)
	o.Do(http.MethodPost, "/api/people/p2/accounts", admin, api.PersonJoin{MachineIDs: []string{elsewhere}}).Wants(200, nil)
	var tied api.SelfSession
	r := o.tie(o.SelfLink(o.host, bob).URL, login...)
	r.Wants(http.StatusOK, &tied)
	if !tied.Tied || tied.EndsAt != nil || tied.MachineID != bob || r.Header.Get("Set-Cookie") != "" {
		t.Errorf("%+v %v", tied, r.Header)
	}
	if p := o.me(login); accounts(p) != bob || !p.Partial {
		t.Errorf("%+v", p)
	}
	o.Do(http.MethodGet, "/api/people/p2", "", nil, login...).Refused(http.StatusForbidden, api.CodeForbidden)
	// Somebody else's link makes them nobody else.
	o.tie(o.SelfLink(o.host, alice).URL, login...).Refused(http.StatusConflict, api.CodeOtherPerson)
	if p := o.me(login); accounts(p) != bob {
		t.Errorf("%+v", p)
	}
	o.is(user.ID, "p2", bob)
	path := "/api/users/" + user.ID + "/person"
	o.Do(http.MethodPut, path, admin, api.UserPerson{Person: "p2"}).Wants(http.StatusNoContent, nil)
	o.is(user.ID, "p2")
	if p := o.me(login); accounts(p) != elsewhere+" "+bob || p.Partial {
		t.Errorf("%+v", p)
	}
	o.Do(http.MethodPut, path, admin, api.UserPerson{Person: "p9"}).Refused(http.StatusNotFound, api.CodeNotFound)
	o.Do(http.MethodPut, path, admin, api.UserPerson{Person: "p3"}).Refused(http.StatusNotFound, api.CodeNotFound)
	o.Do(http.MethodPut, "/api/users/usr_0000000000000000/person", admin, api.UserPerson{Person: "p1"}).Refused(http.StatusNotFound, api.CodeNotFound)
	o.Do(http.MethodDelete, "/api/people/p2", admin, nil).Wants(http.StatusAccepted, nil)
	o.Do(http.MethodGet, "/api/me", "", nil, login...).Refused(http.StatusNotFound, api.CodeNotFound)
	o.Do(http.MethodPut, path, admin, api.UserPerson{Person: "p1"}).Wants(http.StatusNoContent, nil)
	o.Do(http.MethodDelete, path, admin, nil).Wants(http.StatusNoContent, nil)
	o.is(user.ID, "")
	o.Do(http.MethodGet, "/api/me", "", nil, login...).Refused(http.StatusNotFound, api.CodeNotFound)
}

// is fails unless administrators are shown whom a user is, with which accounts alone.
func (o *office) is(user, person string, accounts ...string) {
	o.T.Helper()
	var one api.User
	var list api.UserList
	o.Do(http.MethodGet, "/api/users/"+user, o.Token(directory.RoleAdmin), nil).Wants(http.StatusOK, &one)
	o.Do(http.MethodGet, "/api/users", o.Token(directory.RoleAdmin), nil).Wants(http.StatusOK, &list)
	for _, u := range append(list.Users, one) {
		if u.ID == user && (u.Person != person || !slices.Equal(u.Accounts, accounts)) {
			o.T.Errorf("is %q with %q, want %q with %q", u.Person, u.Accounts, person, accounts)
		}
	}
}

// Whoever looks at their own data by a link is written down as that, without a name.
func TestOwnLooks(t *testing.T) {
	o := newOffice(t)
	login := o.OpenSelf(o.host, alice)
	o.me(login)
	var list api.PersonAccessList
	o.Do(http.MethodGet, "/api/me/access", "", nil, login...).Wants(http.StatusOK, &list)
	if len(list.Access) != 1 || list.Access[0].ReaderKind != "self" || list.Access[0].ReaderID+list.Access[0].ReaderName != "" {
		t.Errorf("%+v", list)
	}
}
