package policies

import (
	"slices"
	"strings"

	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/server/internal/ui/words"
)

// fact is one thing that a policy decides, in plain words.
type fact struct {
	// Key names it in the catalogue.
	Key string
	// Lines are what is decided.
	Lines []string
	// Usual means that the policy has nothing about it.
	Usual bool
}

// facts are what a policy decides.
func facts(w *words.Words, d *policy.Document) []fact {
	list := []fact{
		hours(w, d.WorkHours),
		{Key: "titles", Lines: []string{yesNo(w, "policy.titles", d.Titles)}, Usual: d.Titles == nil},
		rules(w, d.TitleRules),
		excluded(w, d.ExcludeUsers),
		screenshots(w, d.Screenshots),
		{Key: "pause", Lines: []string{yesNo(w, "policy.pause", d.Pause)}, Usual: d.Pause == nil},
		{Key: "self", Lines: []string{yesNo(w, "policy.self", d.Self)}, Usual: d.Self == nil},
		notice(w, d.Notice),
		retention(w, d.Retention),
	}
	return list
}

// yesNo words a switch; what is not set is on.
func yesNo(w *words.Words, key string, set *bool) string {
	if set != nil && !*set {
		return w.T(key + ".no")
	}
	return w.T(key + ".yes")
}

func hours(w *words.Words, h *policy.WorkHours) fact {
	f := fact{Key: "hours", Usual: h == nil}
	if h == nil {
		f.Lines = []string{w.T("policy.hours.always")}
		return f
	}
	for _, d := range h.Days() {
		first, last, ranged := strings.Cut(d.Days, "-")
		days := weekday(w, first)
		if ranged {
			days += "–" + weekday(w, last)
		}
		f.Lines = append(f.Lines, days+" "+strings.ReplaceAll(strings.Join(d.Spans, ", "), "-", "–"))
	}
	if len(f.Lines) == 0 {
		f.Lines = []string{w.T("policy.hours.never")}
	}
	f.Lines = append(f.Lines, w.T("policy.hours.zone", h.Zone()))
	if days := h.Holidays(); len(days) > 0 {
		f.Lines = append(f.Lines, w.T("policy.hours.holidays", strings.Join(days, ", ")))
	}
	return f
}

// weekday is what the language calls a day that a policy names.
func weekday(w *words.Words, name string) string {
	i := slices.Index([]string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}, name)
	if i < 0 {
		return name
	}
	return w.Weekdays()[i]
}

func rules(w *words.Words, list policy.Rules) fact {
	f := fact{Key: "rules", Usual: len(list) == 0}
	for _, r := range list {
		app, title := r.App, r.Title
		if app == "" {
			app = w.T("policy.rules.any")
		}
		if title == "" {
			title = w.T("policy.rules.all")
		}
		if r.Action == policy.Replace {
			f.Lines = append(f.Lines, w.T("policy.rules.replace", app, title, r.With))
		} else {
			f.Lines = append(f.Lines, w.T("policy.rules.drop", app, title))
		}
	}
	if len(f.Lines) == 0 {
		f.Lines = []string{w.T("policy.rules.none")}
	}
	return f
}

func excluded(w *words.Words, names []string) fact {
	if len(names) == 0 {
		return fact{Key: "excluded", Lines: []string{w.T("policy.excluded.none")}, Usual: true}
	}
	return fact{Key: "excluded", Lines: []string{strings.Join(names, ", ")}}
}

func screenshots(w *words.Words, s *policy.Screenshots) fact {
	f := fact{Key: "screenshots", Usual: s == nil}
	switch {
	case s != nil && s.Allow != nil && !*s.Allow:
		f.Lines = []string{w.T("policy.screenshots.no")}
		return f
	default:
		f.Lines = []string{w.T("policy.screenshots.file")}
	}
	if s != nil && s.Kind == policy.Blurred {
		f.Lines = append(f.Lines, w.T("policy.screenshots.blurred"))
	}
	if s != nil && s.IntervalSec > 0 {
		f.Lines = append(f.Lines, w.T("policy.screenshots.each", w.Length(float64(s.IntervalSec))))
	}
	return f
}

func notice(w *words.Words, n *policy.Notice) fact {
	f := fact{Key: "notice"}
	if n != nil {
		for _, text := range []string{n.EN, n.RU} {
			if strings.TrimSpace(text) != "" {
				f.Lines = append(f.Lines, text)
			}
		}
	}
	if len(f.Lines) == 0 {
		f.Lines, f.Usual = []string{w.T("policy.notice.none")}, true
	}
	return f
}

func retention(w *words.Words, r *policy.Retention) fact {
	f := fact{Key: "retention"}
	for _, kind := range r.Kinds() {
		if kind.Days != nil {
			f.Lines = append(f.Lines, w.T("policy.retention."+kind.Field, w.N("policy.days", *kind.Days)))
		}
	}
	if len(f.Lines) == 0 {
		f.Lines, f.Usual = []string{w.T("policy.retention.server")}, true
	}
	return f
}

// change is a fact that would be another.
type change struct {
	Key         string
	Before, Now []string
}

// changes are the facts that differ.
func changes(w *words.Words, before, now *policy.Document) (list []change) {
	old, fresh := facts(w, before), facts(w, now)
	for i, f := range fresh {
		if !slices.Equal(old[i].Lines, f.Lines) {
			list = append(list, change{f.Key, old[i].Lines, f.Lines})
		}
	}
	return list
}
