// Package person is the command trackerd-server person: whose accounts are whose.
package person

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/cli/console"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/store/rooms"
	"activity-tracker.example/server/internal/text"
)

// Stores runs what it is given on a database that is up to date.
type Stores func(*cobra.Command, func(context.Context, *rooms.Store) error) error

// listAtOnce is how many people a list reads at a time.
const listAtOnce = 1000

// Command returns the command with all below it; patient may take hours.
func Command(stores, patient Stores) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "person",
		Short: "People: which accounts are one person's",
		Long: `A person has one or several accounts, which are machine_ids. Each new account has a
person of its own; an administrator joins those of one person. Nothing that was recorded
is changed by that, and parting an account leads back to what was before.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(list(stores), show(stores), join(stores), part(stores), importCommand(stores), exportCommand(patient), notesCommand(stores), eraseCommand(stores), erasuresCommand(stores))
	return cmd
}

// shown is a person as commands print one.
type shown struct {
	ID        string    `json:"id"`
	Label     string    `json:"label"`
	Accounts  []account `json:"accounts"`
	CreatedAt time.Time `json:"created_at"`
}

type account struct {
	MachineID string    `json:"machine_id"`
	Hostname  string    `json:"hostname"`
	Username  string    `json:"username"`
	LastSeen  time.Time `json:"last_seen"`
}

func shownAs(p people.Person) shown {
	s := shown{ID: report.PersonID(p.ID).String(), Label: p.Label, Accounts: []account{}, CreatedAt: p.CreatedAt.UTC()}
	for _, m := range p.Accounts {
		s.Accounts = append(s.Accounts, account{m.MachineID, m.Hostname, m.Username, m.LastSeen.UTC()})
	}
	return s
}

func list(stores Stores) *cobra.Command {
	var group string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list [--group GROUP]",
		Short: "List people with their accounts",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			all := []shown{}
			err := stores(cmd, func(ctx context.Context, st *rooms.Store) error {
				for f := (people.Filter{Group: group, Limit: listAtOnce}); ; {
					page, err := st.People.List(ctx, f)
					if err == nil {
						err = keep(ctx, st, page...)
					}
					for _, p := range page {
						all = append(all, shownAs(p))
						f.After = p.ID
					}
					if err != nil || len(page) < f.Limit {
						return err
					}
				}
			})
			switch {
			case errors.Is(err, directory.ErrNoGroup):
				return fmt.Errorf("%w; GET /api/groups lists all", err)
			case err != nil:
				return err
			case asJSON:
				return console.JSON(cmd.OutOrStdout(), all)
			}
			rows := make([][]string, len(all))
			for i, p := range all {
				rows[i] = []string{p.ID, p.Label, strconv.Itoa(len(p.Accounts)), names(p)}
			}
			return console.Table(cmd.OutOrStdout(), []string{"PERSON", "LABEL", "ACCOUNTS", "MACHINE_IDS"}, rows)
		},
	}
	cmd.Flags().StringVar(&group, "group", "", "only people with an account in this group")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func names(p shown) string {
	ids := make([]string, len(p.Accounts))
	for i, a := range p.Accounts {
		ids[i] = a.MachineID
	}
	return strings.Join(ids, " ")
}

// keep writes down that the command shows these people, before it does.
func keep(ctx context.Context, st *rooms.Store, shown ...people.Person) error {
	var keys []int32
	for _, p := range shown {
		for i := range p.Accounts {
			keys = append(keys, p.Accounts[i].Key)
		}
	}
	by := audit.ActorOf(ctx)
	return st.Access.Write(ctx, access.Look{
		Reader: access.Reader{Kind: access.Command, ID: by.ID, Name: by.Name}, What: api.LookedMachines,
		Machines: access.SetOf(keys...), Many: len(shown) > 1,
	})
}

// Find returns who is named: by id, or by an account of theirs.
func Find(ctx context.Context, st *rooms.Store, name string) (people.Person, error) {
	if id, err := report.ParsePersonID(name); err == nil {
		p, err := st.People.ByID(ctx, directory.Scope{}, int64(id))
		return p, advise(err, name)
	}
	found, err := st.People.List(ctx, people.Filter{MachineID: name, Limit: 1})
	if err == nil && len(found) == 0 {
		err = people.ErrNone
	}
	if err != nil {
		return people.Person{}, advise(err, name)
	}
	return found[0], nil
}

// advise adds to an error where the right names are found.
func advise(err error, name string) error {
	var unknown people.UnknownError
	switch {
	case errors.Is(err, people.ErrNone):
		return fmt.Errorf("there is no person or account %q; trackerd-server person list shows all", text.ForTerminal(name))
	case errors.As(err, &unknown):
		return fmt.Errorf("%s; nothing was changed; trackerd-server person list shows all", text.ForTerminal(err.Error()))
	}
	return err
}

func show(stores Stores) *cobra.Command {
	return onePerson(stores, &cobra.Command{
		Use:   "show PERSON",
		Short: "Show a person, named by id or by an account of theirs",
		Args:  cobra.ExactArgs(1),
	}, func(ctx context.Context, st *rooms.Store, args []string) (people.Person, error) {
		return Find(ctx, st, args[0])
	})
}

func join(stores Stores) *cobra.Command {
	return onePerson(stores, &cobra.Command{
		Use:   "join PERSON MACHINE_ID…",
		Short: "Join accounts to a person, named by id or by an account of theirs",
		Long: `join makes accounts a person's, all or none; they are taken from whoever has them.
