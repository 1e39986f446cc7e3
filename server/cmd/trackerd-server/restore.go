package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"activity-tracker.example/server/internal/dump"
	"activity-tracker.example/server/internal/store"
)

func restoreCommand(s *settings) *cobra.Command {
	var overwrite, check bool
	cmd := &cobra.Command{
		Use:   "restore FILE|-",
		Short: "Put a backup into the database",
		Long: `restore puts a backup into an empty database, or with --overwrite in the place of
what is there, all in one transaction: on any error the database is as it was. Then
it brings the schema up to date. Stop all servers first: restore refuses while one
is connected, since a server remembers what it has read.

With - the backup is read from standard input, and kept in the folder for temporary
files ($TMPDIR) meanwhile.`,
		Example: `  systemctl stop trackerd-server
  trackerd-server restore --overwrite /var/backups/trackerd-server/tracker.dump`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if err := s.fromEnvironment(os.Getenv); err != nil {
				return usageError{err}
			}
			s.mayMake = true
			ctx, cancel := context.WithTimeout(cmd.Context(), copyTimeout)
			defer cancel()
			path := args[0]
			if path == toStandard {
				if path, err = spool(cmd.InOrStdin()); err != nil {
					return err
				}
				defer func() { err = errors.Join(err, os.Remove(path)) }()
			}
			if err := readable(path); err != nil {
				return s.explain(err)
			}
			name := path
			if args[0] == toStandard {
				name = "standard input"
			}
			r := restoring{s: s, cmd: cmd, path: path, name: name, overwrite: overwrite, check: check}
			return withDatabase(ctx, s, quiet(cmd.ErrOrStderr()), r.run)
		},
	}
	cmd.Flags().BoolVar(&overwrite, "overwrite", false, "replace what the database holds")
	cmd.Flags().BoolVar(&check, "check", false, "compare all roll-ups with the events afterwards")
	return cmd
}

// spool keeps what comes in a file that only we can read.
func spool(in io.Reader) (path string, err error) {
	if isTerminal(in) {
		return "", usagef("a backup can't be typed in; name a file")
	}
	f, err := os.CreateTemp("", "trackerd-server-restore-*")
	if err != nil {
		return "", fmt.Errorf("making a temporary file for the backup: %w", err)
	}
	_, err = io.Copy(f, in)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(fmt.Errorf("keeping the backup in a temporary file (TMPDIR chooses the folder): %w", err), os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// readable looks whether a backup's file can be read. A pipe that nobody writes to
// would be waited for without end.
func readable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("reading the backup: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no file; - reads from standard input", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("reading the backup: %w", err)
	}
	return f.Close()
}

// restoring is one run of restore.
type restoring struct {
	s   *settings
	cmd *cobra.Command
	// path is the backup's file, name what it is called.
	path, name       string
	overwrite, check bool
}

func (r restoring) run(ctx context.Context, d *database) error {
	occupation, err := d.store.Occupation(ctx)
	if err != nil {
		return err
	}
	tools, err := dump.Find(ctx, d.url, occupation.ServerVersion/pgMajor)
	if err != nil {
		return err
	}
	archive, err := tools.Open(ctx, r.path, r.name)
	if err != nil {
		return err
	}
	schema, err := d.store.Schema(ctx)
	switch {
	case err != nil:
		return err
	case archive.SchemaVersion > schema.Known:
		return fmt.Errorf("the backup has schema version %d and this program knows only %d: use the newer trackerd-server", archive.SchemaVersion, schema.Known)
	case occupation.Servers > 0:
		return fmt.Errorf("a server is connected to the database (%d connections): stop it first (systemctl stop trackerd-server)", occupation.Servers)
	case len(occupation.Clear) > 0 && !r.overwrite:
		return errors.New("the database is not empty: --overwrite replaces what it holds")
	}
	d.store.Close()
	progress, done := progressTo(r.cmd.ErrOrStderr())
	err = tools.Restore(ctx, archive, occupation.Clear, []string{store.RefuseServers}, progress)
	done()
	if err != nil {
		return fmt.Errorf("%w; the database is as it was", err)
	}
	return r.afterwards(ctx, d, archive.SchemaVersion)
}

// afterwards brings what was restored up to date and checks it.
func (r restoring) afterwards(ctx context.Context, d *database, version int) error {
	r.s.noMigrate = false
	if err := d.reopen(ctx, r.s, quiet(r.cmd.ErrOrStderr())); err != nil {
		return err
	}
	if err := d.store.Migrate(ctx); err != nil {
		return fmt.Errorf("the backup is restored, but: %w", err)
	}
	schema, err := d.store.Schema(ctx)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("restored; the schema has version %d", schema.Version)
	if schema.Version != version {
		text = fmt.Sprintf("restored; the schema was brought from version %d to %d", version, schema.Version)
	}
	if err := printLine(r.cmd.OutOrStdout(), text); err != nil || !r.check {
		return err
	}
	found, err := d.store.CheckRollups(ctx, false)
	if err != nil {
		return err
	}
	return printRollups(r.cmd.OutOrStdout(), found, false, false)
}
