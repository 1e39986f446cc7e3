package person

import (
	"context"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/cli/console"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/store/rooms"
)

// maxErasures is how many certificates are listed at most.
const maxErasures = 100_000

func eraseCommand(stores Stores) *cobra.Command {
	var yes, asJSON bool
	cmd := &cobra.Command{
		Use:   "erase PERSON --yes",
		Short: "Erase a person: at once nothing of them can be read, and soon nothing is left",
		Long: `erase erases a person, named by id or by an account of theirs, with all accounts. It
can't be undone. Without --yes it shows who would be erased.

At once nothing of them can be read any more. The server then deletes records, sums,
receipts, pictures, notes, titles that nobody else had, and who looked at them, which takes ten
minutes at least; person erasures shows since when nothing is left. Hosts are told to forget
records of before for 400 days; newer ones make a new person: who is not to be measured
any more is to be left out by policy, or on the host.

Backups hold what was there when they were made.`,
		Example: "  trackerd-server person erase p17 --yes",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if yes {
				return erase(cmd, stores, args[0], asJSON)
			}
			var p people.Person
			err := stores(cmd, func(ctx context.Context, st *rooms.Store) (err error) {
				if p, err = Find(ctx, st, args[0]); err != nil {
					return err
				}
				return keep(ctx, st, p)
			})
			if err != nil {
				return err
			}
			if err := printPerson(cmd.OutOrStdout(), shownAs(p)); err != nil {
				return err
			}
			return console.Usagef("nothing was erased; --yes erases this person with all that is kept of them")
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "erase, which can't be undone")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func erase(cmd *cobra.Command, stores Stores, name string, asJSON bool) error {
	var told api.Erasure
	err := stores(cmd, func(ctx context.Context, st *rooms.Store) error {
		p, err := Find(ctx, st, name)
		if err != nil {
			return err
		}
		c, err := st.Erasures.Erase(ctx, p.ID)
		told = c.Told()
		return advise(err, name)
	})
	if err != nil {
		return err
	}
	if asJSON {
		return console.JSON(cmd.OutOrStdout(), told)
	}
	return printCertificate(cmd.OutOrStdout(), &told)
}

// printCertificate prints what an erasure did so far, and what it leaves to do.
func printCertificate(w io.Writer, e *api.Erasure) error {
	lines := []string{
		fmt.Sprintf("erasure %d: accounts: %d, unreadable since %s, gone: %s", e.ID, e.Accounts, e.UnreadableSince.Format(time.RFC3339), since(e.GoneSince)),
		"The server deletes what is left; trackerd-server person erasures shows when nothing is.",
		"Backups that were made before still hold it, " + untilWhen(e),
	}
	if e.PoliciesLeft > 0 {
		lines = append(lines, fmt.Sprintf("Versions of policy that still name a user name as not measured: %d; write one without it, where it need not be.", e.PoliciesLeft))
	}
	for _, line := range lines {
		if err := console.Line(w, line); err != nil {
			return err
		}
	}
	return nil
}

func untilWhen(e *api.Erasure) string {
	if e.BackupsUntil == nil {
		return "until they are deleted (--keep-backups-days tells for how long they are kept)."
	}
	return "until " + e.BackupsUntil.Format(time.RFC3339) + "."
}

func since(t *time.Time) string {
	if t == nil {
		return "not yet"
	}
	return t.Format(time.RFC3339)
}

func erasuresCommand(stores Stores) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "erasures",
		Short: "List the certificates of erased people, the newest first",
		Long: `erasures lists who was erased, without who it was: since when nothing of them can be
read, since when nothing is left, until when backups hold it, and how much was deleted.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list := []api.Erasure{}
			err := stores(cmd, func(ctx context.Context, st *rooms.Store) error {
				found, err := st.Erasures.List(ctx, math.MaxInt64, maxErasures)
				for i := range found {
					list = append(list, found[i].Told())
				}
				return err
			})
			if err != nil {
				return err
			}
			if asJSON {
				return console.JSON(cmd.OutOrStdout(), list)
			}
			rows := make([][]string, len(list))
			for i := range list {
				e := &list[i]
				backups := "until deleted"
				if e.BackupsUntil != nil {
					backups = e.BackupsUntil.Format(time.RFC3339)
				}
				d := &e.Deleted
				rows[i] = []string{
					strconv.FormatInt(e.ID, 10), strconv.FormatInt(e.Accounts, 10), e.UnreadableSince.Format(time.RFC3339), since(e.GoneSince), backups,
					strconv.FormatInt(d.Records+d.Hours+d.Sums+d.Days+d.NotCollected+d.Receipts+d.Screenshots+d.Notes+d.Titles+d.Looks, 10),
				}
			}
			return console.Table(cmd.OutOrStdout(), []string{"ERASURE", "ACCOUNTS", "UNREADABLE SINCE", "GONE SINCE", "IN BACKUPS", "ROWS"}, rows)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
