// Package month is the command trackerd-server month: closing months, and what was closed.
package month

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/cli/console"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/report/closing"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/months"
	"activity-tracker.example/server/internal/store/rooms"
	"activity-tracker.example/server/internal/text"
)

// Stores runs what it is given on a database that is up to date.
type Stores func(*cobra.Command, func(context.Context, *rooms.Store) error) error

// flags are those of one command.
type flags struct {
	group, tz, year string
	json            bool
}

// Command returns the command with all below it; patient may take hours.
func Command(stores, patient Stores) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "month",
		Short: "Close months: what people did in them stays as it stands",
		Long: `Closing a month keeps what each person of a group did on each of its days, as it stands
now, of the accounts that the group holds: records that come later change nothing. Without
a group it is everybody, with all accounts. What was closed stays until it is opened again,
or the person is erased, however long all else is kept.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(closeCommand(patient), openCommand(stores), listCommand(stores), showCommand(patient))
	return cmd
}

// add adds the flags that most have.
func (f *flags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.group, "group", "", "the group whose month it is; else everybody's")
}

// addJSON adds --json.
func (f *flags) addJSON(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON")
}

// explained returns an error as people at a shell read it.
func explained(err error) error {
	var invalid report.InvalidError
	switch {
	case errors.As(err, &invalid):
		return console.Usagef("%s", text.ForTerminal(invalid.Error()))
	case errors.Is(err, directory.ErrNoGroup):
		return errors.New("there is no such group; GET /api/groups lists all")
	case errors.Is(err, months.ErrNone):
		return errors.New("this month is not closed; trackerd-server month list shows those that are")
	case errors.Is(err, months.ErrClosed):
		return errors.New("this month is closed already; trackerd-server month open opens it again, and forgets what was kept")
	case errors.Is(err, months.ErrNotOver):
		return errors.New("this month is not over in that time zone")
	case errors.Is(err, months.ErrNotKept):
		return errors.New("not all that was recorded of this month is kept any more")
	}
	return err
}

func closeCommand(stores Stores) *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use:     "close YYYY-MM --tz ZONE [--group GROUP]",
		Short:   "Close a month",
		Example: "  trackerd-server month close 2026-03 --tz Europe/Moscow --group Reception",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			draft, err := closing.ParseDraft(args[0], f.group, f.tz)
			if err != nil {
				return explained(err)
			}
			var closed api.ClosedMonth
			err = stores(cmd, func(ctx context.Context, st *rooms.Store) (err error) {
				closed, err = closing.New(st.Months).Close(ctx, directory.Scope{}, draft)
				return err
			})
			switch {
			case err != nil:
				return explained(err)
			case f.json:
				return console.JSON(cmd.OutOrStdout(), closed)
			}
			return printClosings(cmd.OutOrStdout(), []api.ClosedMonth{closed})
		},
	}
	f.add(cmd)
	f.addJSON(cmd)
	cmd.Flags().StringVar(&f.tz, "tz", "", "IANA time zone of its days, such as Europe/Moscow")
	return cmd
}

func openCommand(stores Stores) *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use:   "open YYYY-MM [--group GROUP]",
		Short: "Open a closed month again",
		Long: `open deletes what was kept of a closed month. Who closed it, and who opens it, stays in
the log of changes.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			of, err := closing.Parse(args[0], f.group)
			if err == nil {
				err = stores(cmd, func(ctx context.Context, st *rooms.Store) error {
					return closing.New(st.Months).Open(ctx, directory.Scope{}, of)
				})
			}
			return explained(err)
		},
	}
	f.add(cmd)
	return cmd
}

func listCommand(stores Stores) *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use:   "list [--year YYYY]",
		Short: "List closed months, the newest closing first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q, err := closing.ParseList(f.year, "", "")
			if err != nil {
				return explained(err)
			}
			list := []api.ClosedMonth{}
			err = stores(cmd, func(ctx context.Context, st *rooms.Store) error {
				for m, err := range closing.New(st.Months).Each(ctx, directory.Scope{}, q) {
					if err != nil {
						return err
					}
					list = append(list, m)
				}
				return nil
			})
			switch {
			case err != nil:
				return err
			case f.json:
				return console.JSON(cmd.OutOrStdout(), list)
			}
			return printClosings(cmd.OutOrStdout(), list)
		},
	}
	f.addJSON(cmd)
	cmd.Flags().StringVar(&f.year, "year", "", "only months of this year")
	return cmd
}

