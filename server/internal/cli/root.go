// Package cli is the command trackerd-server as people and scripts type it: a file a
// command.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"activity-tracker.example/server/internal/app"
	"activity-tracker.example/server/internal/cli/console"
	"activity-tracker.example/server/internal/cli/month"
	"activity-tracker.example/server/internal/cli/overseeing"
	"activity-tracker.example/server/internal/cli/person"
	"activity-tracker.example/server/internal/cli/policy"
	"activity-tracker.example/server/internal/cli/user"
	"activity-tracker.example/server/internal/config"
	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/rooms"
)

// Streams are where a command reads and prints.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Execute runs the whole command and returns its exit code.
func Execute(ctx context.Context, version string, args []string, streams Streams) int {
	root := newRoot(version)
	root.SetArgs(args)
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	console.AddCompletion(root)
	// Root goes on as the service's user later.
	err := root.ExecuteContext(audit.As(ctx, app.Operator()))
	complain(err, streams.Err)
	return console.ExitCode(err)
}

// program is what all commands share.
type program struct {
	version string
	flags   *config.Flags
}

func newRoot(version string) *cobra.Command {
	p := &program{version: version, flags: config.NewFlags()}
	root := &cobra.Command{
		Use:     "trackerd-server",
		Version: version,
		Short:   "Keeps what hosts report and answers over a REST API",
		Long: `trackerd-server keeps what trackerd reports from each host, and answers over a
REST API who used which machine, when and how.

Without a database URL it runs a private PostgreSQL, from the machine's own
binaries, in the state folder. It is shared by all trackerd-server commands with
the same state folder and stops with the last of them.

Environment, each the same as an option, which goes before it:
` + environmentHelp() + `Those that are not set are read from --env-file. Without it, and where neither a
database URL nor a state folder is named, that is the service's configuration
from the package, ` + config.ServiceEnvFile + `, so that commands find
its database; root then goes on as the user ` + config.ServiceUser + `.`,
		Example: `  trackerd-server serve
  trackerd-server enrollment create --uses 10 --expires 24h
  trackerd-server token create --name reports --role viewer`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          showHelp,
	}
	p.addFlags(root.PersistentFlags(), config.Everywhere)
	root.AddCommand(serveCommand(p), tokenCommand(p), user.Command(p.withStore, user.Inviting{AddFlags: p.addInviteFlags, Stores: p.withPublicStore}), enrollmentCommand(p), rollupsCommand(p),
		hostCommand(p), machineCommand(p), person.Command(p.withStore, p.storeWithin(checkTimeout)), month.Command(p.withStore, month.Stores(p.storeWithin(checkTimeout))), policy.Command(p.withStore), policy.Receipts(p.withStore), overseeing.AuditCommand(p.withStore), migrateCommand(p), compactCommand(p), healthcheckCommand(p),
		backupCommand(p), restoreCommand(p), doctorCommand(p))
	console.MarkUsage(root)
	briefHelp(root)
	return root
}

// showHelp is the command of a group of commands.
func showHelp(cmd *cobra.Command, _ []string) error { return cmd.Help() }

// environmentHelp lists the variables.
func environmentHelp() string {
	var b strings.Builder
	for _, s := range config.Settings() {
		if s.Env != "" {
			fmt.Fprintf(&b, "  %-37s --%s\n", s.Env, s.Flag)
		}
	}
	return b.String()
}

// addFlags adds the settings of a scope, with their completion: folders and files as
// such.
func (p *program) addFlags(set *pflag.FlagSet, scope config.Scope) {
	p.flags.AddTo(set, scope)
	for _, s := range config.Settings() {
		switch {
		case s.In&scope == 0:
		case s.Unit == "DIR":
			_ = cobra.MarkFlagDirname(set, s.Flag) // it fails only for a flag that is not there
		case s.Unit == "FILE":
			_ = cobra.MarkFlagFilename(set, s.Flag)
		}
	}
}

