package frame_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/servertest/browser"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/ui/words"
)

// hostile is a name that means something to HTML and to an address.
const hostile = "a/b?c#d <i>x</i> %2f+"

// A host is found, labelled, given accounts of another and revoked on its page.
func TestHosts(t *testing.T) {
	b := newBrowser(t)
	b.Host("spare")
	b.As("admin")
	b.Ask(http.MethodGet, "/hosts", nil).Has(t, http.StatusOK, `href="hosts/office"`, "office.example", ">2</td>", "never used yet", "install.sh", "Make one.")
	r := b.Ask(http.MethodGet, "/hosts?q=SPARE", nil)
	r.Has(t, http.StatusOK, `href="hosts/spare"`)
	r.Lacks(t, `href="hosts/office"`)
	b.Ask(http.MethodGet, "/hosts?q=nothing", nil).Has(t, http.StatusOK, "No host is called so.")
	b.Ask(http.MethodGet, "/hosts?cursor=%20", nil).Has(t, http.StatusBadRequest)

	b.Ask(http.MethodPost, "/hosts/office", url.Values{"do": {"label"}, "label": {"<b>Front</b> desk"}}).Sends(t, "./../hosts/office?done=changed")
	b.Ask(http.MethodGet, "/hosts/office?done=changed", nil).Has(t, http.StatusOK, "Changed.", "&lt;b&gt;Front&lt;/b&gt; desk", `href="../static/dashboard.css"`, `action="../hosts/office"`)
	b.Ask(http.MethodPost, "/hosts/office", url.Values{"do": {"label"}, "label": {strings.Repeat("x", 300)}}).Has(t, http.StatusBadRequest, "Nothing was changed", strings.Repeat("x", 300))

	b.Ask(http.MethodPost, "/hosts/spare", url.Values{"do": {"move"}, "accounts": {"office-anna\r\n\r\n office-boris "}}).Sends(t, "./../hosts/spare?done=moved")
	b.Ask(http.MethodPost, "/hosts/spare", url.Values{"do": {"move"}, "accounts": {"nobody"}}).Has(t, http.StatusNotFound, "nothing was moved")
	b.Ask(http.MethodPost, "/hosts/spare", url.Values{"do": {"move"}}).Has(t, http.StatusBadRequest)
	b.Ask(http.MethodGet, "/hosts/spare", nil).Has(t, http.StatusOK, `href="../people?q=spare.example">2</a>`)

	b.Ask(http.MethodPost, "/hosts/office", url.Values{"do": {"revoke"}}).Has(t, http.StatusBadRequest)
	b.Ask(http.MethodPost, "/hosts/office", url.Values{"do": {"revoke"}, "sure": {"yes"}}).Sends(t, "./../hosts/office?done=revoked")
	r = b.Ask(http.MethodGet, "/hosts/office", nil)
	r.Has(t, http.StatusOK, "revoked")
	r.Lacks(t, `value="revoke"`)
	for _, unknown := range []string{"/hosts/nobody", "/hosts/" + url.PathEscape(hostile), "/hosts/%00", "/hosts/.", "/hosts/..", "/hosts/"} {
		if r := b.Ask(http.MethodGet, unknown, nil); r.Status != http.StatusNotFound {
			t.Errorf("%s: %d", unknown, r.Status)
		}
	}
}

