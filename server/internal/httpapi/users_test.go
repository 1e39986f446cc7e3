package httpapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
)

const chosen = "another long sentence"

// invite invites somebody by the API and returns what they are given.
func invite(b *servertest.Bench, admin, login string) api.UserInvitation {
	b.T.Helper()
	var inv api.UserInvitation
	b.Do(http.MethodPost, "/api/users", admin, map[string]any{"login": login, "role": "viewer"}).Wants(201, &inv)
	return inv
}

// An invited person sets a password, once, logs in, and is seen by an administrator.
func TestInvitedPersonLogsIn(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	admin := b.Token(directory.RoleAdmin)
	inv := invite(b, admin, "Anna@Example.ORG")
	if inv.User.State != api.UserInvited || inv.User.Login != "anna@example.org" || !inv.User.Invited || inv.User.Groups != nil {
		t.Errorf("%+v", inv)
	}
	b.Do(http.MethodPost, "/api/users", admin, map[string]any{"login": "anna@example.org", "role": "admin"}).Refused(409, api.CodeUserExists)
	accept := func(secret, password string) servertest.Reply {
		t.Helper()
		return b.Do(http.MethodPost, "/api/invitation", "", api.InvitationAcceptance{Invitation: secret, Password: password})
	}
	accept(inv.Invitation, "short").Refused(400, api.CodeBadPassword)
	accept(inv.Invitation, "anna@example.org").Refused(400, api.CodeBadPassword)
	var u api.User
	accept(inv.Invitation, chosen).Wants(200, &u)
	if u.State != api.UserActive || u.Invited || u.LastLoginAt != nil {
		t.Errorf("%+v", u)
	}
	accept(inv.Invitation, servertest.Password).Refused(401, api.CodeBadInvitation)
	accept(admin, servertest.Password).Refused(401, api.CodeBadInvitation)
	accept("nonsense", servertest.Password).Refused(401, api.CodeBadInvitation)
	r := b.Do(http.MethodPost, "/api/login", "", api.LoginRequest{Login: "ANNA@example.org", Password: chosen}, "User-Agent", "A browser")
	var login api.Login
	r.Wants(200, &login)
	if set := r.Header.Get("Set-Cookie"); !strings.HasSuffix(set, "; Path=/; HttpOnly; Secure; SameSite=Lax") || strings.Contains(string(r.Body), strings.SplitN(set, ".", 2)[1][:43]) {
		t.Errorf("%s %s", set, r.Body)
	}
	cookie := r.Cookie()
	var who api.Login
	b.Do(http.MethodGet, "/api/login", "", nil, cookie...).Wants(200, &who)
	if who.User.ID != u.ID || who.Session != login.Session || who.User.LastLoginAt == nil || who.User.Sessions != 1 {
		t.Errorf("%+v", who)
	}
	var list api.UserList
	b.Do(http.MethodGet, "/api/users", admin, nil).Wants(200, &list)
	b.Do(http.MethodGet, "/api/users/"+u.ID, admin, nil).Wants(200, &u)
	if len(list.Users) != 1 || list.Users[0].ID != u.ID || u.Sessions != 1 {
		t.Errorf("%+v %+v", list, u)
	}
	var sessions api.LoginSessionList
	b.Do(http.MethodGet, "/api/users/"+u.ID+"/sessions", "", nil, cookie...).Wants(200, &sessions)
	if len(sessions.Sessions) != 1 || !sessions.Sessions[0].Current || sessions.Sessions[0].Agent != "A browser" || sessions.Sessions[0].Address != "127.0.0.1" {
		t.Errorf("%+v", sessions)
	}
	b.Do(http.MethodGet, "/api/machines", "", nil, cookie...).Wants(200, nil)
}

// ended reports whether a browser's login has ended.
func ended(b *servertest.Bench, cookie []string) bool {
	b.T.Helper()
	r := b.Do(http.MethodGet, "/api/login", "", nil, cookie...)
	if r.Status != http.StatusOK && r.Status != http.StatusUnauthorized {
		b.T.Fatalf("%d %s", r.Status, r.Body)
	}
	return r.Status == http.StatusUnauthorized
}