Sums of the person hold for all the past at once, and the accounts stay what they are.`,
		Example: `  trackerd-server person join p17 vm-abc123-anna vm-99df6b-anna
  trackerd-server person join vm-abc123-anna vm-99df6b-anna`,
		Args: cobra.MinimumNArgs(2),
	}, func(ctx context.Context, st *rooms.Store, args []string) (people.Person, error) {
		p, err := Find(ctx, st, args[0])
		if err != nil {
			return p, err
		}
		p, err = st.People.Join(ctx, p.ID, args[1:])
		return p, advise(err, args[0])
	})
}

func part(stores Stores) *cobra.Command {
	return onePerson(stores, &cobra.Command{
		Use:   "part MACHINE_ID",
		Short: "Part an account from its person, and show whose it is then",
		Long: `part gives an account back to the person that it was made with, under the label and
in the groups of then. Where that is the very person, who has other accounts as well,
it gets a new one.`,
		Args: cobra.ExactArgs(1),
	}, func(ctx context.Context, st *rooms.Store, args []string) (people.Person, error) {
		found, err := st.People.List(ctx, people.Filter{MachineID: args[0], Limit: 1})
		if err == nil && len(found) == 0 {
			err = people.ErrNone
		}
		if err != nil {
			return people.Person{}, advise(err, args[0])
		}
		p, err := st.People.Part(ctx, found[0].ID, args[0])
		if errors.Is(err, db.ErrNotFound) {
			err = errors.New("it was joined to somebody else meanwhile; try again")
		}
		return p, err
	})
}

// onePerson completes a command that ends with showing a person.
func onePerson(stores Stores, cmd *cobra.Command, do func(context.Context, *rooms.Store, []string) (people.Person, error)) *cobra.Command {
	var asJSON bool
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var p people.Person
		err := stores(cmd, func(ctx context.Context, st *rooms.Store) (err error) {
			if p, err = do(ctx, st, args); err != nil {
				return err
			}
			return keep(ctx, st, p)
		})
		if err != nil {
			return err
		}
		if asJSON {
			return console.JSON(cmd.OutOrStdout(), shownAs(p))
		}
		return printPerson(cmd.OutOrStdout(), shownAs(p))
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printPerson(w io.Writer, p shown) error {
	line := p.ID
	if p.Label != "" {
		line += " " + text.ForTerminal(p.Label)
	}
	if err := console.Line(w, line); err != nil {
		return err
	}
	rows := make([][]string, len(p.Accounts))
	for i, a := range p.Accounts {
		rows[i] = []string{a.MachineID, a.Hostname, a.Username, a.LastSeen.Format(time.RFC3339)}
	}
	return console.Table(w, []string{"MACHINE_ID", "HOST", "USER", "LAST SEEN"}, rows)
}
