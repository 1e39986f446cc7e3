package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"activity-tracker.example/server/internal/app"
	"activity-tracker.example/server/internal/backup"
	"activity-tracker.example/server/internal/cli/console"
	"activity-tracker.example/server/internal/config"
	"activity-tracker.example/server/internal/store/inspect"
)

func restoreCommand(p *program) *cobra.Command {
	var overwrite, check bool
	cmd := &cobra.Command{
		Use:   "restore FILE|-",
		Short: "Put a backup into the database",
		Long: `restore puts a backup into an empty database, or with --overwrite in the place of
what is there, all in one transaction: on any error the database is as it was. Then
it brings the schema up to date. Stop all servers first: restore refuses while one
is connected, since a server remembers what it has read.

With - the backup is read from standard input, and kept in the folder for temporary
files ($TMPDIR) meanwhile, in a file without a name.`,
		Example: `  systemctl stop trackerd-server
  trackerd-server restore --overwrite /var/backups/trackerd-server/tracker.dump`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			c, err := p.flags.Load(config.Everywhere)
			if err != nil {
				return err
			}
			// What was restored is brought up to date in any case.
			c.Database.NoMigrate = false
			ctx, cancel := context.WithTimeout(cmd.Context(), copyTimeout)
			defer cancel()
			file, name, err := backupIn(ctx, args[0], cmd.InOrStdin())
			if err != nil {
				return app.Explain(c, err)
			}
			defer func() { err = errors.Join(err, file.Close()) }()
			r := restoring{cmd: cmd, file: file, name: name, overwrite: overwrite, check: check}
			return app.WithDatabase(ctx, c, quiet(cmd.ErrOrStderr()), app.ForMaker, r.run)
		},
	}
	cmd.Flags().BoolVar(&overwrite, "overwrite", false, "replace what the database holds")
	cmd.Flags().BoolVar(&check, "check", false, "compare all roll-ups with the events afterwards")
	return cmd
}

// backupIn opens what a backup is restored from, and returns what it is called.
func backupIn(ctx context.Context, path string, standard io.Reader) (file *os.File, name string, err error) {
	if path == toStandard {
		if console.IsTerminal(standard) {
			return nil, "", console.Usagef("a backup can't be typed in; name a file")
		}
		file, err = backup.Spool(ctx, standard)
		return file, "standard input", err
	}
	file, err = backup.OpenFile(path)
	return file, path, err
}

// restoring is one run of restore.
type restoring struct {
	cmd *cobra.Command
	// file holds the backup, name is what it is called.
	file             *os.File
	name             string
	overwrite, check bool
}

func (r restoring) run(ctx context.Context, d *app.Database) error {
	contents, err := d.Store.Contents(ctx)
	if err != nil {
		return err
	}
	tools, err := backup.Find(ctx, d.URL, contents.ServerVersion/pgMajor)
	if err != nil {
		return err
	}
	archive, err := tools.Open(ctx, r.file, r.name)
	if err != nil {
		return err
	}
	schema, err := d.Store.Schema(ctx)
	switch {
	case err != nil:
		return err
	case archive.SchemaVersion > schema.Known:
		return fmt.Errorf("the backup has schema version %d and this program knows only %d: use the newer trackerd-server", archive.SchemaVersion, schema.Known)
	case contents.Servers > 0:
		return fmt.Errorf("a server is connected to the database (%d connections): stop it first (systemctl stop trackerd-server)", contents.Servers)
	case len(contents.Clear) > 0 && !r.overwrite:
		return errors.New("the database is not empty: --overwrite replaces what it holds")
	}
	d.Store.Close()
	progress, done := progressTo(r.cmd.ErrOrStderr())
	err = tools.Restore(ctx, archive, contents.Clear, []string{inspect.RefuseServers}, progress)
	done()
	if err != nil {
		return fmt.Errorf("%w; the database is as it was", err)
	}
	return r.afterwards(ctx, d, archive.SchemaVersion)
}

// afterwards brings what was restored up to date and checks it.
func (r restoring) afterwards(ctx context.Context, d *app.Database, version int) error {
	if err := d.Reopen(ctx); err != nil {
		return err
	}
	if err := d.Store.Migrate(ctx); err != nil {
		return fmt.Errorf("the backup is restored, but: %w", err)
	}
	schema, err := d.Store.Schema(ctx)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("restored; the schema has version %d", schema.Version)
	if schema.Version != version {
		text = fmt.Sprintf("restored; the schema was brought from version %d to %d", version, schema.Version)
	}
	if err := console.Line(r.cmd.OutOrStdout(), text); err != nil || !r.check {
		return err
	}
	found, err := d.Store.CheckRollups(ctx, false)
	if err != nil {
		return err
	}
	return printRollups(r.cmd.OutOrStdout(), found, false, false)
}
