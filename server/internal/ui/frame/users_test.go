package frame_test

import (
	"net/http"
	"net/url"
	"regexp"
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/servertest/browser"
	"activity-tracker.example/server/internal/store/directory"
)

// userNamed returns a user as the API has them.
func (b *visitor) userNamed(login string) api.User {
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
	b.As("admin")
	form := url.Values{"do": {"invite"}, "login": {" new@example.org "}, "role": {"manager"}, "where": {"groups"}, "group": {"Support", hostile}}
	r := b.Ask(http.MethodPost, "/users", form)
	r.Has(t, http.StatusOK, "shown this once", "new@example.org", "a/b?c#d &lt;i&gt;x&lt;/i&gt; %2f&#43;")
	link := regexp.MustCompile(`<code>(https://[^#<]+)/invitation#(inv_[^<]+)</code>`).FindStringSubmatch(r.Text)
	if link == nil {
		t.Fatal("no link: ", r.Text)
	}
	b.Ask(http.MethodGet, "/users", nil).Lacks(t, link[2])
	if u := b.userNamed("new@example.org"); u.Role != "manager" || len(u.Groups) != 2 || u.State != api.UserInvited {
		t.Errorf("%+v", u)
	}
	b.Do(http.MethodPost, "/api/invitation", "", api.InvitationAcceptance{Invitation: link[2], Password: servertest.Password}).Wants(http.StatusOK, nil)
	b.Ask(http.MethodPost, "/users", form).Has(t, http.StatusConflict, "Another user has that login name.", `value=" new@example.org "`, `value="Support" checked`, `value="manager" selected`)
	form.Set("login", "other")
	form.Set("role", "admin")
	b.Ask(http.MethodPost, "/users", form).Has(t, http.StatusBadRequest, "only a manager or a viewer can be limited to groups", `value="other"`)
	for _, role := range []string{"manager", "viewer", "auditor"} {
		b.As(role)
		b.Ask(http.MethodPost, "/users", form).Has(t, http.StatusForbidden)
		b.Ask(http.MethodGet, "/users/"+b.userNamed("admin").ID, nil).Has(t, http.StatusForbidden)
	}
}

// What an administrator does to a user on their page is done.
func TestUserOnPage(t *testing.T) {
	b := newBrowser(t)
	b.Login("viewer")
	b.As("admin")
	at := "/users/" + b.userNamed("viewer").ID
	to := "./.." + at + "?done="
	r := b.Ask(http.MethodGet, at, nil)
	r.Has(t, http.StatusOK, "<bdi>viewer</bdi>", `value="Support" checked`, "End all logins")
	do := func(do string, more ...string) browser.Shown {
		form := url.Values{"do": {do}}
		for i := 0; i < len(more); i += 2 {
			form.Add(more[i], more[i+1])
		}
		return b.Ask(http.MethodPost, at, form)
	}
	do("access", "role", "auditor", "where", "all").Sends(t, to+"changed")
	if u := b.userNamed("viewer"); u.Role != "auditor" || u.Groups != nil {
		t.Errorf("%+v", u)
	}
	do("access", "role", "viewer", "where", "groups").Sends(t, to+"changed")
	if u := b.userNamed("viewer"); u.Groups == nil || len(u.Groups) != 0 {
		t.Errorf("who was limited to no group sees %+v", u)
	}
	do("access", "role", "king").Has(t, http.StatusBadRequest)
	version := b.userNamed("viewer").Version
	b.Ask(http.MethodGet, at, nil).Has(t, http.StatusOK, `name="version" value="`+version+`"`)
	do("access", "role", "manager", "where", "all", "version", version).Sends(t, to+"changed")
	// Another tab has the page as it was before, and is shown it as it is.
	do("access", "role", "admin", "where", "all", "version", version).Has(t, http.StatusPreconditionFailed, "Somebody else has changed this", `value="manager" selected`)
	do("access", "role", "viewer", "where", "groups", "version", b.userNamed("viewer").Version).Sends(t, to+"changed")
	do("logout").Sends(t, to+"ended")
	if u := b.userNamed("viewer"); u.Sessions != 0 {
		t.Errorf("%+v", u)
	}
	b.Login("viewer")
	id := regexp.MustCompile(`name="id" value="([^"]+)"`).FindStringSubmatch(b.Ask(http.MethodGet, at, nil).Text)
	do("end", "id", id[1]).Sends(t, to+"ended")
	do("end", "id", "../x").Has(t, http.StatusNotFound)
	do("forget").Sends(t, to+"forgotten")
	person := b.idOf("office-anna")
	b.Ask(http.MethodGet, at+"?q=ANNA", nil).Has(t, http.StatusOK, `value="`+person+`"`, "office-anna")
	b.Ask(http.MethodGet, at+"?q=nobody", nil).Has(t, http.StatusOK, "Nobody is called so.")
	do("tie", "person", person).Sends(t, to+"changed")
	b.Ask(http.MethodGet, at, nil).Has(t, http.StatusOK, `href="../people/`+person+`"`, `value="untie"`)
	do("tie", "person", "p999").Has(t, http.StatusNotFound)
	do("untie").Sends(t, to+"changed")
	do("disable").Sends(t, to+"changed")
	do("again").Has(t, http.StatusConflict)
	b.Ask(http.MethodGet, at, nil).Has(t, http.StatusOK, "disabled", `value="enable"`)
	do("enable").Sends(t, to+"changed")
	do("again").Has(t, http.StatusOK, "/invitation#inv_")
	do("other").Has(t, http.StatusBadRequest)
	for _, unknown := range []string{"/users/usr_none", "/users/" + url.PathEscape(hostile), "/users/.."} {
		b.Ask(http.MethodGet, unknown, nil).Has(t, http.StatusNotFound)
	}
}
