package frame_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/directory"
)

// idOf returns whose an account is.
func (b *visitor) idOf(account string) string {
	b.T.Helper()
	var list api.PersonList
	b.Do(http.MethodGet, "/api/people?machine_id="+account, b.Token(directory.RoleAdmin), nil).Wants(http.StatusOK, &list)
	return list.People[0].ID
}

// Accounts are found, joined after a preview that changes nothing, named and parted.
func TestPeopleOnPage(t *testing.T) {
	b := newBrowser(t)
	anna, boris := b.idOf("office-anna"), b.idOf("office-boris")
	admin := b.Token(directory.RoleAdmin)
	b.Group("Front")
	b.Do(http.MethodPut, "/api/groups/Front/people/"+anna, admin, nil).Wants(http.StatusNoContent, nil)
	b.Do(http.MethodPatch, "/api/people/"+boris, admin, map[string]string{"label": hostile}).Wants(http.StatusOK, nil)
	b.As("admin")
	b.Ask(http.MethodGet, "/people", nil).Has(t, http.StatusOK, "&lt;b onload=x&gt;Anna", "a/b?c#d &lt;i&gt;x&lt;/i&gt;", `href="people?person=`+anna, `href="people/`+boris)
	b.Ask(http.MethodGet, "/people?q=BORIS", nil).Lacks(t, "office-anna")
	b.Ask(http.MethodGet, "/people?group=Support", nil).Lacks(t, "office-boris")
	b.Ask(http.MethodGet, "/people?q=nobody", nil).Has(t, http.StatusOK, "Nobody is called so.")

	at := "/people?person=" + anna
	b.Ask(http.MethodGet, at+"&q=c%23d", nil).Has(t, http.StatusOK, "<bdi>Front</bdi>, <bdi>Support</bdi>", `name="join" value="office-boris"`, `href="api/people/`+anna+`/export"`)
	r := b.Ask(http.MethodGet, at+"&join=office-boris", nil)
	r.Has(t, http.StatusOK, "What the join would change", "a/b?c#d &lt;i&gt;x&lt;/i&gt;", "<bdi>Front</bdi>", "No account is left of these people", `name="account" value="office-boris"`)
	if b.idOf("office-boris") != boris {
		t.Fatal("a preview has joined them")
	}
	b.Ask(http.MethodPost, at, url.Values{"do": {"join"}, "person": {anna}, "account": {"office-boris"}}).Sends(t, "./people?done=joined&person="+anna)
	if b.idOf("office-boris") != anna {
		t.Error("they are not joined")
	}
	b.Ask(http.MethodGet, at+"&join=office-boris", nil).Has(t, http.StatusOK, "of this person already")
	b.Ask(http.MethodGet, at+"&join=nobody", nil).Has(t, http.StatusNotFound)
	b.Ask(http.MethodPost, at, url.Values{"do": {"label"}, "person": {anna}, "label": {strings.Repeat("x", 300)}}).Has(t, http.StatusBadRequest, strings.Repeat("x", 300))
	b.Ask(http.MethodPost, at, url.Values{"do": {"label"}, "person": {anna}, "label": {"Anna Kim"}}).Sends(t, "./people?done=changed&person="+anna)
	b.Ask(http.MethodGet, at+"&part=office-boris", nil).Has(t, http.StatusOK, `value="part"`, "goes back to the person")
	b.Ask(http.MethodPost, at, url.Values{"do": {"part"}, "person": {anna}, "account": {"office-boris"}}).Sends(t, "./people?done=parted&person="+boris)
	b.Ask(http.MethodPost, at, url.Values{"do": {"part"}, "person": {anna}, "account": {"../x"}}).Has(t, http.StatusNotFound)
	for _, unknown := range []string{"p999", "x", "..", url.QueryEscape(hostile)} {
		b.Ask(http.MethodGet, "/people?person="+unknown, nil).Has(t, http.StatusNotFound)
	}
}

