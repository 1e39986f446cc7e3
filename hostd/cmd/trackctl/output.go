package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"activity-tracker.example/hostd/text"
)

// timeLayout is how people are shown a time, always in UTC.
const timeLayout = "2006-01-02 15:04:05 UTC"

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	return nil
}

// printText prints words that others can choose (user names, a server's
// words), so that they cannot steer the terminal.
func printText(w io.Writer, words string) error {
	if _, err := io.WriteString(w, text.Block(words)); err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	return nil
}

// table aligns rows of cells.
func table(rows [][]string) string {
	const gap = 2 // spaces between columns
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, gap, ' ', 0)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = text.Line(cell, 0)
		}
		_, _ = fmt.Fprintln(w, strings.Join(cells, "\t")) // a strings.Builder takes everything
	}
	_ = w.Flush() // as above
	lines := strings.Split(b.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

func when(t *time.Time, never string) string {
	if t == nil {
		return never
	}
	return t.UTC().Format(timeLayout)
}
