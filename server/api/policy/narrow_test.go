package policy_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api/policy"
)

func parse(tb testing.TB, text string) policy.Document {
	tb.Helper()
	d, err := policy.Parse([]byte(text))
	if err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	return d
}

func TestOrigins(t *testing.T) {
	file := parse(t, `{"work_hours":{"tz":"UTC","mon":["09:00-18:00"]},"exclude_users":["root"],"screenshots":{"allow":true,"kind":"readable","interval_sec":300}}`)
	for name, test := range map[string]struct {
		policy string
		want   map[string][]string
	}{
		"says nothing": {`{}`, map[string][]string{
			"work_hours": {"file"}, "exclude_users": {"file"}, "screenshots.allow": {"file"}, "screenshots.interval_sec": {"file"},
		}},
		"narrows": {
			`{"work_hours":{"tz":"UTC"},"exclude_users":["@board"],"titles":false,"pause":false,
			"screenshots":{"allow":false,"kind":"blurred","interval_sec":900},"notice":{"en":"read"}}`,
			map[string][]string{
				"work_hours": {"file", "policy 7"}, "exclude_users": {"file", "policy 7"}, "titles": {"policy 7"}, "pause": {"policy 7"},
				"screenshots.allow": {"policy 7"}, "screenshots.kind": {"policy 7"}, "screenshots.interval_sec": {"policy 7"}, "notice": {"policy 7"},
			},
		},
		"would widen": {
			`{"titles":true,"pause":true,"screenshots":{"allow":true,"kind":"readable","interval_sec":60}}`,
			map[string][]string{"work_hours": {"file"}, "exclude_users": {"file"}, "screenshots.allow": {"file"}, "screenshots.interval_sec": {"file"}},
		},
	} {
		got := policy.Narrow(file, []policy.Version{{Version: 7, Policy: parse(t, test.policy)}})
		if !reflect.DeepEqual(got.Origins, test.want) {
			t.Errorf("%s: %v, want %v", name, got.Origins, test.want)
		}
	}
}

func TestNoPolicyTurnsAnythingOn(t *testing.T) {
	file := policy.Document{}
	e := policy.Narrow(file, []policy.Version{{Version: 1, Policy: parse(t, `{"screenshots":{"allow":true,"kind":"readable"}}`)}})
	if e.Screenshots.Allow || e.Screenshots.Kind != policy.Blurred || e.Screenshots.IntervalSec != policy.DefaultScreenshotSec {
		t.Errorf("%+v", e.Screenshots)
	}
}