// What ends one login ends no other, and what ends all ends all.
func TestLoginsEnd(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	admin := b.Token(directory.RoleAdmin)
	anna, berta := b.User("anna", directory.RoleViewer), b.User("berta", directory.RoleViewer)
	other := b.Login("berta")
	self, path := "/api/users/"+anna.ID, "/api/users/"+anna.ID+"/sessions"
	one, two := b.Login("anna"), b.Login("anna")
	b.Do(http.MethodPost, "/api/logout", "", nil, one...).Wants(204, nil)
	if !ended(b, one) || ended(b, two) {
		t.Error("logging out ends this login and no other")
	}
	var sessions api.LoginSessionList
	b.Do(http.MethodGet, path, admin, nil).Wants(200, &sessions)
	// Another's can't be seen, nor ended: they look as if they were not there.
	b.Do(http.MethodGet, path, "", nil, other...).Refused(404, api.CodeNotFound)
	b.Do(http.MethodDelete, path, "", nil, other...).Refused(404, api.CodeNotFound)
	b.Do(http.MethodDelete, path+"/"+sessions.Sessions[0].ID, "", nil, other...).Refused(404, api.CodeNotFound)
	b.Do(http.MethodDelete, "/api/users/"+berta.ID+"/sessions/"+sessions.Sessions[0].ID, "", nil, other...).Refused(404, api.CodeNotFound)
	if ended(b, two) {
		t.Error("another user ended it")
	}
	b.Do(http.MethodDelete, path+"/"+sessions.Sessions[0].ID, admin, nil).Wants(204, nil)
	all := map[string]func(cookie []string){
		"all":      func(cookie []string) { b.Do(http.MethodDelete, path, "", nil, cookie...).Wants(204, nil) },
		"disabled": func([]string) { b.Do(http.MethodPatch, self, admin, map[string]bool{"disabled": true}).Wants(200, nil) },
		"password": func(cookie []string) {
			b.Do(http.MethodPut, "/api/login/password", "", api.PasswordChange{Password: "wrong", NewPassword: chosen}, cookie...).Refused(401, api.CodeBadLogin)
			b.Do(http.MethodPut, "/api/login/password", "", api.PasswordChange{Password: servertest.Password, NewPassword: "short"}, cookie...).Refused(400, api.CodeBadPassword)
			if ended(b, cookie) {
				t.Error("a password that did not change ends logins")
			}
			b.Do(http.MethodPut, "/api/login/password", "", api.PasswordChange{Password: servertest.Password, NewPassword: servertest.Password}, cookie...).Wants(204, nil)
		},
		"invitation": func([]string) {
			var inv api.UserInvitation
			b.Do(http.MethodPost, self+"/invitation", admin, nil).Wants(201, &inv)
			b.Do(http.MethodPost, "/api/invitation", "", api.InvitationAcceptance{Invitation: inv.Invitation, Password: servertest.Password}).Wants(200, nil)
		},
	}
	for how, end := range all {
		one, two := b.Login("anna"), b.Login("anna")
		end(one)
		if !ended(b, one) || !ended(b, two) {
			t.Errorf("%s does not end all logins", how)
		}
		b.Do(http.MethodPatch, self, admin, map[string]bool{"disabled": false}).Wants(200, nil)
	}
	if ended(b, other) {
		t.Error("another's login ended")
	}
	b.Do(http.MethodPatch, self, admin, map[string]bool{"disabled": true}).Wants(200, nil)
	b.Do(http.MethodPost, self+"/invitation", admin, nil).Refused(409, api.CodeUserDisabled)
}

