package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"activity-tracker.example/server/internal/store/rooms"
	"activity-tracker.example/server/internal/text"
)

// columnGap is the space between a table's columns.
const columnGap = 2

// printTable writes rows under a header, which is there also where there are none: a
// list of nothing looks like one. Cells come from others too (a host's
// name): nothing in them can steer the terminal.
func printTable(w io.Writer, header []string, rows [][]string) error {
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

// printList prints what read returns, as JSON or as a table with a row for each.
func printList[T any](p *program, cmd *cobra.Command, asJSON bool, header []string, read func(context.Context, *rooms.Store) ([]T, error), row func(T) []string) error {
	list := []T{} // as JSON [] where there are none
	err := p.withStore(cmd, func(ctx context.Context, st *rooms.Store) error {
		found, err := read(ctx, st)
		list = append(list, found...)
		return err
	})
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(cmd.OutOrStdout(), list)
	}
	rows := make([][]string, len(list))
	for i, one := range list {
		rows[i] = row(one)
	}
	return printTable(cmd.OutOrStdout(), header, rows)
}

func printLine(w io.Writer, text string) error {
	_, err := fmt.Fprintln(w, text)
	return err
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// isTerminal reports whether a person reads or types there.
func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// complete completes a flag that takes one of these words.
func complete(cmd *cobra.Command, flag string, words []string) {
	// It fails only for a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return words, cobra.ShellCompDirectiveNoFileComp
	})
}

// oneOf checks a flag that takes one of these words.
func oneOf(flag, value string, words ...string) error {
	switch {
	case slices.Contains(words, value):
		return nil
	case value == "":
		return usagef("--%s is missing: want one of %v", flag, words)
	}
	return usagef("--%s %q: want one of %v", flag, value, words)
}
