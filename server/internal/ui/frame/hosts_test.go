package frame_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
)

// hostile is a name that means something to HTML and to an address.
const hostile = "a/b?c#d <i>x</i> %2f+"

// A host is found, labelled, given accounts of another and revoked on its page.
func TestHosts(t *testing.T) {
	b := newBrowser(t)
	b.Host("spare")
	b.login("admin")
	b.ask(http.MethodGet, "/hosts", nil).has(t, http.StatusOK, `href="hosts/office"`, "office.example", ">2</td>", "never used yet", "install.sh", "Make one.")
	r := b.ask(http.MethodGet, "/hosts?q=SPARE", nil)
	r.has(t, http.StatusOK, `href="hosts/spare"`)
	r.lacks(t, `href="hosts/office"`)
	b.ask(http.MethodGet, "/hosts?q=nothing", nil).has(t, http.StatusOK, "No host is called so.")
	b.ask(http.MethodGet, "/hosts?cursor=%20", nil).has(t, http.StatusBadRequest)

	b.ask(http.MethodPost, "/hosts/office", url.Values{"do": {"label"}, "label": {"<b>Front</b> desk"}}).sends(t, "./../hosts/office?done=changed")
	b.ask(http.MethodGet, "/hosts/office?done=changed", nil).has(t, http.StatusOK, "Changed.", "&lt;b&gt;Front&lt;/b&gt; desk", `href="../static/dashboard.css"`, `action="../hosts/office"`)
	b.ask(http.MethodPost, "/hosts/office", url.Values{"do": {"label"}, "label": {strings.Repeat("x", 300)}}).has(t, http.StatusBadRequest, "Nothing was changed", strings.Repeat("x", 300))

	b.ask(http.MethodPost, "/hosts/spare", url.Values{"do": {"move"}, "accounts": {"office-anna\r\n\r\n office-boris "}}).sends(t, "./../hosts/spare?done=moved")
	b.ask(http.MethodPost, "/hosts/spare", url.Values{"do": {"move"}, "accounts": {"nobody"}}).has(t, http.StatusNotFound, "nothing was moved")
	b.ask(http.MethodPost, "/hosts/spare", url.Values{"do": {"move"}}).has(t, http.StatusBadRequest)
	b.ask(http.MethodGet, "/hosts/spare", nil).has(t, http.StatusOK, `href="../people?q=spare.example">2</a>`)

	b.ask(http.MethodPost, "/hosts/office", url.Values{"do": {"revoke"}}).has(t, http.StatusBadRequest)
	b.ask(http.MethodPost, "/hosts/office", url.Values{"do": {"revoke"}, "sure": {"yes"}}).sends(t, "./../hosts/office?done=revoked")
	r = b.ask(http.MethodGet, "/hosts/office", nil)
	r.has(t, http.StatusOK, "revoked")
	r.lacks(t, `value="revoke"`)
	for _, unknown := range []string{"/hosts/nobody", "/hosts/" + url.PathEscape(hostile), "/hosts/%00", "/hosts/.", "/hosts/..", "/hosts/"} {
		if r := b.ask(http.MethodGet, unknown, nil); r.status != http.StatusNotFound {
			t.Errorf("%s: %d", unknown, r.status)
		}
	}
}

// Where the server has packages and an address, the page has the line that installs an agent.
func TestInstallLine(t *testing.T) {
	b := newBrowser(t)
	b.login("admin")
	b.ask(http.MethodGet, "/hosts", nil).has(t, http.StatusOK, "<code>curl -fsSL https://", "/install.sh | sudo sh</code>")
	if err := os.Remove(filepath.Join(b.Packages, "activity-tracker.gpg")); err != nil {
		t.Fatal(err)
	}
	r := b.ask(http.MethodGet, "/hosts", nil)
	r.has(t, http.StatusOK, "trackctl enroll https://")
	r.lacks(t, "curl")
}

// The rule that equal user names are one person is shown before it holds, and then holds.
func TestHostGroups(t *testing.T) {
	b := newBrowser(t)
	other := b.Host("annex")
	e := servertest.Minute("annex-boris", 0)
	e.Username = "boris"
	b.Send(other, e)
	b.login("admin")
	at := "/host-groups/" + url.PathEscape(hostile)
	b.ask(http.MethodPost, "/hosts", url.Values{"group": {hostile}}).sends(t, "./host-groups/"+url.PathEscape(hostile))
	for _, bad := range []string{"", "..", strings.Repeat("x", 200)} {
		b.ask(http.MethodPost, "/hosts", url.Values{"group": {bad}}).has(t, http.StatusBadRequest)
	}
	b.ask(http.MethodGet, at, nil).has(t, http.StatusOK, "not made yet", "&lt;i&gt;x&lt;/i&gt;")
	form := url.Values{"do": {"set"}, "hosts": {"office\nannex\n"}, "rule": {"yes"}}
	r := b.ask(http.MethodPost, at, form)
	r.has(t, http.StatusOK, "1 person would have several accounts", "1 account would come", ">boris</th>", "annex-boris", `value="confirm"`)
	groups := func() (list api.HostGroupList) {
		b.Do(http.MethodGet, "/api/host-groups", b.Token(directory.RoleAdmin), nil).Wants(http.StatusOK, &list)
		return list
	}
	if got := groups(); len(got.HostGroups) != 0 {
		t.Errorf("a preview has made %v", got)
	}
	form.Set("do", "confirm")
	b.ask(http.MethodPost, at, form).sends(t, "./../hosts?done=changed")
	if a, o := b.personOf("annex-boris"), b.personOf("office-boris"); a != o {
		t.Errorf("%s and %s are not one", a, o)
	}
	b.ask(http.MethodGet, "/hosts", nil).has(t, http.StatusOK, "are one person", "&lt;i&gt;x&lt;/i&gt;", `href="host-groups/a%2Fb%3Fc`)
	b.ask(http.MethodGet, at, nil).has(t, http.StatusOK, "Confirmed:", "checked", "annex\noffice")
	b.ask(http.MethodPost, at, url.Values{"do": {"set"}, "hosts": {"nobody"}}).has(t, http.StatusBadRequest, ">nobody</textarea>")
	b.ask(http.MethodPost, at, url.Values{"do": {"set"}, "hosts": {"office"}}).sends(t, "./../hosts?done=changed")
	if a, o := b.personOf("annex-boris"), b.personOf("office-boris"); a == o {
		t.Error("they are one still")
	}
	b.ask(http.MethodPost, at, url.Values{"do": {"remove"}}).has(t, http.StatusBadRequest)
	b.ask(http.MethodPost, at, url.Values{"do": {"remove"}, "sure": {"yes"}}).sends(t, "./../hosts?done=removed")
	if got := groups(); len(got.HostGroups) != 0 {
		t.Errorf("%v is left", got)
	}
}
