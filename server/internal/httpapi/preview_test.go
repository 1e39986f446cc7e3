package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
)

// used has machines of a host use applications, a minute each, within the last week.
func used(b *servertest.Bench, host, machine string, titles ...string) {
	b.T.Helper()
	start := time.Now().UTC().Truncate(time.Minute).Add(-time.Hour)
	var events []api.Event
	for i, title := range titles {
		app, title, _ := strings.Cut(title, ":")
		events = append(events, api.Event{MachineID: machine, Timestamp: start.Add(time.Duration(i) * time.Minute), KeyCount: 2, ActiveApp: app, ActiveWindow: title})
	}
	b.Send(host, events...)
}

// What a policy would do to the titles of the last week is counted by application, with
// examples, and written down as a look at each whose titles were looked at.
func TestPolicyPreview(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	id, admin := freshToken(b)
	host := b.Host("one")
	used(b, host, "one-anna", "Mail:secret 1", "Mail:secret 2", "Mail:Inbox", "Web:Bank", "Web:News", "None:")
	used(b, host, "one-bob", "Mail:secret 1", "Web:News")
	ask := func(policy string) (p api.TitlePreview) {
		t.Helper()
		b.Do(http.MethodPost, "/api/policies/preview", admin, json.RawMessage(`{"policy":`+policy+`}`)).Wants(200, &p)
		return p
	}
	p := ask(`{"title_rules":[{"app":"^Mail$","title":"secret","action":"replace","with":"a letter"},{"title":"Bank","action":"drop"}]}`)
	share := func(titles, minutes int64) api.TitleShare {
		return api.TitleShare{Titles: titles, FocusSeconds: 60 * minutes}
	}
	want := []api.TitlePreviewApp{
		{
			App: "Mail", Kept: share(1, 1), Replaced: share(2, 3), Dropped: share(0, 0),
			Examples: []api.TitleExample{{Title: "secret 1", With: "a letter"}, {Title: "secret 2", With: "a letter"}},
		},
		{App: "Web", Kept: share(1, 2), Replaced: share(0, 0), Dropped: share(1, 1), Examples: []api.TitleExample{{Title: "Bank"}}},
	}
	if !reflect.DeepEqual(p.Apps, want) || p.Machines != 2 || p.Cut || p.AppsLeftOff != 0 || p.To.Sub(p.From) != 7*24*time.Hour {
		t.Errorf("got %+v\nwant %+v", p, want)
	}
	for _, machine := range []string{"one-anna", "one-bob"} {
		if list := lookedAt(b, id, machine); len(list) != 1 || list[0].What != api.LookedPreview {
			t.Errorf("looks at %s: %+v", machine, list)
		}
	}
	if p := ask(`{"titles":false}`); len(p.Apps) != 2 || p.Apps[0].Dropped.Titles != 3 || p.Apps[1].Dropped.Titles != 2 {
		t.Errorf("without titles: %+v", p)
	}
	if p := ask(`{}`); len(p.Apps) != 2 || p.Apps[0].Kept != share(3, 4) || len(p.Apps[0].Examples) != 0 {
		t.Errorf("by no rule: %+v", p)
	}
	var list struct{ Policies []any }
	b.Do(http.MethodGet, "/api/policies", admin, nil).Wants(200, &list)
	if len(list.Policies) != 0 {
		t.Errorf("a preview wrote %v", list.Policies)
	}
}

func TestPolicyPreviewRefuses(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	admin := b.Token(directory.RoleAdmin)
	var many []string
	for range 201 {
		many = append(many, `{"title":"x","action":"drop"}`)
	}
	for _, c := range []struct {
		code api.Code
		body string
	}{
		{api.CodeBadRequest, `{"policy":{"title_rules":[{"title":"(","action":"drop"}]}}`},
		{api.CodeBadRequest, `{"policy":{},"more":1}`},
		{api.CodePolicyTooLarge, `{"policy":{"title_rules":[` + strings.Join(many, ",") + `]}}`},
		{api.CodePolicyTooLarge, `{"policy":{"notice":{"en":"` + strings.Repeat("x", 1<<20) + `"}}}`},
		{api.CodeBadRequest, `{"policy":{"title_rules":[{"title":"((x{1000}){1000}){1000}","action":"drop"}]}}`},
		{api.CodeBadRequest, `{}`},
	} {
		r := b.Do(http.MethodPost, "/api/policies/preview", admin, json.RawMessage(c.body))
		if r.Status != http.StatusBadRequest || !strings.Contains(string(r.Body), string(c.code)) {
			t.Errorf("%.60s: %d %.200s", c.body, r.Status, r.Body)
		}
	}
}

// What other categories would do is summed up within the caller's groups, without a title.
func TestCategoryPreview(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	admin := b.Token(directory.RoleAdmin)
	host := b.Host("one")
	used(b, host, "one-anna", "Mail:secret", "Web:Bank", "Web:News")
	used(b, host, "one-bob", "Mail:secret", "Web:Bank")
	b.Do(http.MethodPut, "/api/categories", admin, json.RawMessage(`{"categories":[{"name":"Work","colour":"#2e7d32","rating":"productive","patterns":[{"app":"mail"}]}]}`), "If-Match", "*").Wants(200, nil)
	b.Do(http.MethodPut, "/api/groups/annas", admin, nil).Wants(201, nil)
	b.Do(http.MethodPut, "/api/groups/annas/machines/one-anna", admin, nil).Wants(204, nil)
	b.User("manager", directory.RoleManager, "annas")
	const draft = `{"categories":[{"name":"Money","colour":"#2e7d32","rating":"neutral","patterns":[{"title":"*bank*"}]},{"name":"Work","colour":"#2e7d32","rating":"productive","patterns":[{"app":"web"}]}]}`
	for name, login := range map[string][]string{"manager": b.Login("manager"), "admin": nil} {
		n, bearer := int64(1), ""
		if login == nil {
			n, bearer = 2, admin
		}
		var p api.CategoryPreview
		r := b.Do(http.MethodPost, "/api/categories/preview", bearer, json.RawMessage(draft), login...)
		r.Wants(200, &p)
		shifts := []api.CategoryShift{
			{Category: "", NowSeconds: 60*n + 60, ThenSeconds: 60 * n},
			{Category: "Money", ThenSeconds: 60 * n},
			{Category: "Work", NowSeconds: 60 * n, ThenSeconds: 60},
		}
		moved := map[api.MovedUse]bool{
			{App: "Mail", Now: "Work", FocusSeconds: 60 * n}: true, {App: "Web", Then: "Money", FocusSeconds: 60 * n}: true, {App: "Web", Then: "Work", FocusSeconds: 60}: true,
		}
		got := map[api.MovedUse]bool{}
		for _, m := range p.Moved {
			got[m] = true
		}
		if !reflect.DeepEqual(p.Categories, shifts) || !reflect.DeepEqual(got, moved) || p.Machines != n || p.Cut {
			t.Errorf("%s: %s", name, r.Body)
		}
		if strings.Contains(string(r.Body), "secret") {
			t.Errorf("%s is shown a title", name)
		}
	}
	b.Do(http.MethodPost, "/api/categories/preview", admin, json.RawMessage(`{"categories":[{"name":""}]}`)).Refused(400, api.CodeBadRequest)
	b.Do(http.MethodPost, "/api/categories/preview", admin, json.RawMessage(fmt.Sprintf(`{"categories":[],"x":"%s"}`, strings.Repeat("x", 2<<20)))).Refused(413, api.CodeTooLarge)
}
