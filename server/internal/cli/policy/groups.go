package policy

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/cli/console"
	"activity-tracker.example/server/internal/store/policies"
	"activity-tracker.example/server/internal/store/rooms"
	"activity-tracker.example/server/internal/text"
)

func groups(stores Stores) *cobra.Command {
	var asJSON, remove bool
	var set string
	cmd := &cobra.Command{
		Use:   "groups [--set GROUP HOST_ID… | --remove GROUP]",
		Short: "List the groups of hosts, set the hosts of one, or remove one",
		Long: `groups lists the groups of hosts that a policy can be for. With --set it makes these
hosts a group's, and no others; with --remove the group goes, and its policies hold for
nobody any more.`,
		Example: `  trackerd-server policy groups --set Night vm-abc123 vm-def456`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var list []policies.HostGroup
			err := checkGroups(set, remove, args)
			if err != nil {
				return err
			}
			err = stores(cmd, func(ctx context.Context, st *rooms.Store) (err error) {
				switch {
				case set != "":
					err = st.Policies.SetHostGroup(ctx, set, args)
				case remove:
					err = st.Policies.RemoveHostGroup(ctx, args[0])
				}
				if err == nil {
					list, err = st.Policies.HostGroups(ctx)
				}
				return err
			})
			if err != nil {
				return err
			}
			return printGroups(cmd, list, asJSON)
		},
	}
	cmd.Flags().StringVar(&set, "set", "", "make the hosts that are named this group's, and no others")
	cmd.Flags().BoolVar(&remove, "remove", false, "remove the group that is named")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// checkGroups checks the command's flags and arguments.
func checkGroups(set string, remove bool, args []string) error {
	switch {
	case set != "" && remove, set == "" && !remove && len(args) > 0, remove && len(args) != 1:
		return console.Usagef("want --set GROUP with hosts, --remove with a group, or nothing to list all")
	case len(set) > api.MaxGroupBytes || !text.Visible(set):
		return console.Usagef("--set: want a name of up to %d bytes, in printable characters", api.MaxGroupBytes)
	case len(args) > policies.MaxGroupHosts:
		return console.Usagef("want at most %d hosts", policies.MaxGroupHosts)
	}
	return nil
}

func printGroups(cmd *cobra.Command, list []policies.HostGroup, asJSON bool) error {
	groups, rows := []api.HostGroup{}, [][]string{}
	for _, g := range list {
		groups = append(groups, api.HostGroup(g))
		rows = append(rows, []string{g.Name, strconv.Itoa(len(g.Hosts)), strings.Join(g.Hosts, " ")})
	}
	if asJSON {
		return console.JSON(cmd.OutOrStdout(), groups)
	}
	return console.Table(cmd.OutOrStdout(), []string{"HOST GROUP", "HOSTS", "HOST_IDS"}, rows)
}
