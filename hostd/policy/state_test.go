package policy

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	rules "activity-tracker.example/server/api/policy"
)

// What the server has said is known, and when it answered last; 304 is an answer, an
// outage is none.
func TestState(t *testing.T) {
	w := newWorld(t)
	p := w.host(rules.Document{})
	if s := p.State(); s.Known || !s.Answered.IsZero() || s.Broken != nil {
		t.Errorf("before the server was asked: %+v", s)
	}
	w.body = excluding(3, "anna")
	if err := p.fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := p.State()
	if !first.Known || first.None || first.Revision != 3 || time.Since(first.Answered).Abs() > time.Minute {
		t.Errorf("after its answer: %+v", first)
	}
	w.skew = time.Hour
	w.status = http.StatusNotModified
	if err := p.fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := p.State(); !s.Answered.After(first.Answered.Add(time.Hour / 2)) {
		t.Errorf("after a second answer: %+v", s)
	}
	w.skew, w.status = 2*time.Hour, http.StatusBadGateway
	if err := p.fetch(t.Context()); err == nil {
		t.Fatal("the server is away and has answered")
	}
	if s := p.State(); !s.Answered.Before(first.Answered.Add(3 * time.Hour / 2)) {
		t.Errorf("while it is away: %+v", s)
	}
}

// Rules that cannot be used together are broken, and named.
func TestBrokenTitleRules(t *testing.T) {
	w := newWorld(t)
	var policies []string
	for version, group := range []string{`null`, `"a"`} {
		rule := `{"title":"x","action":"drop"}`
		policies = append(policies, fmt.Sprintf(
			`{"version":%d,"host_group":%s,"valid_from":"2026-01-01T00:00:00Z","policy":{"title_rules":[%s]}}`,
			version+1, group, rule+strings.Repeat(","+rule, rules.MaxRules/2)))
	}
	w.body = `{"revision":2,"none":false,"policies":[` + strings.Join(policies, ",") + `]}`
	p := w.host(rules.Document{TitleRules: rules.Rules{{Title: "y", Action: rules.Drop}}})
	if err := p.fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := p.State(); s.Broken == nil || !strings.Contains(s.Broken.Error(), "server's policies") {
		t.Errorf("%+v", s)
	}
	if w.host(rules.Document{TitleRules: rules.Rules{{Title: "(", Action: rules.Drop}}}).State().Broken == nil {
		t.Error("a pattern of the file that does not compile is taken")
	}
}