// printClosings prints closings as a table.
func printClosings(out io.Writer, list []api.ClosedMonth) error {
	var rows [][]string
	for i := range list {
		m := &list[i]
		by := m.ClosedByName
		if by == "" {
			by = m.ClosedByKind + " " + m.ClosedByID
		}
		group := m.Group
		if group == "" {
			group = "(everybody)"
		}
		rows = append(rows, []string{m.Month, group, m.TZ, strconv.FormatInt(m.People, 10), m.ClosedAt.Format(time.RFC3339), by})
	}
	return console.Table(out, []string{"MONTH", "GROUP", "ZONE", "PEOPLE", "CLOSED", "BY"}, rows)
}

func showCommand(stores Stores) *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use:   "show YYYY-MM [--group GROUP]",
		Short: "Show what people did in a closed month",
		Long: `show prints a row for each person and day with a record, as it stood when the month was
closed; CHANGED marks days of which the figures would be others now. It fails where the
figures are not those that were kept. That is looking at people's data, and is written
down as such.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			q, err := closing.ParseQuestion(args[0], f.group, strconv.Itoa(closing.PeopleMax), "")
			if err != nil {
				return explained(err)
			}
			var all api.MonthReport
			err = stores(cmd, func(ctx context.Context, st *rooms.Store) error {
				all, err = read(ctx, st, q)
				return err
			})
			if err != nil {
				return explained(err)
			}
			if err := printDays(cmd.OutOrStdout(), all, f.json); err != nil || all.Intact {
				return err
			}
			return errors.New("these figures are not those that were kept when the month was closed: somebody has changed the database")
		},
	}
	f.add(cmd)
	f.addJSON(cmd)
	return cmd
}

// read reads all people of a closed month, and writes down who looks.
func read(ctx context.Context, st *rooms.Store, q closing.Question) (all api.MonthReport, err error) {
	from, to := q.Span()
	ctx, look := looked.BeginCommand(ctx, st.Access, looked.At{What: api.LookedMonth, From: from, To: to})
	look.Several()
	reports := closing.New(st.Months)
	for begun := false; ; begun = true {
		page, err := reports.Show(ctx, directory.Scope{}, q)
		if err != nil {
			return all, err
		}
		if begun && page.ClosedAt != all.ClosedAt {
			return all, errors.New("the month was opened and closed again meanwhile")
		}
		page.Intact = page.Intact && (all.Intact || !begun)
		page.Rows = slices.Concat(all.Rows, page.Rows)
		more := page.NextCursor
		all = page
		all.NextCursor = ""
		if more == "" {
			return all, look.Keep(ctx)
		}
		if q.Page, err = report.ParsePeoplePage(strconv.Itoa(closing.PeopleMax), more, closing.PeopleMax); err != nil {
			return all, err
		}
	}
}

// printDays prints a closed month.
func printDays(out io.Writer, m api.MonthReport, asJSON bool) error {
	if asJSON {
		return console.JSON(out, m)
	}
	var rows [][]string
	for i := range m.Rows {
		d := &m.Rows[i]
		changed := ""
		switch {
		case d.Changed == nil:
			changed = "unknown"
		case *d.Changed:
			changed = "yes"
		}
		if d.ActiveSeconds+d.NoInputSeconds+d.LockedSeconds+d.DisconnectedSeconds == 0 && changed != "yes" {
			continue
		}
		rows = append(rows, []string{
			d.Person, d.Label, d.Date, clock(d.FirstActivity), clock(d.LastActivity), minutes(d.ActiveSeconds), minutes(d.NoInputSeconds), minutes(d.LockedSeconds),
			minutes(d.DisconnectedSeconds), minutes(d.NotCollectedSeconds), minutes(d.UnknownSeconds), changed,
		})
	}
	return console.Table(out, []string{
		"PERSON", "LABEL", "DATE", "FIRST (UTC)", "LAST (UTC)", "ACTIVE", "NO INPUT", "LOCKED", "DISCONNECTED", "NOT COLLECTED", "UNKNOWN", "CHANGED",
	}, rows)
}

// clock is a time of the day.
func clock(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Format("01-02 15:04")
}

// minutes is a length in hours and minutes.
func minutes(seconds float64) string {
	n := report.MinuteCount(seconds)
	return fmt.Sprintf("%d:%02d", n/60, n%60)
}
