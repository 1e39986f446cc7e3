// Package user is the command trackerd-server user: who logs in, and what they may do.
package user

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"activity-tracker.example/server/internal/cli/console"
	"activity-tracker.example/server/internal/cli/person"
	"activity-tracker.example/server/internal/password"
	"activity-tracker.example/server/internal/quantity"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/secret"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/rooms"
	"activity-tracker.example/server/internal/store/users"
	"activity-tracker.example/server/internal/text"
)

const (
	// minInvitation leaves time to open the link; maxInvitation bounds for how long one
	// works that anybody may find later.
	minInvitation = time.Minute
	maxInvitation = 30 * quantity.Day
)

// Stores runs what it is given on a database that is up to date.
type Stores func(*cobra.Command, func(context.Context, *rooms.Store) error) error

// Inviting is what invitations take beside a database.
type Inviting struct {
	// AddFlags adds the flags of the server's address.
	AddFlags func(*pflag.FlagSet)
	// Stores is Stores, with the server's public address; empty: it was not set.
	Stores func(*cobra.Command, func(ctx context.Context, st *rooms.Store, baseURL string) error) error
}

// Command returns the command with all below it.
func Command(stores Stores, in Inviting) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "user",
		Short: "People who log in: who may, and what",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(inviteCommand(in), list(stores), setRole(stores), tie(stores), untie(stores),
		change(stores, "disable", "Keep somebody from logging in, and end their logins", func(ctx context.Context, st *rooms.Store, id string) (users.User, error) {
			return st.Users.SetDisabled(ctx, id, true)
		}),
		change(stores, "enable", "Let somebody log in again who was disabled", func(ctx context.Context, st *rooms.Store, id string) (users.User, error) {
			return st.Users.SetDisabled(ctx, id, false)
		}),
		change(stores, "logout", "End all logins of somebody", func(ctx context.Context, st *rooms.Store, id string) (users.User, error) {
			return st.Users.EndAll(ctx, id)
		}),
		change(stores, "forget-second-step", "Take away the second step of somebody who has lost the device", func(ctx context.Context, st *rooms.Store, id string) (users.User, error) {
			return st.Users.ForgetSecondStep(ctx, id)
		}))
	return cmd
}

// listedUser is a user as commands print one.
type listedUser struct {
	ID          string         `json:"id"`
	Login       string         `json:"login"`
	Role        directory.Role `json:"role"`
	Limited     bool           `json:"limited"`
	Groups      []string       `json:"groups,omitempty"`
	State       string         `json:"state"`
	Invited     bool           `json:"invited"`
	SecondStep  bool           `json:"second_step"`
	SSO         bool           `json:"single_sign_on"`
	Sessions    int            `json:"sessions"`
	CreatedAt   time.Time      `json:"created_at"`
	LastLoginAt *time.Time     `json:"last_login_at,omitempty"`
	// Person is whom of those who are measured the user is, Accounts with which alone.
	Person   string   `json:"person,omitempty"`
	Accounts []string `json:"accounts,omitempty"`
}

// is returns whom of those who are measured the user is, for people.
func (u *listedUser) is() string {
	switch {
	case u.Person == "":
		return "nobody"
	case u.Accounts == nil:
		return u.Person
	}
	return u.Person + ": " + strings.Join(u.Accounts, ", ")
}

func listed(u users.User) listedUser {
	l := listedUser{u.ID, u.Login, u.Role, u.Limited, u.Groups, "active", u.Invited, u.SecondStep, u.SSO, u.Logins, u.CreatedAt.UTC(), u.LastLoginAt, "", u.Accounts}
	if u.Person != 0 {
		l.Person = report.PersonID(u.Person).String()
	}
	switch {
	case u.Disabled:
		l.State = "disabled"
	case u.SSO:
	case !u.Password && !u.Invited:
		l.State = "invitation expired"
	case !u.Password:
		l.State = "invited"
	}
	return l
}

// addAccess adds the flags of what a user may do.
func addAccess(cmd *cobra.Command, role *string, groups *[]string) {
	cmd.Flags().StringVar(role, "role", "", "admin, manager, viewer or auditor")
	cmd.Flags().StringArrayVar(groups, "group", nil, "only the machines of this group; may be given several times")
	console.Complete(cmd, "role", roleNames())
}

func roleNames() []string {
	var names []string
	for _, r := range users.Roles() {
		names = append(names, string(r))
	}
	return names
}

