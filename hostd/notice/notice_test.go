package notice

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"activity-tracker.example/hostd/control"
	rules "activity-tracker.example/server/api/policy"
)

// source is what a host with these policies has, the first of which is the file.
func source(t *testing.T, file string, policies ...string) Source {
	t.Helper()
	read := func(text string) (d rules.Document) {
		var err error
		if d, err = rules.Parse([]byte(text)); err != nil {
			t.Fatal(err)
		}
		return d
	}
	var versions []rules.Version
	for i, p := range policies {
		versions = append(versions, rules.Version{Version: int64(i + 1), Policy: read(p)})
	}
	return Source{
		English: control.Measured{Counted: []string{"keys"}, Never: []string{"what you type"}, Handling: []string{"it waits"}},
		Russian: control.Measured{Counted: []string{"клавиши"}, Never: []string{"что вы набираете"}, Handling: []string{"они ждут"}},
		Rules:   rules.Narrow(read(file), versions),
	}
}

func TestNotice(t *testing.T) {
	got := Of(source(t, `{"exclude_users":["root","@admins"],"title_rules":[{"title":"x","action":"drop"}]}`,
		`{"work_hours":{"tz":"Europe/Moscow","mon-fri":["09:00-18:00"],"holidays":["2026-01-01"]},"notice":{"ru":"Это наш хост.","en":"This is our host."}}`,
		`{"pause":false,"notice":{"en":"Ask Anna."}}`))
	const want = `На этом компьютере измеряется активность (Activity Tracker)

Это наш хост.

Ask Anna.

Что о вас записывается:
- клавиши

Что — никогда:
- что вы набираете

Что с этим происходит:
- они ждут

Правила:
- записывается в это время: пн-пт 09:00-18:00 (Europe/Moscow), кроме 2026-01-01
- не измеряются названные по имени пользователи и группы, их 2
- заголовки окон до записи удаляются или заменяются по правилам, их 1
- приостанавливать нельзя


Activity is measured on this computer (Activity Tracker)

This is our host.

Ask Anna.

What is recorded about you:
- keys

What never is:
- what you type

What happens with it:
- it waits

Rules:
- it is recorded at these times: mon-fri 09:00-18:00 (Europe/Moscow), not on 2026-01-01
- 2 names of users and groups are not measured
- titles of windows are dropped or replaced by 1 rules before they are stored
- pausing is not allowed
`
	if got.Text != want {
		t.Errorf("the text is\n%s", got.Text)
	}
}

// Each rule that people are told of makes another version, equal ones make the same, and
// the server takes what it is.
func TestVersions(t *testing.T) {
	seen := map[string]string{}
	for _, file := range []string{
		`{}`, `{"titles":false}`, `{"pause":false}`, `{"exclude_users":["a"]}`, `{"title_rules":[{"title":"x","action":"drop"}]}`,
		`{"work_hours":{"tz":"UTC"}}`, `{"work_hours":{"tz":"UTC","mon":["09:00-18:00"]}}`, `{"notice":{"en":"a"}}`, `{"notice":{"ru":"a"}}`,
		`{"notice":{"en":"b"}}`,
	} {
		one, again := Of(source(t, file)), Of(source(t, file))
		if one != again {
			t.Errorf("%s has two versions", file)
		}
		if other := seen[one.Version]; other != "" && file != `{"notice":{"ru":"a"}}` { // shown in both languages, as the other is
			t.Errorf("%s and %s are one version", file, other)
		}
		seen[one.Version] = file
		if !regexp.MustCompile(`^[0-9a-f]{16,128}$`).MatchString(one.Version) {
			t.Errorf("version %q", one.Version)
		}
	}
}

// However much policies say, the notice has its bound, still says what is recorded, and
// nothing in it steers a terminal or turns a text round.
func TestNoticeIsBounded(t *testing.T) {
	long, _ := json.Marshal(strings.Repeat("ж", rules.MaxNoticeBytes/2))
	one := fmt.Sprintf(`{"notice":{"ru":%s,"en":%s}}`, long, long)
	s := source(t, one, one, one, one)
	s.Rules.Notices = append(s.Rules.Notices, rules.Notice{EN: "a\x1b[31m\u202eb\x00\xff"}, rules.Notice{EN: "  \n"})
	for range 200 {
		s.Rules.Hours = append(s.Rules.Hours, source(t, `{"work_hours":{"tz":"Europe/Moscow","mon":["09:00-18:00"]}}`).Rules.Hours...)
	}
	n := Of(s)
	if len(n.Text) > MaxBytes || !strings.HasSuffix(n.Text, "\n- you can pause it for a while: trackctl pause\n") || !strings.Contains(n.Text, "- что вы набираете\n") {
		t.Errorf("%d bytes, and it ends with %q", len(n.Text), n.Text[max(0, len(n.Text)-200):])
	}
	s.Rules.Notices = s.Rules.Notices[4:]
	for _, r := range Of(s).Text {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Errorf("it has %U", r)
		}
	}
}
