package config

import (
	"encoding/json"
	"testing"
)

// TestRules reads the contract's example of each key, from the file and from the
// environment.
func TestRules(t *testing.T) {
	path := write(t, "config.yaml", `exclude_users: ["root", "@admins"]   # names, or @group
work_hours:
  tz: "Europe/Moscow"
  mon-fri: ["09:00-18:00"]
  fri: ["09:00-13:00", "14:00-16:00"]
  holidays: ["2026-01-01"]
title_rules:                         # the first that matches
  - {app: "Thunderbird", title: ".*", action: drop}
  - {title: '^(.*) - KeePass.*$', action: replace, with: "KeePass"}
pause: false
notice: {ru: "Это наш хост."}
features:
  window_titles: false
`)
	const want = `{"work_hours":{"tz":"Europe/Moscow","mon-thu":["09:00-18:00"],"fri":["09:00-13:00","14:00-16:00"],"holidays":["2026-01-01"]},` +
		`"exclude_users":["root","@admins"],"titles":false,"title_rules":[{"app":"Thunderbird","title":".*","action":"drop"},` +
		`{"title":"^(.*) - KeePass.*$","action":"replace","with":"KeePass"}],"pause":false,"notice":{"ru":"Это наш хост."}}`
	fromFile, err := Load(Paths{Config: path, ConfigRequired: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	fromEnvironment, err := Load(Paths{}, []string{
		"TRACKERD_EXCLUDE_USERS=root, @admins",
		`TRACKERD_WORK_HOURS={tz: "Europe/Moscow", mon-fri: ["09:00-18:00"], fri: ["09:00-13:00", "14:00-16:00"], holidays: ["2026-01-01"]}`,
		`TRACKERD_TITLE_RULES=[{app: "Thunderbird", title: ".*", action: drop}, {title: '^(.*) - KeePass.*$', action: replace, with: "KeePass"}]`,
		"TRACKERD_FEATURES_WINDOW_TITLES=false", "TRACKERD_PAUSE=false", `TRACKERD_NOTICE={ru: "Это наш хост."}`,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []Config{fromFile, fromEnvironment} {
		if got, err := json.Marshal(c.Rules()); err != nil || string(got) != want {
			t.Errorf("%s\n%v, want\n%s", got, err, want)
		}
	}
}