// readAccess checks the flags of what a user may do.
func readAccess(role string, groups []string) (users.Access, error) {
	access := users.Access{Role: directory.Role(role), Limited: len(groups) > 0, Groups: groups}
	if err := console.OneOf("role", role, roleNames()...); err != nil {
		return access, err
	}
	if err := access.Check(); err != nil {
		return access, console.Usagef("--group: %w", err)
	}
	for _, name := range groups {
		if name == "" || !text.Visible(name) {
			return access, console.Usagef("--group: want a group's name, in printable characters")
		}
	}
	return access, nil
}

// loginName reads the name of a user.
func loginName(name string) (string, error) {
	login, err := password.Login(name)
	if err != nil {
		return "", console.UsageError{Err: err}
	}
	return login, nil
}

func inviteCommand(in Inviting) *cobra.Command {
	var role string
	var groups []string
	var asJSON bool
	expires := quantity.Duration(users.InvitationExpiry)
	cmd := &cobra.Command{
		Use:   "invite --role ROLE [--group GROUP]… [--expires 3d] NAME",
		Short: "Invite somebody to log in: print a link that works once",
		Long: `invite makes a user of that name, which may be an e-mail address, and prints a link
alone on standard output. Whoever opens it sets the user's password, once. Only its
hash is kept, so it can't be shown again.

An admin may do all; a manager reads and labels; a viewer reads; both of all machines,
or with --group those of these groups alone. An auditor sees nobody's activity.

Without --role it invites again somebody who is a user, as one who has forgotten the
password: that and their logins are good until the link is used.`,
		Example: `  trackerd-server user invite --role admin anna@example.org
  trackerd-server user invite --role manager --group Reception berta
  trackerd-server user invite anna@example.org`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			login, err := loginName(args[0])
			if err != nil {
				return err
			}
			if d := time.Duration(expires); d < minInvitation || d > maxInvitation {
				return console.Usagef("--expires %v: want %s to %s", &expires, quantity.DurationText(minInvitation), quantity.DurationText(maxInvitation))
			}
			keep, err := inviting(login, role, groups)
			if err != nil {
				return err
			}
			return invite(in, cmd, time.Duration(expires), asJSON, keep)
		},
	}
	addAccess(cmd, &role, &groups)
	cmd.Flags().Var(&expires, "expires", "for how long the link works, as 90m, 24h or 7d")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	in.AddFlags(cmd.Flags())
	return cmd
}

// inviting returns what keeps an invitation: for a new user, or for one that there is.
func inviting(login, role string, groups []string) (func(context.Context, *users.Users, users.Invitation) (users.User, error), error) {
	if role == "" && len(groups) == 0 {
		return func(ctx context.Context, u *users.Users, inv users.Invitation) (users.User, error) {
			known, err := u.ByLogin(ctx, login)
			if errors.Is(err, users.ErrNone) {
				return known, console.Usagef("--role is missing: there is no user %s yet", text.ForTerminal(login))
			}
			if err != nil {
				return known, err
			}
			return u.InviteAgain(ctx, known.ID, inv)
		}, nil
	}
	access, err := readAccess(role, groups)
	return func(ctx context.Context, u *users.Users, inv users.Invitation) (users.User, error) {
		invited, err := u.Invite(ctx, login, access, inv)
		if errors.Is(err, users.ErrExists) {
			err = fmt.Errorf("%w; without --role they are invited again, and user role changes the role", err)
		}
		return invited, err
	}, err
}

// invite keeps and prints an invitation.
func invite(in Inviting, cmd *cobra.Command, expires time.Duration, asJSON bool, keep func(context.Context, *users.Users, users.Invitation) (users.User, error)) error {
	fresh := secret.New(secret.KindInvitation)
	inv := users.Invitation{ID: fresh.ID, Hash: fresh.Hash(), ExpiresAt: time.Now().Add(expires).UTC().Truncate(time.Second)}
	var user users.User
	var baseURL string
	err := in.Stores(cmd, func(ctx context.Context, st *rooms.Store, public string) (err error) {
		baseURL = public
		user, err = keep(ctx, st.Users, inv)
		return err
	})
	if err != nil {
		return GroupAdvice(err)
	}
	// Behind # it is in no server's log, wherever the link is opened.
	link := strings.TrimSuffix(baseURL, "/") + "/invitation#" + fresh.Reveal()
	if asJSON {
		return console.JSON(cmd.OutOrStdout(), struct {
			User      listedUser `json:"user"`
			Link      string     `json:"link"`
			ExpiresAt time.Time  `json:"expires_at"`
		}{listed(user), link, inv.ExpiresAt})
	}
	if baseURL == "" {
		if err := console.Line(cmd.ErrOrStderr(), "The link is below the server's address, which --base-url would put before it."); err != nil {
			return err
		}
	}
	return console.Line(cmd.OutOrStdout(), link)
}

