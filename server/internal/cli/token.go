package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"activity-tracker.example/server/internal/cli/console"
	"activity-tracker.example/server/internal/cli/user"
	"activity-tracker.example/server/internal/secret"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/rooms"
)

func tokenCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "API tokens: who may read and change",
		Args:  cobra.NoArgs,
		RunE:  showHelp,
	}
	cmd.AddCommand(tokenCreate(p), tokenList(p), tokenRevoke(p))
	return cmd
}

func tokenCreate(p *program) *cobra.Command {
	var name, role string
	var groups []string
	var asJSON bool
	roles := []string{string(directory.RoleViewer), string(directory.RoleAdmin)}
	cmd := &cobra.Command{
		Use:   "create --name NAME --role admin|viewer [--group GROUP]…",
		Short: "Make an API token and print it, this once",
		Long: `create prints a new API token alone on standard output. Only its hash is kept, so
it can't be shown again. A viewer may read everything, or with --group the machines
of these groups alone; an admin may also change.`,
		Example: `  TOKEN=$(trackerd-server token create --name reports --role viewer)
  curl -H "Authorization: Bearer $TOKEN" http://localhost:8100/api/machines
  trackerd-server token create --name accounting --role viewer --group Accounting --group Reception`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := console.OneOf("role", role, roles...); err != nil {
				return err
			}
			fresh := secret.New(secret.KindToken)
			token := directory.Token{ID: fresh.ID, Name: name, Role: directory.Role(role), CreatedAt: time.Now().UTC()}
			token.Limited, token.Groups = len(groups) > 0, groups
			if err := token.Check(); err != nil {
				return usage(err)
			}
			err := p.withStore(cmd, func(ctx context.Context, st *rooms.Store) error {
				return st.AddToken(ctx, token, fresh.Hash())
			})
			if err != nil {
				return user.GroupAdvice(err)
			}
			if asJSON {
				return console.JSON(cmd.OutOrStdout(), struct {
					directory.Token
					Secret string `json:"token"`
				}{token, fresh.Reveal()})
			}
			return console.Line(cmd.OutOrStdout(), fresh.Reveal())
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "what the token is for")
	cmd.Flags().StringVar(&role, "role", "", "admin or viewer")
	cmd.Flags().StringArrayVar(&groups, "group", nil, "only the machines of this group; may be given several times")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	console.Complete(cmd, "role", roles)
	return cmd
}

// usage returns an error of what was asked for as that of a flag; value is what it was
// given, where that is worth repeating.
func usage(err error, value ...any) error {
	var invalid directory.InvalidError
	if !errors.As(err, &invalid) {
		return err
	}
	given := ""
	if len(value) > 0 {
		given = fmt.Sprintf(" %v", value[0])
	}
	return console.Usagef("--%s%s: %s", invalid.Field, given, invalid.Reason)
}

func tokenList(p *program) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the API tokens, without their secrets",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			read := func(ctx context.Context, st *rooms.Store) ([]directory.Token, error) { return st.Tokens(ctx) }
			return printList(p, cmd, asJSON, []string{"ID", "ROLE", "CREATED", "NAME", "GROUPS"}, read, func(t directory.Token) []string {
				return []string{t.ID, string(t.Role), t.CreatedAt.UTC().Format(time.RFC3339), t.Name, console.Sees(t.Limited, t.Groups)}
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func tokenRevoke(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "revoke ID",
		Short: "Make an API token useless at once",
		Long:  "revoke takes the token's id: what stands before the dot, and what list shows.",
	}
	return revokes(p, cmd, "token", func(ctx context.Context, st *rooms.Store, id string) error { return st.RemoveToken(ctx, id) })
}