// Who may only name people does that on the page, within their groups, and nothing else.
func TestPeopleOfManagers(t *testing.T) {
	b := newBrowser(t)
	anna, boris := b.idOf("office-anna"), b.idOf("office-boris")
	b.As("manager")
	r := b.Ask(http.MethodGet, "/people?person="+anna+"&erase=1&join=office-boris&part=office-anna", nil)
	r.Has(t, http.StatusOK, "office-anna", `value="label"`)
	r.Lacks(t, "Erase", "Join", "export", `value="part"`)
	b.Ask(http.MethodPost, "/people?person="+anna, url.Values{"do": {"label"}, "person": {anna}, "label": {"Anna Kim"}}).Sends(t, "./people?done=changed&person="+anna)
	for _, form := range []url.Values{
		{"do": {"join"}, "person": {anna}, "account": {"office-boris"}},
		{"do": {"part"}, "person": {anna}, "account": {"office-anna"}},
		{"do": {"erase"}, "person": {anna}, "name": {"Anna Kim"}},
		{"do": {"import"}, "csv": {"machine_id,person\noffice-anna,A\n"}},
		{"do": {"preview"}, "csv": {"machine_id,person\noffice-anna,A\n"}},
	} {
		b.Ask(http.MethodPost, "/people?person="+anna, form).Has(t, http.StatusForbidden)
	}
	b.Ask(http.MethodPost, "/people", url.Values{"do": {"label"}, "person": {boris}, "label": {"x"}}).Has(t, http.StatusNotFound)
	for _, hidden := range []string{"/people?person=" + boris, "/people?q=boris"} {
		b.Ask(http.MethodGet, hidden, nil).Lacks(t, "office-boris")
	}
	for _, forbidden := range []string{"/people?many=1", "/people?erasure=all"} {
		b.Ask(http.MethodGet, forbidden, nil).Has(t, http.StatusForbidden)
	}
}

// Many accounts are joined from a file, after what each line would do.
func TestManyPeopleOnPage(t *testing.T) {
	b := newBrowser(t)
	b.As("admin")
	anna := b.idOf("office-anna")
	b.Ask(http.MethodGet, "/people?many=1", nil).Has(t, http.StatusOK, `name="csv"`)
	form := url.Values{"do": {"preview"}, "csv": {"person;machine_id\r\n<i>Anna</i>;office-anna\r\n<i>Anna</i>;office-boris\r\n"}}
	r := b.Ask(http.MethodPost, "/people?many=1", form)
	r.Has(t, http.StatusOK, "1 account would come to another person.", "&lt;i&gt;Anna&lt;/i&gt;", "is so already:", `value="import"`, `href="people?person=`+anna)
	if b.idOf("office-boris") == anna {
		t.Fatal("a preview has joined them")
	}
	form.Set("do", "import")
	b.Ask(http.MethodPost, "/people?many=1", form).Sends(t, "./people?done=imported")
	if b.idOf("office-boris") != anna {
		t.Error("they are not joined")
	}
	for csv, want := range map[string]string{
		"": "header row", "a,b\n": "columns machine_id and person", "machine_id,person\nx,A\nx,B\n": "line 3", "machine_id,person\n": "want 1 to 1000",
	} {
		b.Ask(http.MethodPost, "/people?many=1", url.Values{"do": {"preview"}, "csv": {csv}}).Has(t, http.StatusBadRequest, want, "Nothing was changed", `name="csv"`)
	}
	b.Ask(http.MethodPost, "/people?many=1", url.Values{"do": {"preview"}, "csv": {"machine_id,person\nnobody,A\n"}}).Has(t, http.StatusNotFound, "nobody,A")
	b.Ask(http.MethodPost, "/people?many=1", url.Values{"do": {"preview"}, "csv": {strings.Repeat("x", 600<<10)}}).Has(t, http.StatusRequestEntityTooLarge)
}

// A person is erased when their name was typed; a certificate is left.
func TestErasingOnPage(t *testing.T) {
	b := newBrowser(t)
	b.As("admin")
	boris := b.idOf("office-boris")
	at := "/people?person=" + boris + "&erase=1"
	b.Ask(http.MethodGet, at, nil).Has(t, http.StatusOK, "It cannot be undone.", "<bdi>boris</bdi></strong>")
	b.Ask(http.MethodGet, "/people?erasure=all", nil).Has(t, http.StatusOK, "Nobody has been erased.")
	b.Ask(http.MethodPost, at, url.Values{"do": {"erase"}, "person": {boris}, "name": {"Boris"}}).Has(t, http.StatusBadRequest, "as it stands above", "It cannot be undone.")
	b.Ask(http.MethodPost, at, url.Values{"do": {"erase"}, "person": {boris}, "name": {"boris"}}).Sends(t, "./people?done=erased&erasure=1")
	b.Ask(http.MethodGet, "/people?done=erased&erasure=1", nil).Has(t, http.StatusOK, "Erased.", "Nothing can be read since")
	b.Ask(http.MethodGet, "/people?erasure=all", nil).Has(t, http.StatusOK, `href="people?erasure=1"`)
	b.Ask(http.MethodGet, "/people?person="+boris, nil).Has(t, http.StatusNotFound)
	b.Ask(http.MethodGet, "/people?erasure=7", nil).Has(t, http.StatusNotFound)
	var list api.PersonList
	b.Do(http.MethodGet, "/api/people", b.Token(directory.RoleAdmin), nil).Wants(http.StatusOK, &list)
	if len(list.People) != 1 {
		t.Errorf("%+v", list)
	}
}