// GroupAdvice adds to an error about a group what to do.
func GroupAdvice(err error) error {
	if errors.Is(err, directory.ErrNoGroup) {
		return fmt.Errorf("%w; an administrator makes one by PUT /api/groups/NAME, and GET /api/groups lists all", err)
	}
	return err
}

func list(stores Stores) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List who may log in, and who is invited",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			all := []listedUser{}
			err := stores(cmd, func(ctx context.Context, st *rooms.Store) error {
				found, err := st.Users.All(ctx)
				for _, u := range found {
					all = append(all, listed(u))
				}
				return err
			})
			if err != nil {
				return err
			}
			return console.List(cmd.OutOrStdout(), asJSON, []string{"LOGIN", "ROLE", "STATE", "LOGINS", "CREATED", "LAST LOGIN", "PERSON", "GROUPS"}, all, row)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func row(u listedUser) []string {
	last, sees := "never", console.Sees(u.Limited, u.Groups)
	if u.Role == directory.RoleAuditor {
		sees = "no machines"
	}
	if u.LastLoginAt != nil {
		last = u.LastLoginAt.UTC().Format(time.RFC3339)
	}
	return []string{
		u.Login, string(u.Role), u.State, strconv.Itoa(u.Sessions), u.CreatedAt.Format(time.RFC3339), last,
		u.is(), sees,
	}
}

func setRole(stores Stores) *cobra.Command {
	var role string
	var groups []string
	var access users.Access
	cmd := change(stores, "role", "Change what somebody may do", func(ctx context.Context, st *rooms.Store, id string) (users.User, error) {
		return st.Users.SetAccess(ctx, id, access, nil)
	})
	cmd.Use = "role --role ROLE [--group GROUP]… NAME"
	cmd.Long = "role sets role and groups anew: without --group it is all machines. It holds at once."
	addAccess(cmd, &role, &groups)
	change := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if access, err = readAccess(role, groups); err != nil {
			return err
		}
		return change(cmd, args)
	}
	return cmd
}

// change returns a command that changes the user it names and prints how they are
// then.
func change(stores Stores, name, short string, do func(context.Context, *rooms.Store, string) (users.User, error)) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   name + " NAME",
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			login, err := loginName(args[0])
			if err != nil {
				return err
			}
			var changed users.User
			err = stores(cmd, func(ctx context.Context, st *rooms.Store) error {
				known, err := st.Users.ByLogin(ctx, login)
				if err == nil {
					changed, err = do(ctx, st, known.ID)
				}
				return err
			})
			switch {
			case errors.Is(err, users.ErrNone):
				return fmt.Errorf("there is no user %q; trackerd-server user list shows all", text.ForTerminal(login))
			case err != nil:
				return GroupAdvice(err)
			case asJSON:
				return console.JSON(cmd.OutOrStdout(), listed(changed))
			}
			u := listed(changed)
			line := fmt.Sprintf("%s: %s, %s, logins: %d", u.Login, u.Role, u.State, u.Sessions)
			if u.Person != "" {
				line += ", is " + u.is()
			}
			return console.Line(cmd.OutOrStdout(), text.ForTerminal(line))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func tie(stores Stores) *cobra.Command {
	var named string
	cmd := change(stores, "tie", "Make a user one of the people who are measured", func(ctx context.Context, st *rooms.Store, id string) (users.User, error) {
		p, err := person.Find(ctx, st, named)
		if err == nil {
			err = st.Self.TiePerson(ctx, id, p.ID)
		}
		if err != nil {
			return users.User{}, err
		}
		return st.Users.ByID(ctx, id)
	})
	cmd.Use = "tie NAME PERSON"
	cmd.Long = `tie has a user see a person as themselves, with all accounts, below /api/me and on the
page /self. The person is named by id or by an account of theirs. It takes the place of
whom the user was before, and of accounts that they opened by links.`
	cmd.Example = `  trackerd-server user tie anna@example.org p17
  trackerd-server user tie anna@example.org vm-abc123-anna`
	cmd.Args = cobra.ExactArgs(2)
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		named = args[1]
		return run(cmd, args)
	}
	return cmd
}

func untie(stores Stores) *cobra.Command {
	cmd := change(stores, "untie", "Make a user nobody of the people who are measured", func(ctx context.Context, st *rooms.Store, id string) (users.User, error) {
		if err := st.Self.Untie(ctx, id); err != nil {
			return users.User{}, err
		}
		return st.Users.ByID(ctx, id)
	})
	cmd.Long = "untie also forgets the accounts that the user opened by links."
	return cmd
}
