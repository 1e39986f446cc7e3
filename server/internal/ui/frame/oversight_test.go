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
	b.As("admin")
	b.Ask(http.MethodGet, "/receipts", nil).Has(t, http.StatusOK, "Nobody has confirmed a notice yet", "office-boris", "&lt;b onload=x&gt;Anna")
	old, fresh := strings.Repeat("ab", 32), strings.Repeat("cd", 32)
	for account, notice := range map[string]string{"office-anna": old, "office-boris": fresh} {
		b.Do(http.MethodPost, "/api/receipts", b.host, api.Receipt{MachineID: account, Notice: notice, ReadAt: time.Now().UTC()}).Wants(http.StatusNoContent, nil)
	}
	r := b.Ask(http.MethodGet, "/receipts", nil)
	r.Has(t, http.StatusOK, "Every account has.", "abababababab", "cdcdcdcdcdcd", `href="api/receipts?format=csv"`)
	r = b.Ask(http.MethodGet, "/receipts?notice="+old, nil)
	r.Has(t, http.StatusOK, `notice=`+old, `option value="`+old+`" selected`)
	missing, confirmed, _ := strings.Cut(r.Text, "Have confirmed")
	if strings.Contains(missing, "Anna&lt;/b&gt;") || !strings.Contains(missing, "boris") || strings.Contains(confirmed, "boris") || !strings.Contains(confirmed, "Anna") {
		t.Error(r.Text)
	}
	b.As("auditor")
	r = b.Ask(http.MethodGet, "/receipts?notice=%3Cb%3E", nil)
	r.Has(t, http.StatusOK, "Administrators see here")
	r.Lacks(t, "<b>")
	b.Ask(http.MethodGet, "/receipts", nil).Has(t, http.StatusOK, "boris", "office.example")
	b.Ask(http.MethodGet, "/api/receipts?format=csv", nil).Has(t, http.StatusOK, "office-boris")
	b.As("manager")
	b.Ask(http.MethodGet, "/receipts", nil).Has(t, http.StatusForbidden)
}

// The log of changes is shown by day and kind, page by page, and who looked at whom.
func TestAuditPage(t *testing.T) {
	b := newBrowser(t)
	admin := b.Token(directory.RoleAdmin)
	for range 120 {
		b.Do(http.MethodPatch, "/api/machines/office-anna", admin, map[string]string{"user_label": `<i>"Anna"`}).Wants(http.StatusOK, nil)
		b.Do(http.MethodPatch, "/api/machines/office-anna", admin, map[string]string{"user_label": "Anna"}).Wants(http.StatusOK, nil)
	}
	b.As("auditor")
	page := b.Ask(http.MethodGet, "/audit", nil)
	page.Has(t, http.StatusOK, "account labelled", "&lt;i&gt;", "trackerd-server audit verify", "test (token)", `rel="next"`)
	seen := map[string]bool{}
	for path := "/audit"; path != ""; {
		r := b.Ask(http.MethodGet, path, nil)
		for _, m := range regexp.MustCompile(`<small>(\d+)</small></td>`).FindAllStringSubmatch(r.Text, -1) {
			if seen[m[1]] {
				t.Fatal("twice: ", m[1])
			}
			seen[m[1]] = true
		}
		path = ""
		if m := regexp.MustCompile(`href="(audit\?[^"]*)" rel="next"`).FindStringSubmatch(r.Text); m != nil {
			path = "/" + m[1]
		}
	}
	var list api.ChangeList
	b.Do(http.MethodGet, "/api/audit?limit=1", admin, nil).Wants(http.StatusOK, &list)
	if int64(len(seen)) < list.Changes[0].Seq-1 { // the token above is one more
		t.Errorf("%d of %d", len(seen), list.Changes[0].Seq)
	}
	r := b.Ask(http.MethodGet, "/audit?kind=user", nil)
	r.Has(t, http.StatusOK, "password set by an invitation")
	r.Lacks(t, "account labelled")
	b.Ask(http.MethodGet, "/audit?kind=user&date="+time.Now().UTC().Format(time.DateOnly), nil).Has(t, http.StatusOK, "user invited")
	b.Ask(http.MethodGet, "/audit?date=2001-01-01", nil).Has(t, http.StatusOK, "Nothing was changed that fits.")
	for _, wrong := range []string{"kind=x", "date=yesterday", "cursor=x", "kind=%3Cb%3E"} {
		b.Ask(http.MethodGet, "/audit?"+wrong, nil).Has(t, http.StatusBadRequest)
	}

	b.As("admin")
	own := "/people/" + b.idOf("office-anna")
	b.Ask(http.MethodGet, own, nil)
	for _, of := range []string{"office-anna", strings.TrimPrefix(own, "/people/")} {
		b.Ask(http.MethodGet, "/audit?"+url.Values{"of": {of}}.Encode(), nil).Has(t, http.StatusOK, "admin (user)", "the day")
	}
	for _, of := range []string{"none", "p999", "../hosts", `<b>`, "p1/../../x", strings.Repeat("x", 5000)} {
		if r := b.Ask(http.MethodGet, "/audit?"+url.Values{"of": {of}}.Encode(), nil); r.Status != http.StatusNotFound && r.Status != http.StatusBadRequest {
			t.Errorf("%.20q: %d", of, r.Status)
		}
	}
}

// The counts above Now are of somebody alone where a search is, also when no row is shown.
func TestCountsAreLooks(t *testing.T) {
	b := newBrowser(t)
	b.As("viewer")
	b.Ask(http.MethodGet, "/?q=anna&state=disconnected", nil).Lacks(t, "office-anna")
	var list api.AccessList
	b.Do(http.MethodGet, "/api/machines/office-anna/access", b.Token(directory.RoleAdmin), nil).Wants(http.StatusOK, &list)
	if len(list.Access) != 1 || list.Access[0].ReaderName != "viewer" || list.Access[0].What != api.LookedLive {
		t.Errorf("%+v", list.Access)
	}
}

// An account that a host names as the server names people hides nobody.
func TestAuditOfAPerson(t *testing.T) {
	b := newBrowser(t)
	b.As("admin")
	own := "/people/" + b.idOf("office-anna")
	id := strings.TrimPrefix(own, "/people/")
	b.Ask(http.MethodGet, own, nil).Has(t, http.StatusOK)
	b.Send(b.host, servertest.Minute(id, 0))
	b.As("auditor")
	b.Ask(http.MethodGet, "/audit?of="+id, nil).Has(t, http.StatusOK, "admin (user)", "the day")
}
