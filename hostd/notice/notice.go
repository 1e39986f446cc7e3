// Package notice writes what is told to people before they are measured: a plain text in
// both languages, made of the rules that hold here. Its hash is its version: who has read
// one version has not read another.
package notice

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"activity-tracker.example/hostd/control"
	"activity-tracker.example/hostd/text"
	rules "activity-tracker.example/server/api/policy"
)

const (
	// MaxBytes bounds the text: some pages, which a window and a terminal show.
	MaxBytes = 16 << 10
	// maxOwnBytes bounds what file and policies say in one language, so that what is
	// recorded is said in any case.
	maxOwnBytes = 4 << 10
	// maxHoursBytes bounds the times in which anything is collected.
	maxHoursBytes = 1 << 10
	// versionBytes are those of the hash that make a version, which people compare.
	versionBytes = 16
)

// Notice is a text, and which.
type Notice struct {
	// Version is the hash of Text, in hexadecimal digits.
	Version string
	Text    string
	// Login is what logins on terminals show, of a few lines; empty where neither file
	// nor policy has a notice, and nobody is to be asked.
	Login string
}

// Source is what a notice is made of.
type Source struct {
	// English and Russian are what is recorded.
	English, Russian control.Measured
	// Rules are those that hold.
	Rules rules.Effective
}

// language is what one of the two texts is made of.
type language struct {
	title, counted, never, handling, rules             string
	hours, always, and, none, except, excluded, titles string
	noTitles, allTitles, pause, noPause                string
	days                                               func(string) string
	own                                                func(rules.Notice) string
}

func english() language {
	return language{
		title:   "Activity is measured on this computer (Activity Tracker)",
		counted: "What is recorded about you", never: "What never is", handling: "What happens with it", rules: "Rules",
		hours: "it is recorded at these times: %s", always: "it is recorded at all times", and: "and at once", none: "at no time", except: "not on",
		excluded: "%d names of users and groups are not measured",
		titles:   "titles of windows are dropped or replaced by %d rules before they are stored", allTitles: "titles of windows are recorded as they are",
		noTitles: "titles of windows are not recorded",
		pause:    "you can pause it for a while: trackctl pause", noPause: "pausing is not allowed",
		days: func(keys string) string { return keys },
		own:  func(n rules.Notice) string { return n.EN },
	}
}

func russian() language {
	return language{
		title:   "На этом компьютере измеряется активность (Activity Tracker)",
		counted: "Что о вас записывается", never: "Что — никогда", handling: "Что с этим происходит", rules: "Правила",
		hours: "записывается в это время: %s", always: "записывается в любое время", and: "и одновременно", none: "никогда", except: "кроме",
		excluded: "не измеряются названные по имени пользователи и группы, их %d",
		titles:   "заголовки окон до записи удаляются или заменяются по правилам, их %d", allTitles: "заголовки окон записываются как есть",
		noTitles: "заголовки окон не записываются",
		pause:    "вы можете это на время приостановить: trackctl pause", noPause: "приостанавливать нельзя",
		days: strings.NewReplacer("mon", "пн", "tue", "вт", "wed", "ср", "thu", "чт", "fri", "пт", "sat", "сб", "sun", "вс").Replace,
		own:  func(n rules.Notice) string { return n.RU },
	}
}

// Of writes the notice. It says nothing that changes from moment to moment or from host to
// host: equal rules make one version everywhere.
func Of(s Source) Notice {
	parts := []string{s.in(russian(), s.Russian), s.in(english(), s.English)}
	words := text.Cut(text.Block(strings.Join(parts, "\n\n")), MaxBytes)
	sum := sha256.Sum256([]byte(words))
	n := Notice{Version: hex.EncodeToString(sum[:versionBytes]), Text: words}
	if len(s.Rules.Notices) > 0 {
		n.Login = text.Block(s.login(russian()) + s.login(english()))
	}
	return n
}

// login are the lines for terminals in one language.
func (s *Source) login(l language) string {
	return l.title + ": trackctl notice\n" + strings.Join(s.own(l), "\n") + "\n"
}

// in writes one language.
func (s *Source) in(l language, m control.Measured) string {
	var b strings.Builder
	b.WriteString(l.title + "\n")
	for _, words := range s.own(l) {
		b.WriteString("\n" + words + "\n")
	}
	list := func(title string, items []string) {
		b.WriteString("\n" + title + ":\n")
		for _, item := range items {
			b.WriteString("- " + item + "\n")
		}
	}
	list(l.counted, m.Counted)
	list(l.never, m.Never)
	list(l.handling, m.Handling)
	list(l.rules, s.rules(l))
	return b.String()
}

// own are the texts of the file and of policies; one that lacks the language is shown in
// the other.
func (s *Source) own(l language) []string {
	var list []string
	left := maxOwnBytes
	for _, n := range s.Rules.Notices {
		words := strings.TrimSpace(l.own(n))
		if words == "" {
			words = strings.TrimSpace(n.RU + n.EN)
		}
		if words = text.Cut(words, max(left, 1)); words == "" || left <= 0 {
			continue
		}
		left -= len(words)
		list = append(list, words)
	}
	return list
}

// rules are those that hold, in words.
func (s *Source) rules(l language) []string {
	e := s.Rules
	list := []string{s.hours(l)}
	if n := len(e.ExcludeUsers); n > 0 {
		list = append(list, fmt.Sprintf(l.excluded, n))
	}
	count := 0
	for _, rules := range e.TitleRules {
		count += len(rules)
	}
	switch {
	case !e.Titles:
		list = append(list, l.noTitles)
	case count > 0:
		list = append(list, fmt.Sprintf(l.titles, count))
	default:
		list = append(list, l.allTitles)
	}
	if e.Pause {
		return append(list, l.pause)
	}
	return append(list, l.noPause)
}

// hours are the times in which anything is collected.
func (s *Source) hours(l language) string {
	var all []string
	for _, w := range s.Rules.Hours {
		var days []string
		for _, d := range w.Days() {
			days = append(days, l.days(d.Days)+" "+strings.Join(d.Spans, " "))
		}
		if len(days) == 0 {
			days = []string{l.none}
		}
		words := strings.Join(days, ", ") + " (" + w.Zone() + ")"
		if off := w.Holidays(); len(off) > 0 {
			words += ", " + l.except + " " + strings.Join(off, ", ")
		}
		all = append(all, words)
	}
	if len(all) == 0 {
		return l.always
	}
	return text.Cut(fmt.Sprintf(l.hours, strings.Join(all, "; "+l.and+": ")), maxHoursBytes)
}
