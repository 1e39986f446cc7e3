package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/spf13/cobra"

	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/server/internal/cli/console"
	"activity-tracker.example/server/internal/store/policies"
	"activity-tracker.example/server/internal/store/rooms"
	"activity-tracker.example/server/internal/text"
)

func edit(stores Stores) *cobra.Command {
	var name, file, from string
	cmd := &cobra.Command{
		Use:   "edit [--host-group GROUP] [--valid-from TIME] [--file FILE]",
		Short: "Write a new version of a policy",
		Long: `edit opens the policy that is in force in $EDITOR, and writes what is saved as a new
version; without changes it writes none. With --file it takes the policy from there
instead, or from standard input as -. {} is a policy that narrows nothing.

Should somebody else write a version meanwhile, nothing is written.`,
		Example: `  trackerd-server policy edit
  trackerd-server policy show | jq '.titles = false' | trackerd-server policy edit --file -
  trackerd-server policy edit --file summer.json --valid-from 2026-06-01T00:00:00+03:00`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// Later it may be the service's user.
			draft := policies.Draft{HostGroup: target(cmd, name), Author: fmt.Sprintf("command by uid %d", os.Getuid())}
			if from != "" {
				moment, err := time.Parse(time.RFC3339, from)
				if err != nil {
					return console.Usagef("--valid-from %s: want a time such as 2026-06-01T00:00:00+03:00", text.ForTerminal(from))
				}
				draft.ValidFrom = moment
			}
			return write(stores, cmd, draft, file)
		},
	}
	groupFlag(cmd, &name)
	cmd.Flags().StringVar(&file, "file", "", "read the policy from this file, - is standard input")
	cmd.Flags().StringVar(&from, "valid-from", "", "from when on it holds, as RFC 3339; without it from now on")
	_ = cmd.MarkFlagFilename("file") // it fails only for a flag that is not there
	return cmd
}

// write writes a version from a file, or from the editor where none is named.
func write(stores Stores, cmd *cobra.Command, draft policies.Draft, file string) error {
	var raw []byte
	var err error
	if file != "" {
		// Before the service's user goes on, who may not read it.
		if raw, err = readFile(cmd, file); err == nil {
			draft.Policy, err = policy.ParseFor(draft.HostGroup, raw)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", text.ForTerminal(file), err)
		}
	}
	var newest []int64
	if file == "" {
		current, last, err := present(stores, cmd, draft.HostGroup)
		if err != nil {
			return err
		}
		newest = []int64{last}
		if draft.Policy, err = edited(cmd, draft.HostGroup, current); err != nil {
			return err
		}
	}
	var added policies.Version
	err = stores(cmd, func(ctx context.Context, st *rooms.Store) (err error) {
		added, err = st.Policies.Add(ctx, draft, newest)
		return err
	})
	if errors.Is(err, policies.ErrNoHostGroup) {
		return fmt.Errorf("%w; trackerd-server policy groups lists all", err)
	}
	if err != nil {
		return err
	}
	return console.Line(cmd.OutOrStdout(), described(added))
}

// present returns the policy that is in force, {} where there is none, and the number of
// the newest version of all.
func present(stores Stores, cmd *cobra.Command, group *string) (current policy.Document, newest int64, err error) {
	err = stores(cmd, func(ctx context.Context, st *rooms.Store) error {
		v, err := st.Policies.InForce(ctx, group)
		if err != nil && !errors.Is(err, policies.ErrNone) {
			return err
		}
		current = v.Policy
		_, newest, err = st.Policies.List(ctx, 0, 1)
		return err
	})
	return current, newest, err
}

// edited returns a policy after somebody has changed it in their editor. What can't be
// taken stays in its file.
func edited(cmd *cobra.Command, group *string, current policy.Document) (policy.Document, error) {
	editor := os.Getenv("EDITOR")
	if editor == "" {
		return current, console.Usagef("EDITOR is not set; name a file by --file, - is standard input")
	}
	before, err := json.MarshalIndent(current, "", "  ")
	if err != nil {
		return current, err
	}
	f, err := os.CreateTemp("", "policy-*.json")
	if err != nil {
		return current, err
	}
	_, err = f.Write(append(before, '\n'))
	if err := errors.Join(err, f.Close()); err != nil {
		return current, fmt.Errorf("writing %s: %w", f.Name(), err)
	}
	run := exec.CommandContext(cmd.Context(), "sh", "-c", editor+` "$1"`, "sh", f.Name()) //nolint:gosec // the caller's own words, as elsewhere: it may have options
	run.Stdin, run.Stdout, run.Stderr = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
	if err := run.Run(); err != nil {
		_ = os.Remove(f.Name())
		return current, fmt.Errorf("running the editor: %w", err)
	}
	raw, err := readFile(cmd, f.Name())
	if err != nil {
		return current, err
	}
	changed, err := policy.ParseFor(group, raw)
	if err != nil {
		return current, fmt.Errorf("%w; correct it in %s and write it by --file", err, f.Name())
	}
	_ = os.Remove(f.Name())
	if after, err := json.MarshalIndent(changed, "", "  "); err != nil || bytes.Equal(before, after) {
		return current, errors.Join(errors.New("nothing was changed, and nothing written"), err)
	}
	return changed, nil
}
