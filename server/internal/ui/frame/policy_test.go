package frame_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/servertest/browser"
	"activity-tracker.example/server/internal/store/directory"
)

// form returns what a page's form would send with this button: hidden fields and the text.
func formOf(tb testing.TB, s browser.Shown, do string) url.Values {
	tb.Helper()
	form := url.Values{"do": {do}}
	_, rest, ok := strings.Cut(s.Text, `class="edit">`)
	if !ok {
		tb.Fatal("no form to edit: ", s.Text)
	}
	rest, _, _ = strings.Cut(rest, "</form>")
	for _, m := range regexp.MustCompile(`<input type="hidden" name="(\w+)" value="([^"]*)"`).FindAllStringSubmatch(rest, -1) {
		form.Set(m[1], html.UnescapeString(m[2]))
	}
	if m := regexp.MustCompile(`(?s)<textarea name="text"[^>]*>\n(.*?)</textarea>`).FindStringSubmatch(rest); m != nil {
		form.Set("text", html.UnescapeString(m[1]))
	}
	return form
}

// What a text would change is shown before it does; then it is written, and said in plain words.
func TestPolicyPage(t *testing.T) {
	b := newBrowser(t)
	e := servertest.Minute("office-anna", 1)
	e.ActiveApp, e.ActiveWindow = "Mail", "Salary of <b>Anna</b>"
	b.sendNow(e)
	b.As("admin")
	page := b.Ask(http.MethodGet, "/policy", nil)
	page.Has(t, http.StatusOK, "Nothing was written", "always: no hours are set", "Never collected", "None was written yet.")

	form := formOf(t, page, "preview")
	form.Set("text", `{"titles": true, "work_hours": {"tz": "Europe/Moscow", "mon-fri": ["09:00-18:00"], "holidays": ["2027-01-01"]}}`)
	r := b.Ask(http.MethodPost, "/policy", form)
	r.Has(t, http.StatusOK, "Mon–Fri 09:00–18:00", "All titles would have been kept.", "None was written yet.", "Europe/Moscow&#34;, &#34;mon-fri")

	form = formOf(t, r, "rule")
	form.Set("title", "^Salary")
	form.Set("action", "replace")
	form.Set("with", "Mail <x>")
	r = b.Ask(http.MethodPost, "/policy", form)
	r.Has(t, http.StatusOK, "<del><bdi>Salary of &lt;b&gt;Anna&lt;/b&gt;</bdi></del> → <ins><bdi>Mail &lt;x&gt;</bdi></ins>", "title_rules", "any application: ^Salary – replaced with")

	b.Ask(http.MethodPost, "/policy", formOf(t, r, "write")).Sends(t, "./policy?done=written")
	page = b.Ask(http.MethodGet, "/policy?done=written", nil)
	page.Has(t, http.StatusOK, "Written.", "Mon–Fri 09:00–18:00", "not on 2027-01-01", "any application: ^Salary", "<bdi>admin</bdi></td><td data-name=\"State\">in force</td>")
	b.Ask(http.MethodPost, "/policy", formOf(t, page, "preview")).Has(t, http.StatusOK, "changes nothing of what holds")

	b.As("auditor")
	r = b.Ask(http.MethodGet, "/policy?version=1", nil)
	r.Has(t, http.StatusOK, "Mon–Fri 09:00–18:00", "title_rules", "<bdi>admin</bdi>")
	r.Lacks(t, "<textarea", "Write this version")
	b.Ask(http.MethodPost, "/policy", form).Has(t, http.StatusForbidden)
	b.Ask(http.MethodGet, "/policy?version=99", nil).Has(t, http.StatusNotFound)
	b.Ask(http.MethodGet, "/policy?version=x%2f..", nil).Has(t, http.StatusNotFound)
	b.Ask(http.MethodGet, "/policy?host_group=None", nil).Has(t, http.StatusNotFound)
}

// sendNow sends an event of a few minutes ago from the bench's host.
func (b *visitor) sendNow(e api.Event) {
	b.T.Helper()
	e.Timestamp = time.Now().UTC().Truncate(time.Minute).Add(-5 * time.Minute)
	b.Send(b.host, e)
}

