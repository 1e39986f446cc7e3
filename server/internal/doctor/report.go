// Package doctor checks a server and its database. Its checks are pure functions of
// what was read: they ask nobody and change nothing.
package doctor

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/text"
)

func ok(name, format string, args ...any) api.Check {
	return api.Check{Name: name, Result: api.CheckOK, Detail: fmt.Sprintf(format, args...)}
}

func warning(name, detail, advice string) api.Check {
	return api.Check{Name: name, Result: api.CheckWarning, Detail: detail, Advice: advice}
}

func failed(name, detail, advice string) api.Check {
	return api.Check{Name: name, Result: api.CheckFailed, Detail: detail, Advice: advice}
}

// Report sums up checks. What they found fits a line.
func Report(checks []api.Check) api.CheckReport {
	for i := range checks {
		checks[i].Detail = oneLine(checks[i].Detail)
	}
	return api.NewCheckReport(checks)
}

// oneLine joins the lines of an error, each of them once: a driver lists every address
// that it tried, often the same one with TLS and without.
func oneLine(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, " ")
}

// WriteText writes a report for people.
func WriteText(w io.Writer, r api.CheckReport) error {
	if _, err := io.WriteString(w, reportText(r.Checks)); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

func reportText(checks []api.Check) string {
	name, result := 0, 0
	for _, c := range checks {
		name, result = max(name, len(c.Name)), max(result, len(c.Result))
	}
	var b strings.Builder
	for _, c := range checks {
		fmt.Fprintf(&b, "%-*s  %-*s  %s\n", result, c.Result, name, c.Name, text.ForTerminal(c.Detail))
		if c.Advice != "" {
			fmt.Fprintf(&b, "%-*s  %-*s  -> %s\n", result, "", name, "", c.Advice)
		}
	}
	return b.String()
}
