// Package overseeing is the commands of those who look after the logs: who changed what.
package overseeing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/cli/console"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/rooms"
	"activity-tracker.example/server/internal/text"
)

// maxListed is how many changes are listed at most.
const maxListed = 100_000

// Store runs something on the server's database.
type Store func(*cobra.Command, func(context.Context, *rooms.Store) error) error

// AuditCommand is the command audit.
func AuditCommand(with Store) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Who changed what: users, tokens, hosts, groups, labels, categories",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(auditList(with), auditVerify(with))
	return cmd
}

func auditList(with Store) *cobra.Command {
	var limit int
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list [--limit N]",
		Short:   "List what was changed, the newest first",
		Long:    "list shows who changed what, by the API or by a command on this server.",
		Example: "  trackerd-server audit list --limit 20",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 || limit > maxListed {
				return console.Usagef("--limit: want 1 to %d", maxListed)
			}
			list := []api.Change{}
			err := with(cmd, func(ctx context.Context, st *rooms.Store) error {
				entries, err := st.Audit.List(ctx, math.MaxInt64, limit)
				for i := range entries {
					list = append(list, looked.ToldChange(&entries[i]))
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
				rows[i] = row(&list[i])
			}
			return console.Table(cmd.OutOrStdout(), []string{"SEQ", "AT", "WHAT", "SUBJECT", "DETAILS", "BY"}, rows)
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 100, "how many at most")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// row is a change as people read it.
func row(c *api.Change) []string {
	const erased = "(erased)"
	name := func(text *string) string {
		if text == nil {
			return erased
		}
		return *text
	}
	by := strings.TrimSpace(c.ActorKind + " " + c.ActorID)
	if c.ActorKind == audit.Command {
		by = "command by uid " + c.ActorID
	}
	if called := name(c.ActorName); called != "" {
		by += " (" + strings.Trim(called, "()") + ")"
	}
	subject := name(c.Subject)
	if subject == "" {
		subject = c.SubjectID
	}
	var details []string
	for _, key := range slices.Sorted(maps.Keys(c.Details)) {
		details = append(details, key+" "+c.Details[key])
	}
	return []string{fmt.Sprint(c.Seq), c.At.Format(time.RFC3339), c.What, subject, strings.Join(details, ", "), by}
}

func auditVerify(with Store) *cobra.Command {
	var heads []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify [--head HEAD]…",
		Short: "Look whether the log of changes is as it was written",
		Long: `verify goes along the chain of hashes and finds an entry that was changed, removed,
added or put elsewhere. Names may have been erased; it says how many.

Whoever owns the database could make the whole chain anew. The server writes the
chain's head to the system's log every day; --head names such a one, and verify fails
unless the chain went through it:

  journalctl -u trackerd-server -g 'head of the audit log'`,
		Example: "  trackerd-server audit verify --head 12:0f3a…",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var known []audit.Head
			for _, given := range heads {
				h, err := audit.ParseHead(given)
				if err != nil {
					return console.Usagef("--head %s", text.ForTerminal(err.Error()))
				}
				known = append(known, h)
			}
			var v audit.Verdict
			err := with(cmd, func(ctx context.Context, st *rooms.Store) (err error) {
				v, err = st.Audit.Verify(ctx, known...)
				return err
			})
			if err != nil {
				return err
			}
			return printVerdict(cmd.OutOrStdout(), v, asJSON)
		},
	}
	cmd.Flags().StringArrayVar(&heads, "head", nil, "a head from the system's log; may be given several times")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// printVerdict prints what was found, and fails where something is wrong.
func printVerdict(w io.Writer, v audit.Verdict, asJSON bool) (err error) {
	if asJSON {
		err = console.JSON(w, v)
	} else {
		err = console.Line(w, fmt.Sprintf("%d changes, %d texts erased, head %s", v.Entries, v.Erased, v.Head))
	}
	if err == nil && v.Wrong != "" {
		err = errors.New("the log of changes is not as it was written: " + v.Wrong)
	}
	return err
}
