package policy

import (
	"fmt"
	"strings"
	"testing"

	rules "activity-tracker.example/server/api/policy"
)

func TestDescribe(t *testing.T) {
	off, on := false, true
	const allowed = "{screenshots none are taken []} {pause allowed ('trackctl pause') []} {self allowed ('trackctl web') []}"
	for _, c := range []struct {
		file rules.Document
		want string
	}{
		{rules.Document{}, "[{work_hours always []} {exclude_users nobody []} {titles recorded []} {title_rules none []} " + allowed + "]"},
		{rules.Document{
			WorkHours:    hours(t, "Europe/Moscow", day("mon-fri", "09:00-13:00", "14:00-18:00"), day("sat", "10:00-12:00")),
			ExcludeUsers: []string{"root", "@admins"}, Titles: &off, TitleRules: rules.Rules{{App: "x", Action: rules.Drop}},
		}, "[{work_hours mon-fri 09:00-13:00 14:00-18:00, sat 10:00-12:00 Europe/Moscow (not now) [file]} " +
			"{exclude_users 2 names of users and groups [file]} {titles not recorded [file]} {title_rules 1, before anything is stored [file]} " + allowed + "]"},
		{
			rules.Document{Screenshots: &rules.Screenshots{Allow: &on, Kind: rules.Readable, IntervalSec: 900}},
			"[{work_hours always []} {exclude_users nobody []} {titles recorded []} {title_rules none []} {screenshots readable, one of each session in 900 s [file]} {pause allowed ('trackctl pause') []} {self allowed ('trackctl web') []}]",
		},
		{rules.Document{WorkHours: hours(t, "UTC")}, "[{work_hours never UTC (not now) [file]} {exclude_users nobody []} {titles recorded []} {title_rules none []} " + allowed + "]"},
	} {
		p := at(t, "2026-11-22T12:00:00Z", c.file.WorkHours, func() {}) // a Sunday
		p.effective = rules.Narrow(c.file, nil)
		if got := fmt.Sprint(p.Describe()); got != c.want {
			t.Errorf("%s\nwant\n%s", got, c.want)
		}
		p.effective = rules.Narrow(c.file, []rules.Version{{Version: 3, Policy: rules.Document{Self: &off}}})
		if got := fmt.Sprint(p.Describe()); !strings.Contains(got, "{self not allowed [policy 3]}") {
			t.Error(got)
		}
	}
}
