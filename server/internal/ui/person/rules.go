package person

import (
	"strconv"
	"strings"
	"time"

	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/selfapi"
	"activity-tracker.example/server/internal/ui/frame"
)

// collection is what is collected on some hosts, and by which rule.
type collection struct {
	Hosts  string
	Lines  []rule
	Notice string
}

// rule is one of them; Origin is the policy that it is of, empty where none sets it.
type rule struct{ Name, Value, Origin string }

// receipt is that a notice was read.
type receipt struct{ When, Account, Version string }

// collected reads what is collected of oneself now, and which notices one has read.
func (p Parts) collected(v *frame.Visit, s subject, _ report.Day, page *view) error {
	if !s.own {
		return nil
	}
	list, partly, err := p.Self.RulesOf(v.Context(), s.scope.Machines)
	if err != nil {
		return err
	}
	page.RulesPartly = partly
	for i := range list {
		page.Rules = append(page.Rules, rulesOf(v, &list[i]))
	}
	receipts, err := p.Self.Receipts(v.Context(), s.scope.Machines)
	if err != nil {
		return err
	}
	const version = 8 // characters of a digest that tell notices apart
	for _, r := range receipts {
		page.Receipts = append(page.Receipts, receipt{v.Words.Moment(r.ReadAt.In(v.Zone), v.Now.In(v.Zone)), r.MachineID, r.Notice[:min(version, len(r.Notice))]})
	}
	return nil
}

func rulesOf(v *frame.Visit, of *selfapi.Rules) collection {
	w, e := v.Words, &of.Most
	r := collection{Hosts: strings.Join(of.Hosts, ", ")}
	add := func(name, value, field string) {
		var from []string
		for _, origin := range e.Origins[field] {
			if number, ok := strings.CutPrefix(origin, "policy "); ok {
				from = append(from, w.T("rules.policy", number))
			}
		}
		r.Lines = append(r.Lines, rule{w.T("rules." + name), value, strings.Join(from, ", ")})
	}
	now := w.T("rules.on")
	if !e.Hours.Collects(v.Now) {
		now = w.T("rules.off")
	}
	if next := e.Hours.Next(v.Now); !next.IsZero() {
		now += ", " + w.T("rules.until", w.Moment(next.In(v.Zone), v.Now.In(v.Zone)))
	}
	add("now", now, policy.FieldWorkHours)
	add("hours", hoursText(v, e.Hours), policy.FieldWorkHours)
	switch {
	case !e.Titles:
		add("titles", w.T("rules.no"), policy.FieldTitles)
	case len(e.TitleRules) > 0:
		add("titles", w.T("rules.changed"), policy.FieldTitleRules)
	default:
		add("titles", w.T("rules.yes"), policy.FieldTitles)
	}
	if e.Screenshots.Allow {
		add("pictures", w.T("rules.most", w.T("picture."+string(e.Screenshots.Kind)), w.Length(float64(e.Screenshots.IntervalSec))), policy.FieldKind)
	} else {
		add("pictures", w.T("rules.no"), policy.FieldScreenshots)
	}
	yes := map[bool]string{true: w.T("rules.yes"), false: w.T("rules.no")}
	add("pause", yes[e.Pause], policy.FieldPause)
	r.kept(v, of.Versions)
	for _, n := range e.Notices {
		text := n.EN
		if w.Lang == "ru" && n.RU != "" || text == "" {
			text = n.RU
		}
		r.Notice = strings.TrimSpace(r.Notice + "\n\n" + text)
	}
	return r
}

// kept adds for how long what was sent is kept, where a policy sets it.
func (r *collection) kept(v *frame.Visit, versions []policy.Version) {
	for _, p := range versions {
		for _, kind := range p.Policy.Retention.Kinds() {
			if kind.Days != nil {
				r.Lines = append(r.Lines, rule{v.Words.T("rules." + kind.Field), v.Words.N("rules.days", *kind.Days), v.Words.T("rules.policy", strconv.FormatInt(p.Version, 10))})
			}
		}
	}
}

// hoursText writes work hours; several hold together.
func hoursText(v *frame.Visit, hours policy.Hours) string {
	var list []string
	for _, h := range hours {
		var days []string
		for _, d := range h.Days() {
			if len(d.Spans) > 0 {
				days = append(days, daysText(v, d.Days)+" "+strings.Join(d.Spans, ", "))
			}
		}
		list = append(list, strings.Join(days, "; ")+" ("+h.Zone()+")")
	}
	if len(list) == 0 {
		return v.Words.T("rules.always")
	}
	return strings.Join(list, " · ")
}

// daysText writes days such as mon-fri in the reader's language.
func daysText(v *frame.Visit, days string) string {
	names := v.Words.Weekdays()
	parts := strings.Split(days, "-")
	for i, part := range parts {
		for d := range daysAWeek {
			monday := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC) // a Monday
			if strings.EqualFold(monday.AddDate(0, 0, d).Weekday().String()[:3], part) {
				parts[i] = names[d]
			}
		}
	}
	return strings.Join(parts, "–")
}
