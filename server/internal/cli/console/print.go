package console

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"activity-tracker.example/server/internal/text"
)

// columnGap is the space between a table's columns.
const columnGap = 2

// Table writes rows under a header, which is there also where there are none: a
// list of nothing looks like one. Cells come from others too (a host's
// name): nothing in them can steer the terminal.
func Table(w io.Writer, header []string, rows [][]string) error {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, columnGap, ' ', 0)
	for _, row := range append([][]string{header}, rows...) {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = text.ForTerminal(cell)
		}
		// A strings.Builder takes everything.
		_, _ = fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	_ = t.Flush()
	for line := range strings.Lines(b.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return fmt.Errorf("printing: %w", err)
		}
	}
	return nil
}

// Line writes a line.
func Line(w io.Writer, text string) error {
	_, err := fmt.Fprintln(w, text)
	return err
}

// JSON writes a value for scripts.
func JSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// IsTerminal reports whether a person reads or types there.
func IsTerminal(w any) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// Complete completes a flag that takes one of these words.
func Complete(cmd *cobra.Command, flag string, words []string) {
	// It fails only for a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return words, cobra.ShellCompDirectiveNoFileComp
	})
}

// OneOf checks a flag that takes one of these words.
func OneOf(flag, value string, words ...string) error {
	switch {
	case slices.Contains(words, value):
		return nil
	case value == "":
		return Usagef("--%s is missing: want one of %v", flag, words)
	}
	return Usagef("--%s %q: want one of %v", flag, value, words)
}

// List prints a list, as JSON or as a table with a row for each.
func List[T any](w io.Writer, asJSON bool, header []string, list []T, row func(T) []string) error {
	if asJSON {
		return JSON(w, list)
	}
	rows := make([][]string, len(list))
	for i, one := range list {
		rows[i] = row(one)
	}
	return Table(w, header, rows)
}

// Sees returns what a token or user sees, for people.
func Sees(limited bool, groups []string) string {
	switch {
	case !limited:
		return "all machines"
	case len(groups) == 0:
		return "nothing: the groups were removed"
	}
	return strings.Join(groups, ", ")
}
