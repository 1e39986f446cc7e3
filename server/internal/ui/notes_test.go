package ui_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/directory"
)

// Without a script: a note is written by the clock of one's zone, shown with its answer, and
// deleted while there is none.
func TestNotesOnThePage(t *testing.T) {
	b, host := newBrowser(t)
	admin := b.Token(directory.RoleAdmin)
	b.Bring(b.OpenSelf(host, "vm-alice")[1])
	today := time.Now().UTC().Format(time.DateOnly)
	form := url.Values{"note": {"add"}, "tz": {"Asia/Tokyo"}, "date": {today}, "from": {"09:00"}, "to": {"10:30"}, "text": {`<b>=meeting`}}
	kept := b.Ask(http.MethodPost, "/self", form)
	kept.Has(t, http.StatusSeeOther)
	if to := kept.Header.Get("Location"); to != "self?tz=Asia%2FTokyo" {
		t.Error(to)
	}
	b.Ask(http.MethodPost, "/self", form).Has(t, http.StatusSeeOther) // again
	page := b.Ask(http.MethodGet, "/self?tz=Asia/Tokyo", nil)
	page.Has(t, http.StatusOK, today+" 09:00 - 10:30", "&lt;b&gt;=meeting", `value="delete"`)
	if strings.Count(page.Text, "=meeting") != 1 || strings.Contains(page.Text, "<b>") || strings.Contains(page.Text, `name="account"`) {
		t.Error(page.Text)
	}
	id := regexp.MustCompile(`name="id" value="([0-9a-f]{32})"`).FindStringSubmatch(page.Text)[1]
	var list api.NoteList
	b.Do(http.MethodGet, "/api/people/p1/notes", admin, nil).Wants(http.StatusOK, &list)
	if len(list.Notes) != 1 || list.Notes[0].ID != id || list.Notes[0].Start.Format("15:04") != "00:00" {
		t.Fatalf("%+v", list)
	}
	b.Do(http.MethodPut, "/api/people/p1/notes/"+id+"/answer", admin, api.NoteAnswer{Text: "<i>fine"}).Wants(http.StatusNoContent, nil)
	b.Ask(http.MethodGet, "/self", nil).Has(t, http.StatusOK, "Answer (test): &lt;i&gt;fine")
	remove := url.Values{"note": {"delete"}, "id": {id}}
	b.Ask(http.MethodPost, "/self", remove).Has(t, http.StatusConflict, "it stays as it is")
	b.Do(http.MethodDelete, "/api/people/p1/notes/"+id+"/answer", admin, nil).Wants(http.StatusNoContent, nil)
	for range 2 {
		b.Ask(http.MethodPost, "/self", remove).Has(t, http.StatusSeeOther)
	}
	if page := b.Ask(http.MethodGet, "/self", nil); strings.Contains(page.Text, "=meeting") {
		t.Error(page.Text)
	}
}

// What can be no note is refused, and what was written is not lost; nobody else writes one.
func TestNotesThatThePageRefuses(t *testing.T) {
	b, host := newBrowser(t)
	today := time.Now().UTC().Format(time.DateOnly)
	form := func(change ...string) url.Values {
		v := url.Values{"note": {"add"}, "tz": {"UTC"}, "date": {today}, "from": {"09:00"}, "to": {"10:00"}, "text": {"kept words"}}
		for i := 0; i < len(change); i += 2 {
			v.Set(change[i], change[i+1])
		}
		return v
	}
	b.Ask(http.MethodPost, "/self", form()).Has(t, http.StatusSeeOther) // to the form for links
	alice := b.OpenSelf(host, "vm-alice")[1]
	b.Bring(alice)
	b.Ask(http.MethodPost, "/self", form("to", "08:00")).Has(t, http.StatusBadRequest, "A note needs", `value="kept words"`, `value="09:00"`, "vm-alice")
	for _, change := range [][]string{{"date", "x"}, {"date", "1999-01-01"}, {"from", "25:00"}, {"to", ""}, {"tz", "nowhere"}, {"text", " "}, {"text", strings.Repeat("x", 501)}, {"date", "2199-01-01"}} {
		b.Ask(http.MethodPost, "/self", form(change...)).Has(t, http.StatusBadRequest, "A note needs")
	}
	b.Ask(http.MethodPost, "/self", form("account", "vm-bob")).Has(t, http.StatusOK, "no account is known")
	b.Ask(http.MethodPost, "/self", form(), "Sec-Fetch-Site", "cross-site").Has(t, http.StatusForbidden, "Another site")
	var list api.NoteList
	for _, person := range []string{"p1", "p2"} {
		b.Do(http.MethodGet, "/api/people/"+person+"/notes", b.Token(directory.RoleAdmin), nil).Wants(http.StatusOK, &list)
		if len(list.Notes) != 0 {
			t.Errorf("%+v", list)
		}
	}
	b.Ask(http.MethodPost, "/self", form("from", "23:00", "to", "00:00", "date", time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly))).Has(t, http.StatusSeeOther)
	b.Bring(b.OpenSelf(host, "vm-bob")[1])
	if page := b.Ask(http.MethodGet, "/self", nil); strings.Contains(page.Text, "kept words") {
		t.Error(page.Text)
	}
	b.Bring(alice)
	b.Ask(http.MethodGet, "/self", nil, "Accept-Language", "ru").Has(t, http.StatusOK, "Ваши пояснения", "kept words", "23:00 - ")
}
