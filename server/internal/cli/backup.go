package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"activity-tracker.example/server/internal/app"
	"activity-tracker.example/server/internal/backup"
	"activity-tracker.example/server/internal/cli/console"
	"activity-tracker.example/server/internal/config"
	"activity-tracker.example/server/internal/localpg"
	"activity-tracker.example/server/internal/quantity"
)

const (
	// copyTimeout bounds a backup or a restore: 1 TB takes a few hours.
	copyTimeout = 24 * time.Hour
	// pgMajor is PostgreSQL's factor between its version number and the major
	// version in it.
	pgMajor = 10_000
	// toStandard stands for standard output or input.
	toStandard = "-"
)

func backupCommand(p *program) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "backup FILE|-",
		Short: "Write a backup of the database to a file",
		Long: `backup writes all that is kept to one file, by means of pg_dump, while servers go on:
it holds one moment of the database. Only its owner can read the file. It appears
under its name, or replaces the one there is, once it was read back whole. What a
backup that was killed has left in the folder, the next one removes. With -
it goes to standard output, unverified: see to it that a failure is noticed (in a
shell: set -o pipefail).

Of a database that is spread over several nodes (migrate --distributed) it makes none.

It holds window titles, and the secrets of second steps at login. Of tokens,
credentials and passwords it holds hashes alone.`,
		Example: `  trackerd-server backup /var/backups/trackerd-server/tracker.dump
  trackerd-server backup - | ssh backup.example 'cat > tracker.dump'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == "" {
				return console.Usagef("a backup needs a file's name, or - for standard output")
			}
			c, err := p.flags.Load(config.Everywhere)
			if err != nil {
				return err
			}
			if args[0] == toStandard && console.IsTerminal(cmd.OutOrStdout()) {
				return console.Usagef("a backup is nothing for a terminal; name a file")
			}
			if args[0] != toStandard {
				if err := backup.CheckTarget(args[0]); err != nil {
					return app.Explain(c, err)
				}
			}
			if c.Database.URL == "" && !localpg.Exists(c.StateDir) {
				return fmt.Errorf("there is no private PostgreSQL in %s, so nothing to back up; a server elsewhere: --state-dir or --database-url", c.StateDir)
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), copyTimeout)
			defer cancel()
			return app.WithDatabase(ctx, c, quiet(cmd.ErrOrStderr()), app.ForCommand, func(ctx context.Context, d *app.Database) error {
				return writeBackup(ctx, cmd, d, args[0], asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// backedUp is what backup prints in JSON.
type backedUp struct {
	File          string  `json:"file"`
	Bytes         int64   `json:"bytes"`
	SchemaVersion int     `json:"schema_version"`
	Seconds       float64 `json:"seconds"`
}

func writeBackup(ctx context.Context, cmd *cobra.Command, d *app.Database, path string, asJSON bool) error {
	began := time.Now()
	schema, err := d.Store.Schema(ctx)
	if err != nil {
		return err
	}
	if schema.Version == 0 {
		return errors.New("the database holds nothing of trackerd-server's; is it the right one?")
	}
	if d.Store.Spread() {
		return errors.New("the database is spread over several nodes, which this command does not see at one moment: use PostgreSQL's base backups of each node and citus_create_restore_point")
	}
	contents, err := d.Store.Contents(ctx)
	if err != nil {
		return err
	}
	tools, err := backup.Find(ctx, d.URL, contents.ServerVersion/pgMajor)
	if err != nil {
		return err
	}
	if path == toStandard {
		// pg_dump gets it as it is, or it would wait for us at every block.
		out, ok := cmd.OutOrStdout().(*os.File)
		if !ok {
			return errors.New("standard output is no file")
		}
		err := tools.Write(ctx, contents.SchemaName, out)
		if errors.Is(err, syscall.EPIPE) {
			return fmt.Errorf("whoever reads the backup has stopped reading: it is not whole: %w", err)
		}
		return err
	}
	if err := clearLeft(cmd.ErrOrStderr(), filepath.Dir(path)); err != nil {
		return err
	}
	progress, done := progressTo(cmd.ErrOrStderr())
	size, err := tools.WriteFile(ctx, contents.SchemaName, path, progress)
	done()
	if err != nil {
		return backup.RoomFor(err, path)
	}
	if asJSON {
		return console.JSON(cmd.OutOrStdout(), backedUp{path, size, schema.Version, time.Since(began).Seconds()})
	}
	return console.Line(cmd.OutOrStdout(), fmt.Sprintf("%s: %s, verified", path, quantity.SizeText(size)))
}

// clearLeft makes room that backups which were killed still take. What can't be
// cleared away is printed, and is no reason to make no backup.
func clearLeft(say io.Writer, dir string) error {
	removed, err := backup.ClearLeft(dir)
	if err != nil {
		if err := console.Line(say, err.Error()); err != nil {
			return err
		}
	}
	for _, path := range removed {
		if err := console.Line(say, path+": removed; a backup that was killed had left it"); err != nil {
			return err
		}
	}
	return nil
}

// progressTo shows progress where somebody can see it; done clears it away.
func progressTo(w io.Writer) (show backup.Progress, done func()) {
	if !console.IsTerminal(w) {
		return nil, func() {}
	}
	return func(stage string, bytes int64) {
		fmt.Fprintf(w, "\r\x1b[K%s %s", quantity.SizeText(bytes), stage)
	}, func() { fmt.Fprint(w, "\r\x1b[K") }
}