// A host's page has what its agent reports: the version, marked where another has a newer
// one, its clock, and what cannot be seen there with what to do; of older agents that it is
// not known.
func TestHostReports(t *testing.T) {
	b := newBrowser(t)
	spare, far := b.Host("spare"), b.Host("far")
	ask := func(credential, version, unseen string, clock time.Time) {
		t.Helper()
		b.Do(http.MethodGet, "/api/policy", credential, nil, "User-Agent", api.AgentProduct+version, api.UnseenHeader, unseen, api.ClockHeader, clock.Format(time.RFC3339Nano)).Wants(http.StatusOK, nil)
		if err := b.Store.Heartbeats.Write(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	b.As("admin")
	b.Ask(http.MethodGet, "/hosts/spare", nil).Has(t, http.StatusOK, "<dt>Agent</dt><dd>not known</dd>", "<dt>Clock</dt><dd>not known</dd>", "it is an older one", "nobody has been measured there")

	ask(spare, "1.2~rc1", "lock_unknown,counts_missing,focus_missing,of_tomorrow", time.Now().Add(-3*time.Minute))
	ask(far, "1.2", "none", time.Now())
	b.Ask(http.MethodGet, "/hosts", nil).Has(t, http.StatusOK, "1.2~rc1<small class=\"look\">older than others", `class="look">3 min behind`, "keys and clicks at the seat, the application in front<small>and 2 more", "all is seen", "right</td>")
	r := b.Ask(http.MethodGet, "/hosts/spare", nil)
	r.Has(t, http.StatusOK, "Its clock and the server&#39;s differ", "timedatectl", "sudo apt install trackerd", "<dt>locked screens</dt><dd>No screen locker", "<dt>of_tomorrow</dt><dd>A newer agent reports this", "<dt>Last upload</dt><dd>none yet, last heard")
	b.Ask(http.MethodGet, "/hosts/far", nil).Has(t, http.StatusOK, "<dt>Agent</dt><dd>1.2</dd>", "<dt>Clock</dt><dd>right</dd>", "<p>all is seen</p>")
	b.Send(far, servertest.Minute("far-anna", 0))
	ask(far, "1.1", "none", time.Date(9999, time.December, 31, 0, 0, 0, 0, time.UTC))
	b.Ask(http.MethodGet, "/hosts/far", nil).Has(t, http.StatusOK, " days ahead", "<dt>Last upload</dt><dd>")
	ask(far, strings.Repeat("9", 4096), hostile, time.Now())
	b.Ask(http.MethodGet, "/hosts/far", nil).Has(t, http.StatusOK, "<dt>Agent</dt><dd>not known</dd>")
}

// What cannot be seen is in words, in all languages; a test of the catalogues holds those
// together.
func TestUnseenIsWorded(t *testing.T) {
	all, err := words.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range api.UnseenCodes() {
		for _, key := range []string{"hosts.unseen." + string(code), "hosts.unseen.do." + string(code)} {
			if !all.Languages()[0].Has(key) {
				t.Errorf("there are no words %s", key)
			}
		}
	}
}

// Where the server has packages and an address, the page has the line that installs an agent.
func TestInstallLine(t *testing.T) {
	b := newBrowser(t)
	b.As("admin")
	b.Ask(http.MethodGet, "/hosts", nil).Has(t, http.StatusOK, "<code>curl -fsSL https://", "/install.sh | sudo sh</code>")
	if err := os.Remove(filepath.Join(b.Packages, "activity-tracker.gpg")); err != nil {
		t.Fatal(err)
	}
	r := b.Ask(http.MethodGet, "/hosts", nil)
	r.Has(t, http.StatusOK, "trackctl enroll https://")
	r.Lacks(t, "curl")
}

// The rule that equal user names are one person is shown before it holds, and then holds.
func TestHostGroups(t *testing.T) {
	b := newBrowser(t)
	other := b.Host("annex")
	e := servertest.Minute("annex-boris", 0)
	e.Username = "boris"
	b.Send(other, e)
	b.As("admin")
	at := "/host-groups/" + url.PathEscape(hostile)
	b.Ask(http.MethodPost, "/hosts", url.Values{"group": {hostile}}).Sends(t, "./host-groups/"+url.PathEscape(hostile))
	for _, bad := range []string{"", "..", strings.Repeat("x", 200)} {
		b.Ask(http.MethodPost, "/hosts", url.Values{"group": {bad}}).Has(t, http.StatusBadRequest)
	}
	b.Ask(http.MethodGet, at, nil).Has(t, http.StatusOK, "not made yet", "&lt;i&gt;x&lt;/i&gt;")
	form := url.Values{"do": {"set"}, "hosts": {"office\nannex\n"}, "rule": {"yes"}}
	r := b.Ask(http.MethodPost, at, form)
	r.Has(t, http.StatusOK, "1 person would have several accounts", "1 account would come", ">boris</th>", "annex-boris", `value="confirm"`)
	groups := func() (list api.HostGroupList) {
		b.Do(http.MethodGet, "/api/host-groups", b.Token(directory.RoleAdmin), nil).Wants(http.StatusOK, &list)
		return list
	}
	if got := groups(); len(got.HostGroups) != 0 {
		t.Errorf("a preview has made %v", got)
	}
	form.Set("do", "confirm")
	b.Ask(http.MethodPost, at, form).Sends(t, "./../hosts?done=changed")
	if a, o := b.idOf("annex-boris"), b.idOf("office-boris"); a != o {
		t.Errorf("%s and %s are not one", a, o)
	}
	b.Ask(http.MethodGet, "/hosts", nil).Has(t, http.StatusOK, "are one person", "&lt;i&gt;x&lt;/i&gt;", `href="host-groups/a%2Fb%3Fc`)
	b.Ask(http.MethodGet, at, nil).Has(t, http.StatusOK, "Confirmed:", "checked", "annex\noffice")
	b.Ask(http.MethodPost, at, url.Values{"do": {"set"}, "hosts": {"nobody"}}).Has(t, http.StatusBadRequest, ">nobody</textarea>")
	b.Ask(http.MethodPost, at, url.Values{"do": {"set"}, "hosts": {"office"}}).Sends(t, "./../hosts?done=changed")
	if a, o := b.idOf("annex-boris"), b.idOf("office-boris"); a == o {
		t.Error("they are one still")
	}
	b.Ask(http.MethodPost, at, url.Values{"do": {"remove"}}).Has(t, http.StatusBadRequest)
	b.Ask(http.MethodPost, at, url.Values{"do": {"remove"}, "sure": {"yes"}}).Sends(t, "./../hosts?done=removed")
	if got := groups(); len(got.HostGroups) != 0 {
		t.Errorf("%v is left", got)
	}
}

// Of two tabs that change one group of hosts the later one is refused; it has what was typed and
// what the other did, and may be saved then.
func TestHostGroupOfTwo(t *testing.T) {
	b := newBrowser(t)
	b.Host("annex")
	b.Host("third")
	b.As("admin")
	const at = "/host-groups/night"
	hidden := func(page browser.Shown) string {
		_, version, _ := strings.Cut(page.Text, `name="version" value="`)
		version, _, _ = strings.Cut(version, `"`)
		return version
	}
	form := func(version, base, hosts string) url.Values {
		return url.Values{"do": {"set"}, "hosts": {hosts}, "version": {version}, "base": {base}}
	}
	none := hidden(b.Get(at))
	b.Post(at, form(none, "", "office\nannex")).Sends(t, "./../hosts?done=changed")
	b.Post(at, form(none, "", "third")).Has(t, http.StatusPreconditionFailed, "Changed meanwhile", "Came to it", "<bdi>annex</bdi> <bdi>office</bdi>", ">third</textarea>")
	first := hidden(b.Get(at))
	b.Post(at, form(first, "annex\noffice", "office\nthird")).Sends(t, "./../hosts?done=changed")
	refused := b.Post(at, form(first, "annex\noffice", "annex"))
	refused.Has(t, http.StatusPreconditionFailed, `role="alert"`, "<dt>Came to it</dt><dd><bdi>third</bdi>", "<dt>Taken out</dt><dd><bdi>annex</bdi>", ">annex</textarea>")
	b.Post(at, form(first, "annex\noffice", "nobody")).Has(t, http.StatusPreconditionFailed)
	b.Post(at, form(hidden(refused), "office\nthird", "annex")).Sends(t, "./../hosts?done=changed")
	rule := form(first, "annex\noffice", "annex")
	rule.Set("do", "confirm")
	rule.Set("rule", "yes")
	b.Post(at, rule).Has(t, http.StatusPreconditionFailed, "Changed meanwhile", "checked")
	b.Post(at, url.Values{"do": {"remove"}, "sure": {"yes"}}).Sends(t, "./../hosts?done=removed")
	b.Post(at, form(first, "annex\noffice", "annex")).Has(t, http.StatusPreconditionFailed, "The group was removed.", ">annex</textarea>")
}