func TestMoreRulesThanAllPoliciesMayHave(t *testing.T) {
	rules := make(policy.Rules, 150)
	for i := range rules {
		rules[i] = policy.Rule{Title: fmt.Sprint(i), Action: policy.Drop}
	}
	one := policy.Version{Version: 1, Policy: policy.Document{TitleRules: rules}}
	if e := policy.Narrow(one.Policy, []policy.Version{one}); !e.Titles || len(e.TitleRules) != 2 {
		t.Error("a file's list and a policy's do not go together")
	}
	if e := policy.Narrow(policy.Document{}, []policy.Version{one, {Version: 2, Policy: one.Policy}}); e.Titles {
		t.Error("300 rules of policies are within the limit")
	}
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func randomDocument(tb testing.TB, r *rand.Rand) policy.Document {
	tb.Helper()
	yes, no := true, false
	d := policy.Document{
		Titles: pick(r, nil, &yes, &no), Pause: pick(r, nil, &yes, &no),
		Screenshots: pick(r, nil, &policy.Screenshots{Allow: pick(r, nil, &yes, &no), Kind: pick(r, "", policy.Blurred, policy.Readable), IntervalSec: pick(r, 0, 60, 900)}),
		Notice:      pick(r, nil, &policy.Notice{EN: pick(r, "", "a", "b")}),
	}
	if r.IntN(2) == 0 {
		d.WorkHours = randomHours(tb, r)
	}
	for range r.IntN(3) {
		d.ExcludeUsers = append(d.ExcludeUsers, pick(r, "root", "ann", "@board"))
	}
	for range r.IntN(4) {
		d.TitleRules = append(d.TitleRules, pick(
			r, policy.Rule{Title: "a", Action: policy.Drop}, policy.Rule{App: "x", Title: "b", Action: policy.Replace, With: "ac"},
			policy.Rule{App: "y", Action: policy.Replace, With: "b"}, policy.Rule{Title: "^c", Action: policy.Replace, With: "d"},
		))
	}
	return d
}

// TestNarrowingNeverWidens adds one policy more to random ones.
func TestNarrowingNeverWidens(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 1000 {
		file := randomDocument(t, r)
		var policies []policy.Version
		for i := range 1 + r.IntN(3) {
			policies = append(policies, policy.Version{Version: int64(i + 1), Policy: randomDocument(t, r)})
		}
		wide, narrow := policy.Narrow(file, policies[:len(policies)-1]), policy.Narrow(file, policies)
		if fault := widened(t, r, wide, narrow, policies[len(policies)-1].Policy); fault != "" {
			t.Fatalf("%s: of %+v came %+v", fault, wide, narrow)
		}
		if only := policy.Narrow(file, nil); only.Titles && len(only.TitleRules) > 1 {
			t.Fatal("a file has one list")
		}
	}
}

// widened returns what more is collected by narrow than by wide, which last made of it.
func widened(t *testing.T, r *rand.Rand, wide, narrow policy.Effective, last policy.Document) string {
	t.Helper()
	for range 20 {
		now := time.Unix(16e8+r.Int64N(2e8), r.Int64N(1e9))
		if narrow.Hours.Collects(now) != (wide.Hours.Collects(now) && last.WorkHours.Collects(now)) {
			return "hours"
		}
	}
	for _, name := range wide.ExcludeUsers {
		if !slices.Contains(narrow.ExcludeUsers, name) {
			return "excluded users"
		}
	}
	before, after, alone := filterOf(t, wide.TitleRules...), filterOf(t, narrow.TitleRules...), filterOf(t, last.TitleRules)
	for range 20 {
		app, title := pick(r, "x", "y", "z"), pick(r, "a", "b", "c", "d", "")
		if after.Title(app, title) != alone.Title(app, before.Title(app, title)) {
			return "title rules"
		}
		if before.Title(app, title) == "" && after.Title(app, title) != "" {
			return "a dropped title"
		}
	}
	w, n := wide.Screenshots, narrow.Screenshots
	switch {
	case narrow.Titles && !wide.Titles:
		return "titles"
	case narrow.Pause && !wide.Pause:
		return "pause"
	case n.Allow && !w.Allow, n.Kind == policy.Readable && w.Kind != policy.Readable, n.IntervalSec < w.IntervalSec && w.IntervalSec != policy.DefaultScreenshotSec:
		return "screenshots"
	case len(narrow.Notices) < len(wide.Notices):
		return "notices"
	}
	return ""
}

func filterOf(t *testing.T, lists ...policy.Rules) *policy.Filter {
	t.Helper()
	f, err := policy.NewFilter(lists...)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestDocumentsThatAreWrong(t *testing.T) {
	tests := []struct {
		text, want string
		tooLarge   bool
	}{
		{``, "empty", false},
		{`{"titels":false}`, "titels", false},
		{`{} {}`, "more after", false},
		{`{"titles":"no"}`, "titles: ", false},
		{`{"exclude_users":["@"]}`, "exclude_users[0]: ", false},
		{`{"exclude_users":["a\nb"]}`, "exclude_users[0]: ", false},
		{`{"exclude_users":["/etc/passwd"]}`, "exclude_users[0]: ", false},
		{`{"exclude_users":["` + strings.Repeat("a", 129) + `"]}`, "exclude_users[0]: ", true},
		{`{"exclude_users":[` + strings.Repeat(`"a",`, 500) + `"a"]}`, "exclude_users: 501", true},
		{`{"screenshots":{"kind":"sharp"}}`, "screenshots.kind: ", false},
		{`{"screenshots":{"interval_sec":1}}`, "screenshots.interval_sec: ", false},
		{`{"notice":{"ru":"a\u202eb"}}`, "notice.ru: the character U+202E", false},
		{`{"notice":{"en":"a\u001b"}}`, "notice.en: the character U+001B", false},
		{`{"notice":{"en":"` + strings.Repeat("a", 4097) + `"}}`, "notice.en: ", true},
		{`{"retention":{"titles_days":0}}`, "retention.titles_days: ", false},
		{`{"work_hours":{"tz":"Mars/Olympus"}}`, "work_hours.tz: ", false},
		{strings.Repeat(" ", 1<<20), "at most", true},
		{`{"command":"rm -rf /"}`, "command", false},
	}
	for _, test := range tests {
		_, err := policy.Parse([]byte(test.text))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.60s: %v, want %s", test.text, err, test.want)
		}
		if errors.Is(err, policy.ErrTooLarge) != test.tooLarge {
			t.Errorf("%.60s: too large is %v", test.text, !test.tooLarge)
		}
	}
}

func TestVersionsTakeTurns(t *testing.T) {
	group := "night"
	day := func(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }
	r := policy.Reply{Policies: []policy.Version{
		{Version: 1, ValidFrom: day(1)},
		{Version: 2, ValidFrom: day(10)}, // written before 4, and holds after it
		{Version: 3, HostGroup: &group, ValidFrom: day(5)},
		{Version: 4, ValidFrom: day(7)},
		{Version: 5, ValidFrom: day(10)}, // takes the place of 2
	}}
	for _, test := range []struct {
		at   int
		want []int64
		next int
	}{{0, nil, 1}, {1, []int64{1}, 5}, {5, []int64{1, 3}, 7}, {8, []int64{4, 3}, 10}, {10, []int64{5, 3}, 0}} {
		var got []int64
		for _, v := range r.At(day(test.at)) {
			got = append(got, v.Version)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("on day %d versions %v hold, want %v", test.at, got, test.want)
		}
		if next := r.Next(day(test.at)); next.IsZero() != (test.next == 0) || test.next > 0 && !next.Equal(day(test.next)) {
			t.Errorf("after day %d the next is %s, want day %d", test.at, next, test.next)
		}
	}
}

func TestRepliesAreChecked(t *testing.T) {
	const version = `{"version":1,"host_group":null,"valid_from":"2026-01-01T00:00:00Z","policy":{"titles":false,"later":1}}`
	if _, err := policy.ParseReply([]byte(`{"revision":3,"none":false,"policies":[` + version + `],"new":true}`)); err != nil {
		t.Error("fields of a newer server:", err)
	}
	for name, text := range map[string]string{
		"no policy, and none is false":  `{"revision":3,"none":false,"policies":[]}`,
		"none beside a policy":          `{"revision":3,"none":true,"policies":[` + version + `]}`,
		"nothing":                       ``,
		"cut":                           `{"revision":3,"none":false,"policies":[` + version,
		"no version":                    `{"revision":3,"none":false,"policies":[{}]}`,
		"a pattern that is none":        strings.Replace(`{"revision":3,"none":false,"policies":[`+version+`]}`, `"later":1`, `"title_rules":[{"title":"(","action":"drop"}]`, 1),
		"more versions than there are":  `{"revision":3,"none":false,"policies":[` + strings.Repeat(version+",", 45) + version + `]}`,
		"a revision that goes backward": `{"revision":-3,"none":true,"policies":[]}`,
	} {
		if _, err := policy.ParseReply([]byte(text)); err == nil {
			t.Error(name, "is taken")
		}
	}
}

func FuzzDocument(f *testing.F) {
	f.Add([]byte(`{"work_hours":{"tz":"UTC","mon":["09:00-18:00"]},"title_rules":[{"app":"a","action":"replace","with":"b"}],"notice":{"ru":"а"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := policy.Parse(data)
		if err != nil {
			return
		}
		text, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > policy.MaxDocumentBytes {
			return // escapes
		}
		if again, err := policy.Parse(text); err != nil {
			t.Fatalf("%s: %v", text, err)
		} else if second, _ := json.Marshal(again); string(second) != string(text) {
			t.Fatalf("%s, then %s", text, second)
		}
	})
}