// A login is new each time, whatever the browser had: nobody can hand out one that
// they know and wait until somebody logs in by it.
func TestLoginIsNotFixed(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	b.User("anna", directory.RoleViewer)
	b.User("eve", directory.RoleViewer)
	known := b.Login("eve")
	for _, had := range [][]string{
		known, {"Cookie", auth.Cookie + "=ses_0123456789abcdef.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}, {"Cookie", auth.Cookie + "=x"}, {"Cookie", auth.Cookie + "="},
	} {
		if got := b.Login("anna", had...); got[1] == had[1] || ended(b, got) {
			t.Errorf("%q became %q", had, got)
		}
	}
	// The browser that had it is somebody else's now.
	if !ended(b, known) {
		t.Error("the login before lasts")
	}
	// Half of what is known, with another's secret, ends nothing.
	one := b.Login("eve")
	id, _, _ := strings.Cut(one[1], ".")
	b.Login("anna", "Cookie", id+".AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	if ended(b, one) {
		t.Error("who knows an id ends a login")
	}
}

// What another site's page has a browser send is refused before anything is done, by
// every route that a login reaches: by where it comes from, and by what a form sends.
func TestOtherSitesPages(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	b.User("anna", directory.RoleAdmin)
	cookie := b.Login("anna")
	asked := 0
	for _, o := range b.Described.Operations {
		_, reached := o.Schemes["loginCookie"]
		if !reached && o.ID != "login" && o.ID != "acceptInvitation" && o.ID != "openSelfSession" {
			continue
		}
		with := func(body any, headers ...string) servertest.Reply {
			return b.Do(o.Method, o.Target, "", body, slices.Concat(cookie, []string{"If-Match", "*"}, headers)...)
		}
		if o.Method == http.MethodGet {
			if r := with(nil, "Sec-Fetch-Site", "cross-site"); r.Status == http.StatusForbidden {
				t.Errorf("%s: a link from elsewhere leads nowhere", r.What)
			}
			continue
		}
		asked++
		for _, headers := range [][]string{
			{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"},
		} {
			with(o.Body, headers...).Refused(403, api.CodeForbidden)
		}
		for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "application/jsonx"} {
			with([]byte(`{"a":1}`), "Content-Type", kind).Refused(415, api.CodeUnsupportedType)
		}
	}
	if asked < 15 {
		t.Errorf("only %d were asked", asked)
	}
	if ended(b, cookie) {
		t.Error("something was done")
	}
	// A page of ours may, and so may a program without a browser.
	b.Do(http.MethodPut, "/api/groups/ours", "", nil, slices.Concat(cookie, []string{"Sec-Fetch-Site", "same-origin"})...).Wants(201, nil)
	b.Do(http.MethodPut, "/api/groups/by-program", "", nil, cookie...).Wants(201, nil)
}

// A login that has ended is 401 everywhere, however often: a browser goes on sending
// it, and its address is not slowed down.
func TestEndedLogin(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	b.User("anna", directory.RoleAdmin)
	cookie := b.Login("anna")
	b.Do(http.MethodPost, "/api/logout", "", nil, cookie...).Wants(204, nil)
	for _, o := range b.Described.Operations {
		if _, reached := o.Schemes["loginCookie"]; !reached {
			continue
		}
		for range 3 {
			b.Do(o.Method, o.Target, "", o.Body, cookie...).Refused(401, api.CodeUnauthorized)
		}
	}
	// Neither is what was never one, nor another kind of secret.
	for _, value := range []string{"x", b.Token(directory.RoleAdmin), strings.Repeat("x", 4000)} {
		b.Do(http.MethodGet, "/api/machines", "", nil, "Cookie", auth.Cookie+"="+value).Refused(401, api.CodeUnauthorized)
	}
	// And a login is no token.
	value := strings.TrimPrefix(b.Login("anna")[1], auth.Cookie+"=")
	b.Do(http.MethodGet, "/api/machines", value, nil).Refused(401, api.CodeUnauthorized)
}

// Whether there is a user shows in no word of the answer.
func TestUnknownUsersLookLikeOthers(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	admin := b.Token(directory.RoleAdmin)
	b.User("anna", directory.RoleViewer)
	disabled := b.User("berta", directory.RoleViewer)
	b.Do(http.MethodPatch, "/api/users/"+disabled.ID, admin, map[string]bool{"disabled": true}).Wants(200, nil)
	invite(b, admin, "carla")
	var first servertest.Reply
	for i, ask := range []api.LoginRequest{
		{Login: "anna", Password: "wrong"},
		{Login: "nobody", Password: "wrong"},
		{Login: "berta", Password: servertest.Password},
		{Login: "carla", Password: ""},
		{Login: "anna", Password: ""},
		{},
		{Login: "an na", Password: "wrong"},
		{Login: "anna", Password: "wr\x00ong"},
		{Login: "anna\r\nSet-Cookie: x=y", Password: servertest.Password},
		{Login: strings.Repeat("a", 10_000), Password: "wrong"},
		{Login: "anna", Password: strings.Repeat("a", 10_000)},
	} {
		r := b.Do(http.MethodPost, "/api/login", "", ask)
		r.Refused(401, api.CodeBadLogin)
		if i == 0 {
			first = r
		}
		r.Header.Del("X-Request-Id")
		r.Header.Del("Date")
		if string(r.Body) != string(first.Body) || len(r.Header) != len(first.Header) || r.Header.Get("Set-Cookie") != "" {
			t.Errorf("%d: %s %v, first %s %v", i, r.Body, r.Header, first.Body, first.Header)
		}
	}
}

// Who guesses has to wait, whether there is such a user or not.
func TestGuessersWait(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	b.User("anna", directory.RoleViewer)
	for _, login := range []string{"anna", "nobody"} {
		var statuses []int
		for range 7 {
			r := b.Do(http.MethodPost, "/api/login", "", api.LoginRequest{Login: login, Password: "wrong"})
			statuses = append(statuses, r.Status)
		}
		if !slices.Equal(statuses, []int{401, 401, 401, 401, 401, 429, 429}) {
			t.Errorf("%s: %v", login, statuses)
		}
	}
	// And the right password waits as well, or waiting would reveal it.
	r := b.Do(http.MethodPost, "/api/login", "", api.LoginRequest{Login: "anna", Password: servertest.Password})
	r.Refused(429, api.CodeRateLimited)
}

// What is asked of an administrator is checked.
func TestUsersThatCannotBe(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	admin := b.Token(directory.RoleAdmin)
	b.Group("Reception")
	anna := b.User("anna", directory.RoleViewer)
	for _, body := range []string{
		`{}`, `[]`, `{"login":"x"}`, `{"login":"","role":"viewer"}`, `{"login":"a b","role":"viewer"}`, `{"login":"x","role":"self"}`,
		`{"login":"x","role":"admin","groups":["Reception"]}`, `{"login":"x","role":"auditor","groups":[]}`, `{"login":"x","role":"viewer","groups":["Nowhere"]}`,
		`{"login":"x","role":"viewer","groups":["a\u0000b"]}`, `{"login":"x","role":"viewer","groups":[""]}`,
		`{"login":"x","role":"viewer","groups":[` + strings.Repeat(`"a",`, api.MaxUserGroups) + `"a"]}`,
		`{"login":"x","role":"viewer","more":"` + strings.Repeat("x", 100_000) + `"}`,
	} {
		b.Do(http.MethodPost, "/api/users", admin, []byte(body)).Refused(400, api.CodeBadRequest)
	}
	path := "/api/users/" + anna.ID
	b.Do(http.MethodPatch, path, admin, []byte(`{}`)).Refused(400, api.CodeBadRequest)
	b.Do(http.MethodPut, path+"/access", admin, []byte(`{"role":"viewer","groups":["Nowhere"]}`)).Refused(400, api.CodeBadRequest)
	var u api.User
	b.Do(http.MethodPut, path+"/access", admin, []byte(`{"role":"manager","groups":["Reception"]}`)).Wants(200, &u)
	if u.Role != "manager" || !slices.Equal(u.Groups, []string{"Reception"}) {
		t.Errorf("%+v", u)
	}
	// Who changes another version than there is overwrites somebody.
	for _, version := range []string{`"` + anna.Version() + `"`, `nonsense`} {
		b.Do(http.MethodPut, path+"/access", admin, []byte(`{"role":"admin","groups":null}`), "If-Match", version).Refused(412, api.CodeChangedMeanwhile)
	}
	b.Do(http.MethodPut, path+"/access", admin, []byte(`{"role":"viewer","groups":null}`), "If-Match", `"`+u.Version+`"`).Wants(200, &u)
	b.Do(http.MethodGet, "/api/users/%00", admin, nil).Refused(404, api.CodeNotFound)
	b.Do(http.MethodGet, "/api/users/%FF", admin, nil).Refused(404, api.CodeNotFound)
	b.Do(http.MethodDelete, path+"/sessions/%00", admin, nil).Refused(404, api.CodeNotFound)
}
