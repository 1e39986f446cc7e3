package apps_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/servertest/browser"
	"activity-tracker.example/server/internal/store/directory"
)

func use(account, app, from string, minutes int, there float64) (list []api.Event) {
	for m := range minutes {
		e := servertest.Minute(account, 0)
		e.Timestamp, e.ActiveSeconds, e.Username = servertest.At(from).Add(time.Duration(m)*time.Minute), new(there), account
		e.Focus = []api.Focus{{App: app, Seconds: 60, ActiveSeconds: new(there)}}
		list = append(list, e)
	}
	return list
}

// Days are stacked by category, what has none leads to categories, and an application to who
// used it, by their names.
func TestApps(t *testing.T) {
	b := browser.New(servertest.New(t, servertest.NewDatabase(t)))
	host := b.Host("vm")
	b.Send(host, use("vm-zoe", "Mail", "2026-10-05T09:00:00Z", 30, 60)...)
	b.Send(host, use("vm-zoe", "<i>Game", "2026-10-06T09:00:00Z", 10, 60)...)
	b.Send(host, use("vm-anna", "<i>Game", "2026-10-06T09:00:00Z", 20, 60)...)
	b.Send(host, use("vm-anna", "<i>Game", "2026-10-06T10:00:00Z", 5, 0)...)
	categories := map[string]any{"categories": []api.Category{{Name: "<b>Post", Colour: "#112233", Rating: "neutral", Patterns: []api.Pattern{{App: "Mail"}}}}}
	b.Do(http.MethodPut, "/api/categories", b.Token(directory.RoleAdmin), categories, "If-Match", "*").Wants(http.StatusOK, nil)
	b.Group("G", "vm-anna")
	b.User("admin", directory.RoleAdmin)
	b.User("viewer", directory.RoleViewer, "G")
	b.As("admin")
	span := "from=2026-10-05&to=2026-10-06"
	page := b.Get("/apps?" + span)
	page.Has(t, http.StatusOK, `<path class="k8" d="M2 0.0h16v100.0h-16z"/>`, `<path class="none" d="M22 `, "&lt;b&gt;Post", `href="categories"`, `app=%3Ci%3EGame`, "5 min", `class="pale"`)
	if none, post := strings.Index(page.Text, "No category <span"), strings.Index(page.Text, "&lt;b&gt;Post</bdi> <span"); none < 0 || none > post {
		t.Error("what has no category is not the first")
	}
	page = b.Get("/apps?" + span + "&app=%3Ci%3EGame")
	page.Has(t, http.StatusOK, "Who used", "20 min", "10 min", `href="apps?from=2026-10-05&amp;person=p1&amp;to=2026-10-06"`)
	if anna, zoe := strings.Index(page.Text, ">vm-anna<"), strings.Index(page.Text, ">vm-zoe<"); anna < 0 || anna > zoe {
		t.Errorf("%d, %d", anna, zoe)
	}
	b.Get("/apps?"+span+"&app=None").Has(t, http.StatusOK, "Nobody here in this time.")
	b.Get("/apps?from=2025-10-05&to=2026-10-06", "Accept-Language", "ru").Has(t, http.StatusOK, "Без категории")
	b.Get("/apps?from=2020-01-01&to=2020-02-01").Has(t, http.StatusOK, "Nobody here in this time.")
	b.As("viewer")
	page = b.Get("/apps?" + span + "&app=%3Ci%3EGame&group=G")
	page.Has(t, http.StatusOK, ">vm-anna<")
	page.Lacks(t, "zoe", "Mail", `href="categories"`)
}
