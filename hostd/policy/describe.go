package policy

import (
	"fmt"
	"slices"
	"strings"

	rules "activity-tracker.example/server/api/policy"
)

// Rule is one rule that holds, in words.
type Rule struct {
	// Name is the key of the file and of policies.
	Name string
	// Holds is what holds, and From where it comes from: "file", "policy 12"; nothing
	// where that is the default.
	Holds string
	From  []string
}

// Describe returns each rule that holds now, in words for everybody on the host: of who
// is excluded only how many.
func (p *Policy) Describe() []Rule {
	e := p.Effective()
	titles, excluded, listed := "recorded", "nobody", "none"
	if !e.Titles {
		titles = "not recorded"
	}
	if n := len(e.ExcludeUsers); n > 0 {
		excluded = fmt.Sprintf("%d names of users and groups", n)
	}
	count := 0
	for _, list := range e.TitleRules {
		count += len(list)
	}
	if count > 0 {
		listed = fmt.Sprintf("%d, before anything is stored", count)
	}
	described := []Rule{
		{Name: rules.FieldWorkHours, Holds: p.describeHours(e.Hours)},
		{Name: rules.FieldExclude, Holds: excluded},
		{Name: rules.FieldTitles, Holds: titles},
		{Name: rules.FieldTitleRules, Holds: listed},
		{Name: Screenshots, Holds: describeScreenshots(e.Screenshots)},
		{Name: rules.FieldPause, Holds: map[bool]string{true: "allowed ('trackctl pause')", false: "not allowed"}[e.Pause]},
		{Name: rules.FieldSelf, Holds: map[bool]string{true: "allowed ('trackctl web')", false: "not allowed"}[e.Self]},
	}
	for i := range described {
		described[i].From = slices.Clone(e.Origins[described[i].Name])
		if described[i].Name != Screenshots {
			continue
		}
		fields := []string{rules.FieldScreenshots}
		if e.Screenshots.Allow {
			fields = append(fields, rules.FieldKind, rules.FieldInterval)
		}
		for _, field := range fields {
			for _, origin := range e.Origins[field] {
				if !slices.Contains(described[i].From, origin) {
					described[i].From = append(described[i].From, origin)
				}
			}
		}
	}
	return described
}

// Screenshots is the name of the rule about pictures, which is three fields.
const Screenshots = "screenshots"

func describeScreenshots(s rules.EffectiveScreenshots) string {
	if !s.Allow {
		return "none are taken"
	}
	return fmt.Sprintf("%s, one of each session in %d s", s.Kind, s.IntervalSec)
}

// describeHours writes hours as their key does, and what they mean now.
func (p *Policy) describeHours(hours rules.Hours) string {
	var all []string
	for _, w := range hours {
		var days []string
		for _, d := range w.Days() {
			days = append(days, d.Days+" "+strings.Join(d.Spans, " "))
		}
		if len(days) == 0 {
			days = []string{"never"}
		}
		text := strings.Join(days, ", ") + " " + w.Zone()
		if n := len(w.Holidays()); n > 0 {
			text += fmt.Sprintf(", not on %d holidays", n)
		}
		all = append(all, text)
	}
	if p.waits() {
		return "never yet: waiting for the server's policy"
	}
	if len(all) == 0 {
		return "always"
	}
	text := strings.Join(all, "; and ")
	if !p.collects() {
		text += " (not now)"
	}
	return text
}