// briefHelp shows the options of every command in the help of the program alone: a
// command's own are three among fourteen of these.
func briefHelp(root *cobra.Command) {
	usual := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		if cmd == root {
			usual(cmd, args)
			return
		}
		root.PersistentFlags().VisitAll(func(f *pflag.Flag) { f.Hidden = true })
		defer root.PersistentFlags().VisitAll(func(f *pflag.Flag) { f.Hidden = false })
		usual(cmd, args)
		fmt.Fprintf(cmd.OutOrStdout(), "\nOptions of every command (--database-url, --state-dir, --env-file, …): %s --help\n", root.Name())
	})
}

// commandTimeout bounds a command that a person types, with making a private
// PostgreSQL.
const commandTimeout = 3 * time.Minute

// quiet is for commands that a person types: only what goes wrong.
func quiet(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// withStore runs do on a database that is up to date.
func (p *program) withStore(cmd *cobra.Command, do func(context.Context, *rooms.Store) error) error {
	return p.storeWithin(commandTimeout)(cmd, do)
}

// storeWithin returns withStore for what may take that long.
func (p *program) storeWithin(limit time.Duration) person.Stores {
	return func(cmd *cobra.Command, do func(context.Context, *rooms.Store) error) error {
		c, err := p.flags.Load(config.Everywhere)
		if err != nil {
			return err
		}
		return withStoreFor(cmd, c, limit, do)
	}
}

// addInviteFlags adds the settings of who invites people.
func (p *program) addInviteFlags(set *pflag.FlagSet) { p.addFlags(set, config.Invite) }

// withPublicStore is withStore for what prints links: do gets where people find the server.
func (p *program) withPublicStore(cmd *cobra.Command, do func(context.Context, *rooms.Store, string) error) error {
	c, err := p.flags.Load(config.Everywhere | config.Invite)
	if err != nil {
		return err
	}
	return withStoreFor(cmd, c, commandTimeout, func(ctx context.Context, st *rooms.Store) error { return do(ctx, st, c.BaseURL) })
}

// withStoreFor runs do, which may take that long, on a database that is up to date.
func withStoreFor(cmd *cobra.Command, c config.Config, limit time.Duration, do func(context.Context, *rooms.Store) error) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), limit)
	defer cancel()
	return app.WithDatabase(ctx, c, quiet(cmd.ErrOrStderr()), app.ForCommand, func(ctx context.Context, d *app.Database) error {
		if err := d.Store.Migrate(ctx); err != nil {
			return err
		}
		return do(ctx, d.Store)
	})
}

// revokes has a command take the id of a token, of which list shows all, and remove it.
func revokes(p *program, cmd *cobra.Command, parent string, remove func(context.Context, *rooms.Store, string) error) *cobra.Command {
	cmd.Args = cobra.ExactArgs(1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		// The whole token works as well; only its id is used. No id has what is put for
		// what is no UTF-8, at which PostgreSQL fails.
		id, _, _ := strings.Cut(strings.ToValidUTF8(args[0], "?"), ".")
		err := p.withStore(cmd, func(ctx context.Context, st *rooms.Store) error { return remove(ctx, st, id) })
		if errors.Is(err, db.ErrNotFound) {
			return fmt.Errorf("there is no such token; trackerd-server %s list shows all", parent)
		}
		return err
	}
	return cmd
}

// printList prints what read returns, as JSON or as a table with a row for each.
func printList[T any](p *program, cmd *cobra.Command, asJSON bool, header []string, read func(context.Context, *rooms.Store) ([]T, error), row func(T) []string) error {
	list := []T{} // as JSON [] where there are none
	err := p.withStore(cmd, func(ctx context.Context, st *rooms.Store) error {
		found, err := read(ctx, st)
		list = append(list, found...)
		return err
	})
	if err != nil {
		return err
	}
	return console.List(cmd.OutOrStdout(), asJSON, header, list, row)
}
