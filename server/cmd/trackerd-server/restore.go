package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

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
files ($TMPDIR) meanwhile, in a file without a name.`,
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
			file, name, err := backupIn(ctx, args[0], cmd.InOrStdin())
			if err != nil {
				return s.explain(err)
			}
			defer func() { err = errors.Join(err, file.Close()) }()
			r := restoring{s: s, cmd: cmd, file: file, name: name, overwrite: overwrite, check: check}
			return withDatabase(ctx, s, quiet(cmd.ErrOrStderr()), r.run)
		},
	}
	cmd.Flags().BoolVar(&overwrite, "overwrite", false, "replace what the database holds")
	cmd.Flags().BoolVar(&check, "check", false, "compare all roll-ups with the events afterwards")
	return cmd
}

// backupIn opens what a backup is restored from, and says what it is called.
func backupIn(ctx context.Context, path string, standard io.Reader) (file *os.File, name string, err error) {
	if path == toStandard {
		file, err = spool(ctx, standard)
		return file, "standard input", err
	}
	file, err = readable(path)
	return file, path, err
}

// spool keeps what comes in a file without a name: window titles are in it. When ctx
// ends it leaves its goroutine behind, which may wait for more in a read that nothing
// interrupts; the process ends then.
func spool(ctx context.Context, in io.Reader) (*os.File, error) {
	if isTerminal(in) {
		return nil, usagef("a backup can't be typed in; name a file")
	}
	f, err := dump.Nameless()
	if err != nil {
		return nil, fmt.Errorf("keeping the backup (TMPDIR chooses the folder): %w", err)
	}
	copied := make(chan error, 1)
	go func() {
		_, err := io.Copy(f, in)
		copied <- err
	}()
	select {
	case err = <-copied:
	case <-ctx.Done():
		return nil, errors.Join(fmt.Errorf("reading the backup from standard input: %w", context.Cause(ctx)), f.Close())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("keeping the backup in a temporary file (TMPDIR chooses the folder): %w", err), f.Close())
	}
	return f, nil
}

// readable opens a backup's file, without waiting for the writer of a pipe.
func readable(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("reading the backup: %w", err)
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, errors.Join(fmt.Errorf("reading the backup: %w", err), f.Close())
	case !info.Mode().IsRegular():
		return nil, errors.Join(fmt.Errorf("%s is no file; - reads from standard input", path), f.Close())
	}
	return f, nil
}

// restoring is one run of restore.
type restoring struct {
	s   *settings
	cmd *cobra.Command
	// file holds the backup, name is what it is called.
	file             *os.File
	name             string
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
	archive, err := tools.Open(ctx, r.file, r.name)
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
