package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Effective is what holds on a host: the narrower of its file and of the policies that
// hold for it, field by field. No policy turns on what the file has not.
type Effective struct {
	Hours        Hours    `json:"work_hours"`
	ExcludeUsers []string `json:"exclude_users"`
	Titles       bool     `json:"titles"`
	// TitleRules are lists that run one after the other: the file's, then the policies'.
	TitleRules  []Rules              `json:"title_rules"`
	Screenshots EffectiveScreenshots `json:"screenshots"`
	Pause       bool                 `json:"pause"`
	// Self is whether people may open their own page by a link of trackctl.
	Self bool `json:"self"`
	// Notices are the file's text and the policies'.
	Notices []Notice `json:"notices"`
	// Origins holds where each field that differs from the default comes from, by the
	// field's name: "file", "policy 12".
	Origins map[string][]string `json:"origins"`
}

// EffectiveScreenshots is whether there are screenshots, and which.
type EffectiveScreenshots struct {
	Allow       bool `json:"allow"`
	Kind        Kind `json:"kind"`
	IntervalSec int  `json:"interval_sec"`
}

// The fields' names in Origins.
const (
	FieldWorkHours   = "work_hours"
	FieldExclude     = "exclude_users"
	FieldTitles      = "titles"
	FieldTitleRules  = "title_rules"
	FieldScreenshots = "screenshots.allow"
	FieldKind        = "screenshots.kind"
	FieldInterval    = "screenshots.interval_sec"
	FieldPause       = "pause"
	FieldSelf        = "self"
	FieldNotice      = "notice"
)

// DefaultScreenshotSec is the time between two pictures where nothing sets another.
const DefaultScreenshotSec = 600

// Narrow returns what holds of a host's file and the policies that hold for it now, as
// Reply.At returns them. More title rules than a list may have in all policies together
// switch titles off: the server refuses them, and nothing is let through by mistake.
func Narrow(file Document, policies []Version) Effective {
	e := Effective{
		Titles: true, Pause: true, Self: true, Origins: map[string][]string{},
		Screenshots: EffectiveScreenshots{Kind: Readable},
	}
	// The file alone switches screenshots on, and sets which kind at most.
	if s := file.Screenshots; s != nil && s.Allow != nil && *s.Allow {
		e.Screenshots.Allow = true
		e.add(FieldScreenshots, "file")
	}
	if file.Screenshots == nil || file.Screenshots.Kind != Readable {
		e.Screenshots.Kind = Blurred
	}
	e.narrow(file, "file")
	var all Rules
	for _, p := range policies {
		origin := fmt.Sprintf("policy %d", p.Version)
		e.narrow(p.Policy, origin)
		all = append(all, p.Policy.TitleRules...)
		if e.Titles && all.Validate() != nil {
			e.Titles = false
			e.add(FieldTitles, origin)
		}
	}
	if e.Screenshots.IntervalSec == 0 {
		e.Screenshots.IntervalSec = DefaultScreenshotSec
	}
	return e
}

// narrow lets a document take away of what holds.
func (e *Effective) narrow(d Document, origin string) {
	if d.WorkHours != nil {
		e.Hours = append(e.Hours, d.WorkHours)
		e.add(FieldWorkHours, origin)
	}
	for _, name := range d.ExcludeUsers {
		if !slices.Contains(e.ExcludeUsers, name) {
			e.ExcludeUsers = append(e.ExcludeUsers, name)
		}
		e.add(FieldExclude, origin)
	}
	if forbids(d.Titles) {
		e.Titles = false
		e.add(FieldTitles, origin)
	}
	if len(d.TitleRules) > 0 {
		e.TitleRules = append(e.TitleRules, d.TitleRules)
		e.add(FieldTitleRules, origin)
	}
	if forbids(d.Pause) {
		e.Pause = false
		e.add(FieldPause, origin)
	}
	if forbids(d.Self) {
		e.Self = false
		e.add(FieldSelf, origin)
	}
	if d.Notice != nil && strings.TrimSpace(d.Notice.RU+d.Notice.EN) != "" {
		e.Notices = append(e.Notices, *d.Notice)
		e.add(FieldNotice, origin)
	}
	e.narrowScreenshots(d.Screenshots, origin)
}

func (e *Effective) narrowScreenshots(s *Screenshots, origin string) {
	if s == nil {
		return
	}
	if forbids(s.Allow) {
		if e.Screenshots.Allow {
			delete(e.Origins, FieldScreenshots)
		}
		e.Screenshots.Allow = false
		e.add(FieldScreenshots, origin)
	}
	if s.Kind == Blurred {
		e.Screenshots.Kind = Blurred
		e.add(FieldKind, origin)
	}
	if s.IntervalSec > e.Screenshots.IntervalSec {
		e.Screenshots.IntervalSec = s.IntervalSec
		e.Origins[FieldInterval] = []string{origin}
	}
}

// add names where a field comes from, once.
func (e *Effective) add(field, origin string) {
	if !slices.Contains(e.Origins[field], origin) {
		e.Origins[field] = append(e.Origins[field], origin)
	}
}

// forbids reports whether a field says no.
func forbids(value *bool) bool { return value != nil && !*value }