// Two who edit at once: the second is refused with what the first has changed, and loses nothing.
func TestPolicyOfTwo(t *testing.T) {
	b := newBrowser(t)
	b.As("admin")
	mine := formOf(t, b.Ask(http.MethodGet, "/policy", nil), "write")
	theirs := formOf(t, b.Ask(http.MethodGet, "/policy", nil), "write")
	theirs.Set("text", `{"pause": false}`)
	b.Ask(http.MethodPost, "/policy", theirs).Sends(t, "./policy?done=written")
	mine.Set("text", `{"titles": false , "notice": {"en": "kept </textarea> as typed"}}`)
	r := b.Ask(http.MethodPost, "/policy", mine)
	r.Has(t, http.StatusPreconditionFailed, "Written meanwhile", "<bdi>admin</bdi>", "people may not pause", "Somebody else has changed this")
	again := formOf(t, r, "write")
	if again.Get("text") != mine.Get("text") || again.Get("version") == mine.Get("version") {
		t.Errorf("%v, of %v", again, mine)
	}
	b.Ask(http.MethodPost, "/policy", again).Sends(t, "./policy?done=written")
	b.Ask(http.MethodGet, "/policy", nil).Has(t, http.StatusOK, "not recorded", "people may pause", "kept &lt;/textarea&gt; as typed")

	// What cannot be is refused with why, and kept.
	for text, why := range map[string]string{
		"{\n\"titles\": maybe}": "line 2", `{"tittles": false}`: "tittles", "": "unexpected end", `[]`: "policy", `{} {}`: "line 1",
		`{"notice": {"en": "` + strings.Repeat("x", 200_000) + `"}}`: "larger than it may be", `{"notice": {"en": "\u202e"}}`: "202E",
	} {
		form := formOf(t, b.Ask(http.MethodGet, "/policy", nil), "write")
		form.Set("text", text)
		r := b.Ask(http.MethodPost, "/policy", form)
		if r.Status < http.StatusBadRequest || r.Status >= http.StatusInternalServerError || !strings.Contains(r.Text, why) || formOf(t, r, "write").Get("text") != text {
			t.Errorf("%.40q: %d, %.2000q", text, r.Status, r.Text)
		}
	}
	form := formOf(t, b.Ask(http.MethodGet, "/policy", nil), "write")
	form.Set("from", "2001-01-01T00:00")
	b.Ask(http.MethodPost, "/policy", form).Has(t, http.StatusBadRequest, "valid_from", `value="2001-01-01T00:00"`)
	form.Set("from", "soon")
	b.Ask(http.MethodPost, "/policy", form).Has(t, http.StatusBadRequest, "valid_from")
	form.Set("do", "delete")
	b.Ask(http.MethodPost, "/policy", form).Has(t, http.StatusBadRequest)
}

// A group of hosts has a policy of its own beside that for all.
func TestPolicyOfHostGroup(t *testing.T) {
	b := newBrowser(t)
	name := `Q&A "<i>`
	b.Do(http.MethodPut, "/api/host-groups/"+url.PathEscape(name), b.Token(directory.RoleAdmin), api.HostGroupMembers{Hosts: []string{}}).Wants(http.StatusNoContent, nil)
	b.As("admin")
	path := "/policy?" + url.Values{"host_group": {name}}.Encode()
	page := b.Ask(http.MethodGet, path, nil)
	page.Has(t, http.StatusOK, "The same as on all hosts.", "Q&amp;A &#34;&lt;i&gt;")
	form := formOf(t, page, "write")
	form.Set("text", `{"self": false}`)
	b.Ask(http.MethodPost, "/policy", form).Sends(t, "./policy?done=written&"+strings.TrimPrefix(path, "/policy?"))
	b.Ask(http.MethodGet, path, nil).Has(t, http.StatusOK, "people cannot open it by trackctl web", "people may pause being measured")
	form.Set("text", `{"retention": {"titles_days": 3}}`)
	form.Set("version", "*")
	b.Ask(http.MethodPost, "/policy", form).Has(t, http.StatusBadRequest, "can only be set for all hosts")
}
