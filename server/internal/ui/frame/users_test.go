package frame_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
)

// userNamed returns a user as the API has them.
func (b *browser) userNamed(login string) api.User {
	b.T.Helper()
	var list api.UserList
	b.Do(http.MethodGet, "/api/users", b.Token(directory.RoleAdmin), nil).Wants(http.StatusOK, &list)
	for i := range list.Users {
		if list.Users[i].Login == login {
			return list.Users[i]
		}
	}
	b.T.Fatalf("there is no user %q", login)
	return api.User{}
}

// Somebody is invited by a link that is shown once and works, with a role and groups.
func TestInviteOnPage(t *testing.T) {
	b := newBrowser(t)
	b.Group(hostile)
	b.login("admin")
	form := url.Values{"do": {"invite"}, "login": {" new@example.org "}, "role": {"manager"}, "where": {"groups"}, "group": {"Support", hostile}}
	r := b.ask(http.MethodPost, "/users", form)
	r.has(t, http.StatusOK, "shown this once", "new@example.org", "a/b?c#d &lt;i&gt;x&lt;/i&gt; %2f&#43;")
	link := regexp.MustCompile(`<code>(https://[^#<]+)/invitation#(inv_[^<]+)</code>`).FindStringSubmatch(r.text)
	if link == nil {
		t.Fatal("no link: ", r.text)
	}
	b.ask(http.MethodGet, "/users", nil).lacks(t, link[2])
	if u := b.userNamed("new@example.org"); u.Role != "manager" || len(u.Groups) != 2 || u.State != api.UserInvited {
		t.Errorf("%+v", u)
	}
	b.Do(http.MethodPost, "/api/invitation", "", api.InvitationAcceptance{Invitation: link[2], Password: servertest.Password}).Wants(http.StatusOK, nil)
	b.ask(http.MethodPost, "/users", form).has(t, http.StatusConflict, "Another user has that login name.", `value=" new@example.org "`, `value="Support" checked`, `value="manager" selected`)
	form.Set("login", "other")
	form.Set("role", "admin")
	b.ask(http.MethodPost, "/users", form).has(t, http.StatusBadRequest, "only a manager or a viewer can be limited to groups", `value="other"`)
	for _, role := range []string{"manager", "viewer", "auditor"} {
		b.login(role)
		b.ask(http.MethodPost, "/users", form).has(t, http.StatusForbidden)
		b.ask(http.MethodGet, "/users/"+b.userNamed("admin").ID, nil).has(t, http.StatusForbidden)
	}
}

// What an administrator does to a user on their page is done.
func TestUserOnPage(t *testing.T) {
	b := newBrowser(t)
	b.Login("viewer")
	b.login("admin")
	at := "/users/" + b.userNamed("viewer").ID
	to := "./.." + at + "?done="
	r := b.ask(http.MethodGet, at, nil)
	r.has(t, http.StatusOK, "<bdi>viewer</bdi>", `value="Support" checked`, "End all logins")
	do := func(do string, more ...string) shown {
		form := url.Values{"do": {do}}
		for i := 0; i < len(more); i += 2 {
			form.Add(more[i], more[i+1])
		}
		return b.ask(http.MethodPost, at, form)
	}
	do("access", "role", "auditor", "where", "all").sends(t, to+"changed")
	if u := b.userNamed("viewer"); u.Role != "auditor" || u.Groups != nil {
		t.Errorf("%+v", u)
	}
	do("access", "role", "viewer", "where", "groups").sends(t, to+"changed")
	if u := b.userNamed("viewer"); u.Groups == nil || len(u.Groups) != 0 {
		t.Errorf("who was limited to no group sees %+v", u)
	}
	do("access", "role", "king").has(t, http.StatusBadRequest)
	do("logout").sends(t, to+"ended")
	if u := b.userNamed("viewer"); u.Sessions != 0 {
		t.Errorf("%+v", u)
	}
	b.Login("viewer")
	id := regexp.MustCompile(`name="id" value="([^"]+)"`).FindStringSubmatch(b.ask(http.MethodGet, at, nil).text)
	do("end", "id", id[1]).sends(t, to+"ended")
	do("end", "id", "../x").has(t, http.StatusNotFound)
	do("forget").sends(t, to+"forgotten")
	person := strings.TrimPrefix(b.personOf("office-anna"), "/people/")
	b.ask(http.MethodGet, at+"?q=ANNA", nil).has(t, http.StatusOK, `value="`+person+`"`, "office-anna")
	b.ask(http.MethodGet, at+"?q=nobody", nil).has(t, http.StatusOK, "Nobody is called so.")
	do("tie", "person", person).sends(t, to+"changed")
	b.ask(http.MethodGet, at, nil).has(t, http.StatusOK, `href="../people/`+person+`"`, `value="untie"`)
	do("tie", "person", "p999").has(t, http.StatusNotFound)
	do("untie").sends(t, to+"changed")
	do("disable").sends(t, to+"changed")
	do("again").has(t, http.StatusConflict)
	b.ask(http.MethodGet, at, nil).has(t, http.StatusOK, "disabled", `value="enable"`)
	do("enable").sends(t, to+"changed")
	do("again").has(t, http.StatusOK, "/invitation#inv_")
	do("other").has(t, http.StatusBadRequest)
	for _, unknown := range []string{"/users/usr_none", "/users/" + url.PathEscape(hostile), "/users/.."} {
		b.ask(http.MethodGet, unknown, nil).has(t, http.StatusNotFound)
	}
}
