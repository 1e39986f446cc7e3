package frame_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/servertest/browser"
	"activity-tracker.example/server/internal/store/directory"
)

// A group is made, filled, emptied, renamed and removed on its page, whatever it is called.
func TestGroupsOnPage(t *testing.T) {
	b := newBrowser(t)
	b.As("admin")
	at := "/groups/" + url.PathEscape(hostile)
	to := "./.." + at
	b.Ask(http.MethodPost, "/groups", url.Values{"name": {" " + hostile}}).Sends(t, "."+at)
	for _, bad := range []string{"", "..", strings.Repeat("x", 200), "a\u202eb"} {
		b.Ask(http.MethodPost, "/groups", url.Values{"name": {bad}}).Has(t, http.StatusBadRequest)
	}
	b.Ask(http.MethodGet, "/groups", nil).Has(t, http.StatusOK, "Support", "a/b?c#d &lt;i&gt;x&lt;/i&gt;", `href="groups/a%2Fb%3Fc`)
	b.Ask(http.MethodGet, at, nil).Has(t, http.StatusOK, "Nobody was put in.", "It holds no account.", `href="../static/dashboard.css"`)
	person := b.idOf("office-boris")
	do := func(do, key, value string) browser.Shown {
		return b.Ask(http.MethodPost, at, url.Values{"do": {do}, key: {value}})
	}
	members := func() (ids string) {
		var list api.MachineList
		b.Do(http.MethodGet, "/api/groups/"+url.PathEscape(hostile)+"/machines", b.Token(directory.RoleAdmin), nil).Wants(http.StatusOK, &list)
		for i := range list.Machines {
			ids += list.Machines[i].MachineID + " "
		}
		return ids
	}
	b.Ask(http.MethodGet, at+"?q=BORIS", nil).Has(t, http.StatusOK, `value="`+person+`"`, `value="office-boris"`)
	do("add-person", "person", person).Sends(t, to+"?done=added")
	do("add-account", "account", "office-anna").Sends(t, to+"?done=added")
	if got := members(); got != "office-anna office-boris " {
		t.Error(got)
	}
	b.Ask(http.MethodGet, at+"?q=boris", nil).Has(t, http.StatusOK, "brought by <bdi>boris</bdi>", "is in", "&lt;b onload=x&gt;Anna&lt;/b&gt;")
	do("remove-account", "account", "office-boris").Has(t, http.StatusConflict, "Take the person out instead.")
	do("remove-account", "account", "office-anna").Sends(t, to+"?done=removed")
	do("remove-person", "person", person).Sends(t, to+"?done=removed")
	if got := members(); got != "" {
		t.Error(got)
	}
	for _, bad := range []string{"", "..", "p999", "x/y"} {
		if r := do("add-person", "person", bad); r.Status != http.StatusNotFound {
			t.Errorf("%q: %d", bad, r.Status)
		}
	}
	do("rename", "name", "Support").Has(t, http.StatusConflict, "Another group has that name.", `value="Support"`)
	do("rename", "name", "Front").Sends(t, "./../groups/Front?done=changed")
	b.Ask(http.MethodGet, at, nil).Has(t, http.StatusNotFound)
	b.Ask(http.MethodPost, "/groups/Front", url.Values{"do": {"remove"}}).Has(t, http.StatusBadRequest)
	b.Ask(http.MethodPost, "/groups/Front", url.Values{"do": {"remove"}, "sure": {"yes"}}).Sends(t, "./../groups?done=removed")
	b.Ask(http.MethodGet, "/groups/Front", nil).Has(t, http.StatusNotFound)
}

// A group with closed months is not removed, and its page has which they are.
func TestGroupWithClosedMonths(t *testing.T) {
	b := newBrowser(t)
	old := servertest.Minute("office-anna", 0)
	b.Send(b.host, old)
	month := old.Timestamp.Format("2006-01")
	b.Do(http.MethodPost, "/api/months/"+month, b.Token(directory.RoleAdmin), api.MonthDraft{Group: "Support", TZ: "UTC"}).Wants(http.StatusCreated, nil)
	b.As("admin")
	r := b.Ask(http.MethodGet, "/groups/Support", nil)
	r.Has(t, http.StatusOK, "cannot be removed", month)
	r.Lacks(t, `value="remove"`)
	b.Ask(http.MethodPost, "/groups/Support", url.Values{"do": {"remove"}, "sure": {"yes"}}).Has(t, http.StatusConflict, "Open it first.", month)
}
