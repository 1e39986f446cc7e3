package policy

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/cli/console"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/store/policies"
	"activity-tracker.example/server/internal/store/rooms"
	"activity-tracker.example/server/internal/text"
)

// sameDirectory is the flag by which an administrator confirms it.
const sameDirectory = "same-directory"

// groupFlags are those of the command groups.
type groupFlags struct {
	set                              string
	remove, preview, confirm, asJSON bool
}

func groups(stores Stores) *cobra.Command {
	var f groupFlags
	cmd := &cobra.Command{
		Use:   "groups [--set GROUP HOST_ID… | --remove GROUP]",
		Short: "List the groups of hosts, set the hosts of one, or remove one",
		Long: `groups lists the groups of hosts that a policy can be for. With --set it makes these
hosts a group's, and no others; with --remove the group goes, and its policies hold for
nobody any more.

--same-directory confirms that all these hosts take their users from one directory (LDAP,
Active Directory, one list of users): from then on equal user names on them are one person,
and so are accounts that come later. You thereby trust whoever is root on any of these
hosts: they can name an account as they like, and it becomes an account of whoever has
that name on the others. Hosts outside the group never can. Look first at what it would
join, by --preview. Users of the system, such as root, stay apart, and so does what an
administrator joined or parted by hand. --same-directory=false parts again what was joined
by it, and nothing else. Whoever adds hosts confirms it anew.`,
		Example: `  trackerd-server policy groups --set Night vm-abc123 vm-def456
  trackerd-server policy groups --set Office rdp1-abc123 rdp2-def456 --preview
  trackerd-server policy groups --set Office rdp1-abc123 rdp2-def456 --same-directory`,
		RunE: func(cmd *cobra.Command, args []string) error {
			err := checkGroups(f, args)
			if err != nil {
				return err
			}
			change := policies.HostGroupChange{Name: f.set, Hosts: args, By: fmt.Sprintf("command by uid %d", os.Getuid())}
			if cmd.Flags().Changed(sameDirectory) {
				change.SameDirectory = &f.confirm
			}
			if f.preview {
				return previewNames(stores, cmd, change, f.asJSON)
			}
			var list []policies.HostGroup
			err = stores(cmd, func(ctx context.Context, st *rooms.Store) (err error) {
				switch {
				case f.set != "":
					err = st.Policies.SetHostGroup(ctx, change)
				case f.remove:
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
			return printGroups(cmd, list, f.asJSON)
		},
	}
	cmd.Flags().StringVar(&f.set, "set", "", "make the hosts that are named this group's, and no others")
	cmd.Flags().BoolVar(&f.remove, "remove", false, "remove the group that is named")
	cmd.Flags().BoolVar(&f.confirm, sameDirectory, false, "confirm that these hosts share one directory: equal user names are one person")
	cmd.Flags().BoolVar(&f.preview, "preview", false, "only print what --same-directory would join")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	return cmd
}

// previewNames prints what confirming that hosts share one directory would do.
func previewNames(stores Stores, cmd *cobra.Command, change policies.HostGroupChange, asJSON bool) error {
	var found api.NamesPreview
	err := stores(cmd, func(ctx context.Context, st *rooms.Store) (err error) {
		ctx, look := looked.BeginCommand(ctx, st.Access, looked.At{What: api.LookedPreview})
		if found, err = st.Policies.PreviewNames(ctx, change); err != nil {
			return err
		}
		return look.Keep(ctx)
	})
	if err != nil {
		return err
	}
	if asJSON {
		return console.JSON(cmd.OutOrStdout(), found)
	}
	var rows [][]string
	for _, n := range found.Names {
		apart := strings.Join(n.Apart, " ")
		if n.AccountsLeftOff > 0 {
			apart += fmt.Sprintf(" and %d more", n.AccountsLeftOff)
		}
		rows = append(rows, []string{n.Username, n.Person, n.Label, strings.Join(n.Joined, " "), apart, asideOf(n.Aside)})
	}
	if err := console.Table(cmd.OutOrStdout(), []string{"USER NAME", "PERSON", "LABEL", "JOINED", "APART", "PUT ASIDE"}, rows); err != nil {
		return err
	}
	words := fmt.Sprintf("%d people would have several accounts by their user name; %d accounts would change hands. Nothing was changed.", found.People, found.Accounts)
	if found.NamesLeftOff > 0 {
		words += fmt.Sprintf(" %d names more are not listed.", found.NamesLeftOff)
	}
	return console.Line(cmd.OutOrStdout(), words)
}

// asideOf lists what people have who would have no account any more.
func asideOf(list []api.PersonAside) string {
	each := make([]string, len(list))
	for i, p := range list {
		each[i] = p.Person
		if p.Label != "" {
			each[i] += fmt.Sprintf(" %q", p.Label)
		}
		if len(p.Groups) > 0 {
			each[i] += " in " + strings.Join(p.Groups, ", ")
		}
		if len(p.Users) > 0 {
			each[i] += " tied to " + strings.Join(p.Users, ", ")
		}
	}
	return strings.Join(each, "; ")
}

// checkGroups checks the command's flags and arguments.
func checkGroups(f groupFlags, args []string) error {
	switch {
	case f.set != "" && f.remove, f.set == "" && !f.remove && len(args) > 0, f.remove && len(args) != 1:
		return console.Usagef("want --set GROUP with hosts, --remove with a group, or nothing to list all")
	case f.set == "" && (f.preview || f.confirm), f.preview && f.confirm:
		return console.Usagef("--preview and --same-directory are for --set, one at a time")
	case len(f.set) > api.MaxGroupBytes || !text.Visible(f.set):
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
		rule := "no"
		if g.ConfirmedAt != nil {
			rule = "since " + g.ConfirmedAt.UTC().Format(time.RFC3339) + ", " + g.ConfirmedBy
		}
		rows = append(rows, []string{g.Name, strconv.Itoa(len(g.Hosts)), strings.Join(g.Hosts, " "), rule})
	}
	if asJSON {
		return console.JSON(cmd.OutOrStdout(), groups)
	}
	return console.Table(cmd.OutOrStdout(), []string{"HOST GROUP", "HOSTS", "HOST_IDS", "SAME DIRECTORY"}, rows)
}
