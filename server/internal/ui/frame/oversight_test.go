package frame_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
)

// Who has confirmed which version of the notice is shown, and to administrators who has not.
func TestReceiptsPage(t *testing.T) {
	b := newBrowser(t)
	b.login("admin")
	b.ask(http.MethodGet, "/receipts", nil).has(t, http.StatusOK, "Nobody has confirmed a notice yet", "office-boris", "&lt;b onload=x&gt;Anna")
	old, fresh := strings.Repeat("ab", 32), strings.Repeat("cd", 32)
	for account, notice := range map[string]string{"office-anna": old, "office-boris": fresh} {
		b.Do(http.MethodPost, "/api/receipts", b.host, api.Receipt{MachineID: account, Notice: notice, ReadAt: time.Now().UTC()}).Wants(http.StatusNoContent, nil)
	}
	r := b.ask(http.MethodGet, "/receipts", nil)
	r.has(t, http.StatusOK, "Every account has.", "abababababab", "cdcdcdcdcdcd", `href="api/receipts?format=csv"`)
	r = b.ask(http.MethodGet, "/receipts?notice="+old, nil)
	r.has(t, http.StatusOK, `notice=`+old, `option value="`+old+`" selected`)
	missing, confirmed, _ := strings.Cut(r.text, "Have confirmed")
	if strings.Contains(missing, "Anna&lt;/b&gt;") || !strings.Contains(missing, "boris") || strings.Contains(confirmed, "boris") || !strings.Contains(confirmed, "Anna") {
		t.Error(r.text)
	}
	b.login("auditor")
	r = b.ask(http.MethodGet, "/receipts?notice=%3Cb%3E", nil)
	r.has(t, http.StatusOK, "Administrators see here")
	r.lacks(t, "<b>")
	b.ask(http.MethodGet, "/receipts", nil).has(t, http.StatusOK, "boris", "office.example")
	b.ask(http.MethodGet, "/api/receipts?format=csv", nil).has(t, http.StatusOK, "office-boris")
	b.login("manager")
	b.ask(http.MethodGet, "/receipts", nil).has(t, http.StatusForbidden)
}

// The log of changes is shown by day and kind, page by page, and who looked at whom.
func TestAuditPage(t *testing.T) {
	b := newBrowser(t)
	admin := b.Token(directory.RoleAdmin)
	for range 120 {
		b.Do(http.MethodPatch, "/api/machines/office-anna", admin, map[string]string{"user_label": `<i>"Anna"`}).Wants(http.StatusOK, nil)
		b.Do(http.MethodPatch, "/api/machines/office-anna", admin, map[string]string{"user_label": "Anna"}).Wants(http.StatusOK, nil)
	}
	b.login("auditor")
	page := b.ask(http.MethodGet, "/audit", nil)
	page.has(t, http.StatusOK, "account labelled", "&lt;i&gt;", "trackerd-server audit verify", "test (token)", `rel="next"`)
	seen := map[string]bool{}
	for path := "/audit"; path != ""; {
		r := b.ask(http.MethodGet, path, nil)
		for _, m := range regexp.MustCompile(`<small>(\d+)</small></td>`).FindAllStringSubmatch(r.text, -1) {
			if seen[m[1]] {
				t.Fatal("twice: ", m[1])
			}
			seen[m[1]] = true
		}
		path = ""
		if m := regexp.MustCompile(`href="(audit\?[^"]*)" rel="next"`).FindStringSubmatch(r.text); m != nil {
			path = "/" + m[1]
		}
	}
	var list api.ChangeList
	b.Do(http.MethodGet, "/api/audit?limit=1", admin, nil).Wants(http.StatusOK, &list)
	if int64(len(seen)) < list.Changes[0].Seq-1 { // the token above is one more
		t.Errorf("%d of %d", len(seen), list.Changes[0].Seq)
	}
	r := b.ask(http.MethodGet, "/audit?kind=user", nil)
	r.has(t, http.StatusOK, "password set by an invitation")
	r.lacks(t, "account labelled")
	b.ask(http.MethodGet, "/audit?kind=user&date="+time.Now().UTC().Format(time.DateOnly), nil).has(t, http.StatusOK, "user invited")
	b.ask(http.MethodGet, "/audit?date=2001-01-01", nil).has(t, http.StatusOK, "Nothing was changed that fits.")
	for _, wrong := range []string{"kind=x", "date=yesterday", "cursor=x", "kind=%3Cb%3E"} {
		b.ask(http.MethodGet, "/audit?"+wrong, nil).has(t, http.StatusBadRequest)
	}

	b.login("admin")
	own := b.personOf("office-anna")
	b.ask(http.MethodGet, own, nil)
	for _, of := range []string{"office-anna", strings.TrimPrefix(own, "/people/")} {
		b.ask(http.MethodGet, "/audit?"+url.Values{"of": {of}}.Encode(), nil).has(t, http.StatusOK, "admin (user)", "the day")
	}
	for _, of := range []string{"none", "p999", "../hosts", `<b>`, "p1/../../x", strings.Repeat("x", 5000)} {
		if r := b.ask(http.MethodGet, "/audit?"+url.Values{"of": {of}}.Encode(), nil); r.status != http.StatusNotFound && r.status != http.StatusBadRequest {
			t.Errorf("%.20q: %d", of, r.status)
		}
	}
}

// The counts above Now are of somebody alone where a search is, also when no row is shown.
func TestCountsAreLooks(t *testing.T) {
	b := newBrowser(t)
	b.login("viewer")
	b.ask(http.MethodGet, "/?q=anna&state=disconnected", nil).lacks(t, "office-anna")
	var list api.AccessList
	b.Do(http.MethodGet, "/api/machines/office-anna/access", b.Token(directory.RoleAdmin), nil).Wants(http.StatusOK, &list)
	if len(list.Access) != 1 || list.Access[0].ReaderName != "viewer" || list.Access[0].What != api.LookedLive {
		t.Errorf("%+v", list.Access)
	}
}

// An account that a host names as the server names people hides nobody.
func TestAuditOfAPerson(t *testing.T) {
	b := newBrowser(t)
	b.login("admin")
	own := b.personOf("office-anna")
	id := strings.TrimPrefix(own, "/people/")
	b.ask(http.MethodGet, own, nil).has(t, http.StatusOK)
	b.Send(b.host, servertest.Minute(id, 0))
	b.login("auditor")
	b.ask(http.MethodGet, "/audit?of="+id, nil).has(t, http.StatusOK, "admin (user)", "the day")
}
