// Package policy is the command trackerd-server policy: what hosts may measure.
package policy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/server/internal/cli/console"
	"activity-tracker.example/server/internal/store/policies"
	"activity-tracker.example/server/internal/store/rooms"
	"activity-tracker.example/server/internal/text"
)

// Stores runs what it is given on a database that is up to date.
type Stores func(*cobra.Command, func(context.Context, *rooms.Store) error) error

// Command returns the command with all below it.
func Command(stores Stores) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Policy: what hosts may measure, when, and what people are told",
		Long: `A policy narrows what each host's own file lets it measure: work hours, users that are
left out, titles and their rules, screenshots, pauses; and it has the notice's text. It is
for all hosts or for a group of them; where both say something, the narrower holds.

A policy is JSON. Each that is written is a version, which holds from a moment on, until
a newer one does. None is ever changed.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(show(stores), edit(stores), check(stores), history(stores), groups(stores))
	return cmd
}

// groupFlag adds --host-group.
func groupFlag(cmd *cobra.Command, name *string) {
	cmd.Flags().StringVar(name, "host-group", "", "the policy for this group of hosts, instead of that for all")
}

// target returns the group that a flag names; nil is all hosts.
func target(cmd *cobra.Command, name string) *string {
	if !cmd.Flags().Changed("host-group") {
		return nil
	}
	return &name
}

func show(stores Stores) *cobra.Command {
	var name string
	var version int64
	cmd := &cobra.Command{
		Use:   "show [--host-group GROUP] [--version N]",
		Short: "Print the policy that is in force, or a version, as JSON",
		Long: `show prints what policy edit reads, with when it was written and by whom on standard
error.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			found, err := inForce(stores, cmd, target(cmd, name), version)
			switch {
			case errors.Is(err, policies.ErrNone) && version > 0:
				return fmt.Errorf("there is no version %d; trackerd-server policy history lists all", version)
			case errors.Is(err, policies.ErrNone):
				return errors.New("there is no policy in force: hosts measure by their own files; trackerd-server policy history lists all versions")
			case err != nil:
				return err
			}
			if err := console.Line(cmd.ErrOrStderr(), described(found)); err != nil {
				return err
			}
			return console.JSON(cmd.OutOrStdout(), found.Policy)
		},
	}
	groupFlag(cmd, &name)
	cmd.Flags().Int64Var(&version, "version", 0, "this version, whether or not it is in force")
	return cmd
}

// inForce reads a version, or for 0 the one that is in force.
func inForce(stores Stores, cmd *cobra.Command, group *string, version int64) (found policies.Version, err error) {
	err = stores(cmd, func(ctx context.Context, st *rooms.Store) (err error) {
		if version > 0 {
			found, err = st.Policies.ByVersion(ctx, version)
		} else {
			found, err = st.Policies.InForce(ctx, group)
		}
		return err
	})
	return found, err
}

func described(v policies.Version) string {
	return fmt.Sprintf("Version %d for %s, valid from %s, written %s by %s.", v.Version.Version, forWhom(v.HostGroup),
		v.ValidFrom.Format(time.RFC3339), v.CreatedAt.Format(time.RFC3339), text.ForTerminal(v.Author))
}

func forWhom(group *string) string {
	if group == nil {
		return "all hosts"
	}
	return "the host group " + text.ForTerminal(*group)
}

func check(stores Stores) *cobra.Command {
	var shown, asJSON bool
	cmd := &cobra.Command{
		Use:   "check FILE [--preview]",
		Short: "Check a policy without writing it",
		Long: `check reads a policy from a file, or from standard input as -, and tells what is wrong with it.

With --preview it shows what its rules would do to the titles of the last week, as they were
recorded, by application. That is looking at people's data, and is written down as such.`,
		Example: `  trackerd-server policy check summer.json --preview`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if asJSON && !shown {
				return console.Usagef("--json is for --preview")
			}
			raw, err := readFile(cmd, args[0])
			if err != nil {
				return err
			}
			document, err := policy.Parse(raw)
			if err != nil {
				return fmt.Errorf("%s: %w", text.ForTerminal(args[0]), err)
			}
			if shown {
				return showPreview(stores, cmd, document, asJSON)
			}
			return console.Line(cmd.OutOrStdout(), "The policy is good.")
		},
	}
	cmd.Flags().BoolVar(&shown, "preview", false, "show what its rules would do to the titles of the last week")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// readFile reads a policy from a file or standard input; one that is too large only as
// far as to be refused.
func readFile(cmd *cobra.Command, name string) ([]byte, error) {
	in := cmd.InOrStdin()
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, policy.MaxDocumentBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", text.ForTerminal(name), err)
	}
	return raw, nil
}

// listed is a version as history prints one.
type listed struct {
	Version   int64     `json:"version"`
	HostGroup *string   `json:"host_group"`
	ValidFrom time.Time `json:"valid_from"`
	CreatedAt time.Time `json:"created_at"`
	Author    string    `json:"author"`
	InForce   bool      `json:"in_force"`
}

func history(stores Stores) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "history",
		Short: "List all versions of policies, the newest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list := []listed{}
			err := stores(cmd, func(ctx context.Context, st *rooms.Store) error {
				all, _, err := st.Policies.List(ctx, 0, policies.MaxVersions)
				for _, v := range all {
					list = append(list, listed{v.Version.Version, v.HostGroup, v.ValidFrom, v.CreatedAt, v.Author, v.Holds})
				}
				return err
			})
			if err != nil {
				return err
			}
			if asJSON {
				return console.JSON(cmd.OutOrStdout(), list)
			}
			var rows [][]string
			for _, l := range list {
				state := ""
				if l.InForce {
					state = "in force"
				}
				rows = append(rows, []string{
					strconv.FormatInt(l.Version, 10), forWhom(l.HostGroup), l.ValidFrom.Format(time.RFC3339), state,
					l.CreatedAt.Format(time.RFC3339), l.Author,
				})
			}
			return console.Table(cmd.OutOrStdout(), []string{"VERSION", "FOR", "VALID FROM", "STATE", "WRITTEN", "BY"}, rows)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
