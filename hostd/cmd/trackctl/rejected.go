package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"activity-tracker.example/hostd/control"
	"activity-tracker.example/hostd/text"
)

// usualRejected is how many rejected records are listed by default: what fits a
// screen.
const usualRejected = 50

func rejectedCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "rejected",
		Short: "Show, send again or drop records that the server rejected",
		Long: `rejected shows the records that the server rejected for good, and those that it
may take later, such as after its clock was put right. It sends them again, or drops
them.`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(
		rejectedList(o),
		handleCommand(o, "retry", "Send rejected records again, those that wait for later at once (root only)",
			(*control.Client).Retry, "%s sent again; of %s that wait for later one of each kind is tried now.\n"),
		handleCommand(o, "drop", "Forget rejected records (root only)",
			(*control.Client).Drop, "%s dropped, and %s that waited for later.\n"),
	)
	return c
}

func rejectedList(o *options) *cobra.Command {
	var limit int
	c := &cobra.Command{
		Use:   "list",
		Short: "List rejected records: your own, or all for root",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if limit < 1 || limit > control.MaxRejected {
				return usageError{fmt.Errorf("--limit is %d; want 1 to %d", limit, control.MaxRejected), c.CommandPath()}
			}
			ask, err := o.client(c)
			if err != nil {
				return err
			}
			list, err := ask.Rejected(c.Context(), limit)
			if err != nil {
				return err
			}
			if o.json {
				return printJSON(c.OutOrStdout(), list)
			}
			return printText(c.OutOrStdout(), rejectedText(list))
		},
	}
	c.Flags().IntVar(&limit, "limit", usualRejected, "list the newest `N` only")
	return c
}

// handleCommand makes a command that does something with chosen records.
func handleCommand(o *options, use, short string,
	do func(*control.Client, context.Context, control.Selection) (control.Handled, error), said string,
) *cobra.Command {
	var s control.Selection
	c := &cobra.Command{
		Use:     use + " {ID... | --code CODE | --all}",
		Short:   short,
		Example: "  sudo trackctl rejected " + use + " --code bad_timestamp",
		RunE: func(c *cobra.Command, args []string) error {
			if err := choose(&s, args); err != nil {
				return usageError{err, c.CommandPath()}
			}
			ask, err := o.client(c)
			if err != nil {
				return err
			}
			handled, err := do(ask, c.Context(), s)
			if err != nil {
				return err
			}
			if o.json {
				return printJSON(c.OutOrStdout(), handled)
			}
			return printText(c.OutOrStdout(), fmt.Sprintf(said, text.Count(handled.Rejected, "record"), text.Count(handled.Postponed, "record")))
		},
	}
	c.Flags().StringVar(&s.Code, "code", "", "those that were rejected with this `code`")
	c.Flags().BoolVar(&s.All, "all", false, "all of them")
	return c
}

// choose reads the IDs, and holds that there is one way of choosing.
func choose(s *control.Selection, ids []string) error {
	s.IDs = nil
	for _, id := range ids {
		n, err := strconv.ParseUint(id, 10, 64)
		if err != nil {
			return fmt.Errorf("%q is no ID; 'trackctl rejected list' shows them", id)
		}
		s.IDs = append(s.IDs, n)
	}
	ways := 0
	for _, used := range []bool{len(s.IDs) > 0, s.Code != "", s.All} {
		if used {
			ways++
		}
	}
	if ways != 1 {
		return errors.New("want IDs, --code or --all, and one of them")
	}
	return nil
}

func rejectedText(list control.RejectedList) string {
	if len(list.Rejected)+len(list.Later) == 0 {
		return "No record was rejected.\n"
	}
	var b strings.Builder
	if len(list.Rejected) > 0 {
		rows := [][]string{{"ID", "REJECTED", "CODE", "MACHINE ID", "RECORD OF", "MESSAGE"}}
		for i := range list.Rejected {
			r := &list.Rejected[i]
			rows = append(rows, []string{
				strconv.FormatUint(r.ID, 10), r.At.UTC().Format(timeLayout), r.Code, r.MachineID, when(r.Timestamp, ""), r.Message,
			})
		}
		b.WriteString("Rejected for good:\n" + table(rows))
	}
	if len(list.Later) > 0 {
		if b.Len() > 0 {
			b.WriteString("\n")
		}
		b.WriteString("Tried again later:\n" + laterTable(list.Later))
	}
	return b.String()
}

func laterTable(later []control.Postponed) string {
	rows := [][]string{{"CODE", "MACHINE ID", "RECORDS", "NEXT TRY"}}
	for _, p := range later {
		rows = append(rows, []string{p.Code, p.MachineID, strconv.FormatInt(p.Events, 10), p.NextTry.UTC().Format(timeLayout)})
	}
	return table(rows)
}

// soonest returns when the first of what is postponed is tried again.
func soonest(later []control.Postponed) time.Time {
	first := later[0].NextTry
	for _, p := range later[1:] {
		if p.NextTry.Before(first) {
			first = p.NextTry
		}
	}
	return first
}
