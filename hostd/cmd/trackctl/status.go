package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"activity-tracker.example/hostd/control"
	"activity-tracker.example/hostd/text"
)

func statusCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show what is measured here, and where it goes",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			ask, err := o.client(c)
			if err != nil {
				return err
			}
			st, err := ask.Status(c.Context())
			if err != nil {
				return err
			}
			if o.json {
				return printJSON(c.OutOrStdout(), st)
			}
			return printText(c.OutOrStdout(), statusText(st))
		},
	}
}

func sessionsCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "sessions",
		Short: "List the sessions that are measured: yours, or all for root",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			ask, err := o.client(c)
			if err != nil {
				return err
			}
			list, err := ask.Sessions(c.Context())
			if err != nil {
				return err
			}
			if o.json {
				return printJSON(c.OutOrStdout(), list)
			}
			if len(list.Sessions) == 0 {
				return printText(c.OutOrStdout(), "No session is measured.\n")
			}
			return printText(c.OutOrStdout(), sessionsText(list.Sessions))
		},
	}
}

// statusText is a status for a person. Root reads about the host, others about
// themselves.
func statusText(st control.Status) string {
	rows := [][]string{
		{"trackerd:", fmt.Sprintf("version %s, running since %s", st.Version, when(&st.StartedAt, ""))},
		{"Server:", serverText(&st)},
		{"Last upload:", uploadText(st.Upload)},
	}
	if st.Host == nil {
		return table(append(rows, noticeRow(&st, true)...)) + rulesText(st.Rules) + "\n" + pausesText(&st) + personText(st)
	}
	rows = append(rows,
		[]string{"Host:", st.Hostname + ", host id " + st.Host.HostID},
		[]string{"Sessions:", text.Count(int64(len(st.Sessions)), "session") + " measured"},
		[]string{"Waiting:", text.Count(st.Host.EventsWaiting, "event")},
		[]string{"Rejected:", deadText(st.Host)},
		[]string{"Records:", fmt.Sprintf("one every %d s, uploaded every %d s", st.CollectIntervalSec, st.SendIntervalSec)},
	)
	if s := st.Host.Screenshots; s != nil {
		rows = append(rows, []string{"Screenshots:", screenshotsText(s)})
	}
	rows = append(rows, noticeRow(&st, st.User)...)
	var b strings.Builder
	b.WriteString(table(rows))
	for _, p := range st.Host.Problems {
		fmt.Fprintf(&b, "Problem: %s\n", text.Line(p, 0))
	}
	b.WriteString(pausesText(&st))
	b.WriteString(rulesText(st.Rules))
	switch {
	case st.User: // whoever runs it is whom it measures
		b.WriteString("\n" + personText(st))
	case len(st.Sessions) > 0:
		b.WriteString("\n" + sessionsText(st.Sessions))
	}
	return b.String()
}

// screenshotsText sums up how it goes with pictures.
func screenshotsText(s *control.Screenshots) string {
	told := fmt.Sprintf("%d taken, %d sent, %d waiting; the last sent %s", s.Taken, s.Sent, s.Waiting, when(s.LastSent, "not since trackerd started"))
	for _, n := range []struct {
		count int64
		what  string
	}{{s.Dropped, "thrown away: too many or too old"}, {s.Refused, "refused by the server"}, {s.Forgotten, "forgotten as the server asked"}} {
		if n.count > 0 {
			told += fmt.Sprintf("; %d %s", n.count, n.what)
		}
	}
	if s.LastError != "" {
		told += "; " + s.LastError
	}
	return told
}

