package ssotest

import (
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/users"
)

// all returns the users there are, by name.
func (b *bench) all() map[string]users.User {
	b.t.Helper()
	list, err := b.Store.Users.All(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	named := map[string]users.User{}
	for _, u := range list {
		named[u.Login] = u
	}
	return named
}

// changes returns what was changed about users, the oldest first.
func (b *bench) changes() []string {
	b.t.Helper()
	entries, err := b.Store.Audit.List(b.t.Context(), math.MaxInt64, 100)
	if err != nil {
		b.t.Fatal(err)
	}
	var whats []string
	for _, e := range entries {
		whats = append(whats, e.What)
	}
	slices.Reverse(whats)
	return whats
}

// Somebody whose group gives a role logs in, is a user from then on, whatever they are
// called later, and has what their groups give at each login.
func TestLogin(t *testing.T) {
	b := newBench(t)
	b.Group("Reception")
	b.p.user("u1", "Anna", "anna@example.org", "everybody", "reception-heads")
	anna := newBrowser(t)
	done := anna.get(anna.atProvider(anna.get(b.URL+"/login/sso?next=/people%3Fq%3D1").to(), "Anna"))
	if to := done.to(); to != b.URL+"/people?q=1" {
		t.Errorf("in the end it goes to %s", to)
	}
	if anna.cookie(b.URL, attemptCookie) != "" {
		t.Error("the attempt's cookie stays")
	}
	u := anna.who(b.URL)
	if u == nil || u.Login != "anna" || u.Role != "manager" || !slices.Equal(u.Groups, []string{"Reception"}) || !u.SingleSignOn || u.State != api.UserActive || u.LastLoginAt == nil {
		t.Fatalf("%+v", u)
	}
	// Other groups, another name and another address: the same user.
	b.p.user("u1", "anna.new", "new@example.org", "cn=admins,dc=example", "staff")
	again := newBrowser(t)
	again.login(b.URL, "anna.new").to()
	if is := again.who(b.URL); is == nil || is.ID != u.ID || is.Login != "anna" || is.Role != "admin" || is.Groups != nil {
		t.Errorf("%+v", is)
	}
	if is := anna.who(b.URL); is == nil || is.Role != "admin" {
		t.Errorf("the login before: %+v", is)
	}
	// Nothing changes: nothing is written down.
	again.login(b.URL, "anna.new").to()
	// No group gives a role any more: no login lasts.
	b.p.user("u1", "anna.new", "new@example.org", "everybody")
	late := newBrowser(t)
	late.login(b.URL, "anna.new").refused("no group", http.StatusForbidden, api.CodeSSORefused)
	if anna.who(b.URL) != nil || again.who(b.URL) != nil {
		t.Error("a login lasts")
	}
	if left := b.all()["anna"]; left.Role != directory.RoleViewer || !left.Limited || len(left.Groups) > 0 || left.Logins > 0 {
		t.Errorf("%+v", left)
	}
	late.login(b.URL, "anna.new").refused("no group, again", http.StatusForbidden, api.CodeSSORefused)
	// And it comes back with the group.
	b.p.user("u1", "anna.new", "new@example.org", "auditors")
	late.login(b.URL, "anna.new").to()
	if is := late.who(b.URL); is == nil || is.ID != u.ID || is.Role != "auditor" {
		t.Errorf("%+v", is)
	}
	want := []string{"user.made_by_sso", "user.access_by_sso", "user.role_lost", "user.access_by_sso"}
	if got := slices.DeleteFunc(b.changes(), func(what string) bool { return !strings.HasPrefix(what, "user.") }); !slices.Equal(got, want) {
		t.Errorf("written down is %v", got)
	}
	for _, personal := range []string{"anna", "Anna", "u1", "example.org", "code=", "Reception"} {
		if strings.Contains(b.log.String(), personal) {
			t.Errorf("the log has %q: %s", personal, b.log)
		}
	}
}

// Who has no role is nobody here, and is not kept.
func TestNobodyIsMadeWithoutARole(t *testing.T) {
	b := newBench(t)
	b.p.user("u1", "anna", "anna@example.org", "everybody")
	b.p.user("u2", "berta", "berta@example.org")
	for _, name := range []string{"anna", "berta"} {
		newBrowser(t).login(b.URL, name).refused(name, http.StatusForbidden, api.CodeSSORefused)
	}
	if all := b.all(); len(all) > 0 {
		t.Errorf("%+v", all)
	}
}

// Whoever has a password is not taken over by somebody of that name or address at the
// provider, and keeps name, role and login.
func TestNobodyIsTakenOver(t *testing.T) {
	b := newBench(t)
	root, byMail := b.User("root", directory.RoleAdmin), b.User("boss@example.org", directory.RoleAdmin)
	login := b.Login("root")
	b.p.user("u1", "Root", "boss@example.org", "staff")
	b.p.user("u2", "boss@example.org", "root", "staff")
	for _, name := range []string{"Root", "boss@example.org"} {
		eve := newBrowser(t)
		eve.login(b.URL, name).to()
		if is := eve.who(b.URL); is == nil || is.ID == root.ID || is.ID == byMail.ID || is.Role != "viewer" || !strings.HasPrefix(is.Login, strings.ToLower(name)+"~") {
			t.Errorf("%s is %+v", name, is)
		}
	}
	b.Do(http.MethodGet, "/api/users", "", nil, login...).Wants(200, nil)
	if now := b.all()["root"]; now.ID != root.ID || now.Role != directory.RoleAdmin || now.SSO || !now.Password {
		t.Errorf("%+v", now)
	}
	// Names that can't be login names are none, and harm nobody.
	for i, name := range []string{"a b", "x\r\nSet-Cookie: a=b", "\u202Eroot", strings.Repeat("x", 400), "ａｄｍｉｎ"} {
		id := "odd" + string(rune('0'+i))
		b.p.user(id, name, "", "staff")
		odd := newBrowser(t)
		odd.login(b.URL, name).to()
		if is := odd.who(b.URL); is == nil || strings.ContainsAny(is.Login, " \r\n\u202E") || len(is.Login) > api.MaxLoginBytes {
			t.Errorf("%q is %+v", name, is)
		}
	}
}

// A user of the provider is disabled by an administrator, and has no password, no
// invitation and no role but the provider's.
func TestUserOfTheProvider(t *testing.T) {
	b := newBench(t)
	admin := b.Token(directory.RoleAdmin)
	b.p.user("u1", "anna", "anna@example.org", "staff")
	anna := newBrowser(t)
	anna.login(b.URL, "anna").to()
	path := "/api/users/" + anna.who(b.URL).ID
	b.Do(http.MethodPost, path+"/invitation", admin, nil).Refused(409, api.CodeBySSO)
	b.Do(http.MethodPut, path+"/access", admin, map[string]any{"role": "admin", "groups": nil}).Refused(409, api.CodeBySSO)
	b.Do(http.MethodPost, "/api/login", "", api.LoginRequest{Login: "anna", Password: ""}).Refused(401, api.CodeBadLogin)
	b.Do(http.MethodPost, "/api/login", "", api.LoginRequest{Login: "anna", Password: password}).Refused(401, api.CodeBadLogin)
	cookie := []string{"Cookie", auth.Cookie + "=" + anna.cookie(b.URL, auth.Cookie)}
	b.Do(http.MethodPut, "/api/login/password", "", api.PasswordChange{Password: "", NewPassword: "correct horse battery"}, cookie...).Refused(401, api.CodeBadLogin)
	b.Do(http.MethodPost, "/api/login/second-step", "", api.SecondStepRequest{}, cookie...).Refused(401, api.CodeBadLogin)
	b.Do(http.MethodPatch, path, admin, map[string]bool{"disabled": true}).Wants(200, nil)
	if anna.who(b.URL) != nil {
		t.Error("a disabled user's login lasts")
	}
	anna.login(b.URL, "anna").refused("disabled", http.StatusForbidden, api.CodeSSORefused)
	b.Do(http.MethodPatch, path, admin, map[string]bool{"disabled": false}).Wants(200, nil)
	anna.login(b.URL, "anna").to()
	if is := anna.who(b.URL); is == nil || is.Sessions != 1 {
		t.Errorf("%+v", is)
	}
	var u api.User
	b.Do(http.MethodGet, path, admin, nil).Wants(200, &u)
	if u.State != api.UserActive || u.Invited || !u.SingleSignOn {
		t.Errorf("%+v", u)
	}
}

// Logging out ends the login here, and the provider takes the browser in to end it there
// and sends it back.
func TestLogout(t *testing.T) {
	b := newBench(t)
	b.p.user("u1", "anna", "anna@example.org", "staff")
	anna := newBrowser(t)
	anna.login(b.URL, "anna").to()
	// What is kept for it tells nothing to whoever reads the database.
	session, _, _ := strings.Cut(anna.cookie(b.URL, auth.Cookie), ".")
	sso, hint, err := b.Store.Users.LogoutHint(t.Context(), session)
	if err != nil || !sso || len(hint) < 100 || strings.Contains(string(hint), "eyJ") {
		t.Errorf("%v %q %v", sso, hint, err)
	}
	cookie := []string{"Cookie", auth.Cookie + "=" + anna.cookie(b.URL, auth.Cookie)}
	var out api.Logout
	b.Do(http.MethodPost, "/api/logout", "", nil, cookie...).Wants(200, &out)
	if anna.who(b.URL) != nil {
		t.Error("the login lasts")
	}
	u, err := url.Parse(out.LogoutURL)
	if err != nil || !strings.HasPrefix(out.LogoutURL, b.p.server.URL+"/") || !strings.HasPrefix(u.Query().Get("id_token_hint"), "eyJ") {
		t.Fatalf("%s %v", out.LogoutURL, err)
	}
	if to := anna.get(out.LogoutURL).to(); to != b.URL+"/" {
		t.Errorf("the provider sends the browser to %q", to)
	}
	// A login by password ends here alone, and a provider that is away keeps nobody in.
	b.User("berta", directory.RoleViewer)
	b.Do(http.MethodPost, "/api/logout", "", nil, b.Login("berta")...).Wants(204, nil)
	anna.login(b.URL, "anna").to()
	cookie = []string{"Cookie", auth.Cookie + "=" + anna.cookie(b.URL, auth.Cookie)}
	b.p.breaks(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "down", http.StatusBadGateway) })
	b.ahead += 2 * time.Hour
	b.Do(http.MethodPost, "/api/logout", "", nil, cookie...).Wants(200, nil)
	if anna.who(b.URL) != nil {
		t.Error("the login lasts")
	}
}
