package frame_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/directory"
)

// list returns what the form of the list would send with this button.
func (s shown) list(tb testing.TB, do string) url.Values {
	tb.Helper()
	form := s.form(tb, do)
	if m := regexp.MustCompile(`(?s)<textarea name="base" hidden>\n(.*?)</textarea>`).FindStringSubmatch(s.text); m != nil {
		form.Set("base", html.UnescapeString(m[1]))
	}
	return form
}

// An application is put into a category after what that changes was shown.
func TestCategoriesPage(t *testing.T) {
	b := newBrowser(t)
	b.login("admin")
	page := b.ask(http.MethodGet, "/categories", nil)
	page.has(t, http.StatusOK, "There are no categories yet", "Anna&#39;s app", "Boris&#39;s app")
	page.lacks(t, "Put into it")

	// Another one is made, and nothing is written by looking.
	add := url.Values{"do": {"add"}, "category": {`Mail & <Co>`}, "colour": {"#2e7d32"}, "rating": {"productive"}}
	r := b.ask(http.MethodPost, "/categories", add)
	r.has(t, http.StatusOK, "No time of the last week would count elsewhere", "There are no categories yet")
	b.ask(http.MethodPost, "/categories", r.list(t, "write")).sends(t, "./categories?done=changed")
	b.ask(http.MethodPost, "/categories", add).has(t, http.StatusBadRequest, "another category has it", `value="Mail &amp; &lt;Co&gt;"`)
	b.ask(http.MethodGet, "/categories?done=changed", nil).has(t, http.StatusOK, "Changed.", "Mail &amp; &lt;Co&gt;", "none yet", "Put into it", `fill="#2e7d32"`)

	put := url.Values{"do": {"put"}, "app": {"Anna's app"}, "category": {`Mail & <Co>`}}
	r = b.ask(http.MethodPost, "/categories", put)
	r.has(t, http.StatusOK, `<th scope="row">Anna&#39;s app</th><td data-name="now">none</td><td data-name="then">Mail &amp; &lt;Co&gt;</td>`, "none yet")
	b.ask(http.MethodPost, "/categories", r.list(t, "write")).sends(t, "./categories?done=changed")
	page = b.ask(http.MethodGet, "/categories", nil)
	page.has(t, http.StatusOK, `<span><bdi>Anna&#39;s app</bdi></span>`)
	page.lacks(t, `name="app" value="Anna&#39;s app"`)
	put.Set("category", "none such")
	b.ask(http.MethodPost, "/categories", put).has(t, http.StatusNotFound)

	for role, sees := range map[string]string{"manager": "Preview", "viewer": "Mail &amp; &lt;Co&gt;"} {
		b.login(role)
		r := b.ask(http.MethodGet, "/categories", nil)
		r.has(t, http.StatusOK, sees)
		r.lacks(t, "Write this list", "Boris")
		if role == "manager" {
			b.ask(http.MethodPost, "/categories", url.Values{"do": {"preview"}, "text": {"[]"}}).has(t, http.StatusOK, "<td data-name=\"then\">none</td>")
		}
		b.ask(http.MethodPost, "/categories", page.list(t, "write")).has(t, http.StatusForbidden)
	}
}

// Two who edit at once: the second is refused with what the first has changed, and loses nothing.
func TestCategoriesOfTwo(t *testing.T) {
	b := newBrowser(t)
	b.login("admin")
	mine := b.ask(http.MethodGet, "/categories", nil).list(t, "write")
	mine.Set("text", "[{\"name\": \"Mine\", \"colour\": \"#000000\", \"rating\": \"neutral\" , \"patterns\": []}]\n")
	theirs := api.CategoryList{Categories: []api.Category{{Name: "Theirs", Colour: "#ffffff", Rating: api.RatingNeutral, Patterns: []api.Pattern{{App: "x", Title: "<y>"}}}}}
	b.Do(http.MethodPut, "/api/categories", b.Token(directory.RoleAdmin), theirs, "If-Match", "*").Wants(http.StatusOK, nil)
	r := b.ask(http.MethodPost, "/categories", mine)
	r.has(t, http.StatusPreconditionFailed, "new: <bdi>Theirs</bdi>", "<ins><bdi>x &lt;y&gt;</bdi></ins>")
	again := r.list(t, "write")
	if again.Get("text") != mine.Get("text") || again.Get("version") == mine.Get("version") {
		t.Errorf("%v, of %v", again, mine)
	}
	b.ask(http.MethodPost, "/categories", again).sends(t, "./categories?done=changed")
	page := b.ask(http.MethodGet, "/categories", nil)
	page.has(t, http.StatusOK, "Mine")
	page.lacks(t, "Theirs")

	for text, why := range map[string]string{
		"": "line 1", "[{\n\"nam\": 1}]": "unknown field", "[] []": "more after", "{}": "line 1", `[{"name": "\u202e", "colour": "#000000", "rating": "neutral"}]`: "name",
		"[" + strings.Repeat(`{"name": "x"},`, 200) + `{"name": "y"}]`: "at most 100",
	} {
		form := page.list(t, "preview")
		form.Set("text", text)
		r := b.ask(http.MethodPost, "/categories", form)
		r.has(t, http.StatusBadRequest, why)
		if r.list(t, "write").Get("text") != text {
			t.Errorf("%.40q was not kept", text)
		}
	}
}