// picturesText lists of each session whether a picture may be taken of it now, and why not.
func picturesText(list []control.Session) string {
	var b strings.Builder
	for i := range list {
		s := list[i].Screenshots
		if s == nil {
			continue
		}
		now := "may be taken now"
		if s.WhyNot != "" {
			now = "not now: " + s.WhyNot
		}
		fmt.Fprintf(&b, "Screenshots of session %s: %s; the last %s", list[i].ID, now, when(s.LastTaken, "not since trackerd started"))
		if s.LastFailed != "" {
			b.WriteString("; then none: " + s.LastFailed)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// noticeRow is which notice holds, and for whoever is measured whether they confirmed it.
func noticeRow(st *control.Status, measured bool) [][]string {
	n := st.Notice
	if n == nil {
		return nil
	}
	words := "version " + n.Version
	switch {
	case n.ReadAt != nil:
		words += ", which you confirmed on " + when(n.ReadAt, "")
	case measured:
		words += ", which you have not confirmed; read it with 'trackctl notice'"
	}
	return [][]string{{"Notice:", text.Line(words, 0)}}
}

// rulesText lists the rules that hold, and where each comes from.
func rulesText(rules []control.Rule) string {
	if len(rules) == 0 {
		return ""
	}
	var rows [][]string
	for _, r := range rules {
		from := "default"
		if len(r.From) > 0 {
			from = strings.Join(r.From, ", ")
		}
		rows = append(rows, []string{"  " + r.Name + ":", text.Line(r.Holds, 0) + " (" + from + ")"})
	}
	return "\nRules that hold here, and where they come from:\n" + table(rows)
}

// personText returns what is measured about somebody, for them.
func personText(st control.Status) string {
	var b strings.Builder
	if len(st.Sessions) == 0 {
		b.WriteString("None of your sessions is measured now.\n")
	} else {
		fmt.Fprintf(&b, "%s of yours %s measured, in one record every %d s:\n", text.Count(int64(len(st.Sessions)), "session"),
			map[bool]string{true: "is", false: "are"}[len(st.Sessions) == 1], st.CollectIntervalSec)
		b.WriteString(sessionsText(st.Sessions))
	}
	for _, part := range []struct {
		title string
		items []string
	}{
		{"What is recorded about you", st.Measured.Counted},
		{"What never is", st.Measured.Never},
		{"What happens with it", st.Measured.Handling},
	} {
		fmt.Fprintf(&b, "\n%s:\n", part.title)
		for _, what := range part.items {
			fmt.Fprintf(&b, "  - %s\n", text.Line(what, 0))
		}
	}
	return b.String()
}

func serverText(st *control.Status) string {
	d, enrol := st.Server, "'trackctl enroll "
	as := "as root"
	if st.User {
		enrol, as = "'trackctl --user enroll ", "yourself"
	}
	switch {
	case d.Problem != "":
		return "not enrolled: " + d.Problem
	case d.Enrolled:
		return d.URL
	case d.URL != "":
		return d.URL + ", not enrolled; run " + enrol + d.URL + " -' " + as
	}
	return "not enrolled; run " + enrol + "URL -' " + as
}

func uploadText(u control.Upload) string {
	told := when(u.LastSuccess, "none since trackerd started")
	if u.LastError != "" {
		told += "; failing now: " + u.LastError
	}
	return told
}

// deadText sums up what the server did not take.
func deadText(h *control.Host) string {
	var total, later int64
	codes := make([]string, 0, len(h.DeadLetters))
	for code, n := range h.DeadLetters {
		total += n
		codes = append(codes, fmt.Sprintf("%s %d", code, n))
	}
	for _, p := range h.Later {
		later += p.Events
	}
	var parts []string
	if total > 0 {
		slices.Sort(codes)
		parts = append(parts, fmt.Sprintf("%s by the server for good (%s)", text.Count(total, "event"), strings.Join(codes, ", ")))
	}
	if later > 0 {
		parts = append(parts, fmt.Sprintf("%s for now, tried again from %s on", text.Count(later, "event"), soonest(h.Later).UTC().Format(timeLayout)))
	}
	if h.Forgotten > 0 {
		parts = append(parts, text.Count(h.Forgotten, "event")+" forgotten as the server asked")
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, "; ")
}

func sessionsText(list []control.Session) string {
	rows := [][]string{{"SESSION", "USER", "MACHINE ID", "KIND", "DISPLAY", "CONNECTED", "STATE", "LAST REPORT", "PROBLEM"}}
	for i := range list {
		s := &list[i]
		rows = append(rows, []string{
			s.ID, s.User, s.MachineID, s.Kind, displayText(s), connectedText(s), string(s.State), when(s.LastReport, "none yet"), s.Problem,
		})
	}
	return table(rows) + picturesText(list)
}

// connectedText returns whether somebody can be at a session.
func connectedText(s *control.Session) string {
	switch {
	case s.Connected == nil:
		return "unknown"
	case s.Seat == "":
		return map[bool]string{true: "yes", false: "no"}[*s.Connected]
	case !*s.Connected:
		return "switched away"
	case s.Locked:
		return "locked"
	}
	return "in front"
}

// displayText is the X display, or where else a session draws.
func displayText(s *control.Session) string {
	if s.Display == "" && slices.Contains(s.Reads, "wayland") {
		return "wayland"
	}
	return s.Display
}
