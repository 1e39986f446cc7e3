package frame_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"activity-tracker.example/server/internal/servertest/browser"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/directory"
)

// list returns what the form of the list would send with this button.
func listOf(tb testing.TB, s browser.Shown, do string) url.Values {
	tb.Helper()
	form := formOf(tb, s, do)
	if m := regexp.MustCompile(`(?s)<textarea name="base" hidden>\n(.*?)</textarea>`).FindStringSubmatch(s.Text); m != nil {
		form.Set("base", html.UnescapeString(m[1]))
	}
	return form
}

// An application is put into a category after what that changes was shown.
func TestCategoriesPage(t *testing.T) {
	b := newBrowser(t)
	b.As("admin")
	page := b.Ask(http.MethodGet, "/categories", nil)
	page.Has(t, http.StatusOK, "There are no categories yet", "Anna&#39;s app", "Boris&#39;s app")
	page.Lacks(t, "Put into it")

	// Another one is made, and nothing is written by looking.
	add := url.Values{"do": {"add"}, "category": {`Mail & <Co>`}, "colour": {"#2e7d32"}, "rating": {"productive"}}
	r := b.Ask(http.MethodPost, "/categories", add)
	r.Has(t, http.StatusOK, "No time of the last week would count elsewhere", "There are no categories yet")
	b.Ask(http.MethodPost, "/categories", listOf(t, r, "write")).Sends(t, "./categories?done=changed")
	b.Ask(http.MethodPost, "/categories", add).Has(t, http.StatusBadRequest, "another category has it", `value="Mail &amp; &lt;Co&gt;"`)
	b.Ask(http.MethodGet, "/categories?done=changed", nil).Has(t, http.StatusOK, "Changed.", "Mail &amp; &lt;Co&gt;", "none yet", "Put into it", `fill="#2e7d32"`)

	put := url.Values{"do": {"put"}, "app": {"Anna's app"}, "category": {`Mail & <Co>`}}
	r = b.Ask(http.MethodPost, "/categories", put)
	r.Has(t, http.StatusOK, `<th scope="row">Anna&#39;s app</th><td data-name="now">none</td><td data-name="then">Mail &amp; &lt;Co&gt;</td>`, "none yet")
	b.Ask(http.MethodPost, "/categories", listOf(t, r, "write")).Sends(t, "./categories?done=changed")
	page = b.Ask(http.MethodGet, "/categories", nil)
	page.Has(t, http.StatusOK, `<span><bdi>Anna&#39;s app</bdi></span>`)
	page.Lacks(t, `name="app" value="Anna&#39;s app"`)
	put.Set("category", "none such")
	b.Ask(http.MethodPost, "/categories", put).Has(t, http.StatusNotFound)

	for role, sees := range map[string]string{"manager": "Preview", "viewer": "Mail &amp; &lt;Co&gt;"} {
		b.As(role)
		r := b.Ask(http.MethodGet, "/categories", nil)
		r.Has(t, http.StatusOK, sees)
		r.Lacks(t, "Write this list", "Boris")
		if role == "manager" {
			b.Ask(http.MethodPost, "/categories", url.Values{"do": {"preview"}, "text": {"[]"}}).Has(t, http.StatusOK, "<td data-name=\"then\">none</td>")
		}
		b.Ask(http.MethodPost, "/categories", listOf(t, page, "write")).Has(t, http.StatusForbidden)
	}
}

// Two who edit at once: the second is refused with what the first has changed, and loses nothing.
func TestCategoriesOfTwo(t *testing.T) {
	b := newBrowser(t)
	b.As("admin")
	mine := listOf(t, b.Ask(http.MethodGet, "/categories", nil), "write")
	mine.Set("text", "[{\"name\": \"Mine\", \"colour\": \"#000000\", \"rating\": \"neutral\" , \"patterns\": []}]\n")
	theirs := api.CategoryList{Categories: []api.Category{{Name: "Theirs", Colour: "#ffffff", Rating: api.RatingNeutral, Patterns: []api.Pattern{{App: "x", Title: "<y>"}}}}}
	b.Do(http.MethodPut, "/api/categories", b.Token(directory.RoleAdmin), theirs, "If-Match", "*").Wants(http.StatusOK, nil)
	r := b.Ask(http.MethodPost, "/categories", mine)
	r.Has(t, http.StatusPreconditionFailed, "new: <bdi>Theirs</bdi>", "<ins><bdi>x &lt;y&gt;</bdi></ins>")
	again := listOf(t, r, "write")
	if again.Get("text") != mine.Get("text") || again.Get("version") == mine.Get("version") {
		t.Errorf("%v, of %v", again, mine)
	}
	b.Ask(http.MethodPost, "/categories", again).Sends(t, "./categories?done=changed")
	page := b.Ask(http.MethodGet, "/categories", nil)
	page.Has(t, http.StatusOK, "Mine")
	page.Lacks(t, "Theirs")

	for text, why := range map[string]string{
		"": "line 1", "[{\n\"nam\": 1}]": "unknown field", "[] []": "more after", "{}": "line 1", `[{"name": "\u202e", "colour": "#000000", "rating": "neutral"}]`: "name",
		"[" + strings.Repeat(`{"name": "x"},`, 200) + `{"name": "y"}]`: "at most 100",
	} {
		form := listOf(t, page, "preview")
		form.Set("text", text)
		r := b.Ask(http.MethodPost, "/categories", form)
		r.Has(t, http.StatusBadRequest, why)
		if listOf(t, r, "write").Get("text") != text {
			t.Errorf("%.40q was not kept", text)
		}
	}
}
