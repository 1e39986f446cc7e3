package main

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
	"golang.org/x/sys/unix"

	"activity-tracker.example/server/internal/dump"
	"activity-tracker.example/server/internal/localpg"
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

func backupCommand(s *settings) *cobra.Command {
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

It holds window titles, and no token or credential, only their hashes.`,
		Example: `  trackerd-server backup /var/backups/trackerd-server/tracker.dump
  trackerd-server backup - | ssh backup.example 'cat > tracker.dump'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.fromEnvironment(os.Getenv); err != nil {
				return usageError{err}
			}
			if args[0] == toStandard && isTerminal(cmd.OutOrStdout()) {
				return usagef("a backup is nothing for a terminal; name a file")
			}
			if args[0] != toStandard {
				if err := checkTarget(args[0]); err != nil {
					return s.explain(err)
				}
			}
			if s.databaseURL == "" && !localpg.Exists(s.stateDir) {
				return fmt.Errorf("there is no private PostgreSQL in %s, so nothing to back up; a server elsewhere: --state-dir or --database-url", s.stateDir)
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), copyTimeout)
			defer cancel()
			return withDatabase(ctx, s, quiet(cmd.ErrOrStderr()), func(ctx context.Context, d *database) error {
				return backup(ctx, cmd, d, args[0], asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// backedUp is what backup says of itself.
type backedUp struct {
	File          string  `json:"file"`
	Bytes         int64   `json:"bytes"`
	SchemaVersion int     `json:"schema_version"`
	Seconds       float64 `json:"seconds"`
}

func backup(ctx context.Context, cmd *cobra.Command, d *database, path string, asJSON bool) error {
	began := time.Now()
	schema, err := d.store.Schema(ctx)
	if err != nil {
		return err
	}
	if schema.Version == 0 {
		return errors.New("the database holds nothing of trackerd-server's; is it the right one?")
	}
	occupation, err := d.store.Occupation(ctx)
	if err != nil {
		return err
	}
	tools, err := dump.Find(ctx, d.url, occupation.ServerVersion/pgMajor)
	if err != nil {
		return err
	}
	if path == toStandard {
		// pg_dump gets it as it is, or it would wait for us at every block.
		out, ok := cmd.OutOrStdout().(*os.File)
		if !ok {
			return errors.New("standard output is no file")
		}
		err := tools.Write(ctx, occupation.SchemaName, out)
		if errors.Is(err, syscall.EPIPE) {
			return fmt.Errorf("whoever reads the backup has stopped reading: it is not whole: %w", err)
		}
		return err
	}
	if err := clearLeft(cmd.ErrOrStderr(), filepath.Dir(path)); err != nil {
		return err
	}
	progress, done := progressTo(cmd.ErrOrStderr())
	size, err := tools.WriteFile(ctx, occupation.SchemaName, path, progress)
	done()
	if err != nil {
		return roomFor(err, path)
	}
	if asJSON {
		return printJSON(cmd.OutOrStdout(), backedUp{path, size, schema.Version, time.Since(began).Seconds()})
	}
	return printLine(cmd.OutOrStdout(), fmt.Sprintf("%s: %s, verified", path, sizeText(size)))
}

// clearLeft makes room that backups which were killed still take. What can't be
// cleared away is told, and is no reason to make no backup.
func clearLeft(say io.Writer, dir string) error {
	removed, err := dump.ClearLeft(dir)
	if err != nil {
		if err := printLine(say, err.Error()); err != nil {
			return err
		}
	}
	for _, path := range removed {
		if err := printLine(say, path+": removed; a backup that was killed had left it"); err != nil {
			return err
		}
	}
	return nil
}

// progressTo shows progress where somebody can see it; done clears it away.
func progressTo(w io.Writer) (show dump.Progress, done func()) {
	if !isTerminal(w) {
		return nil, func() {}
	}
	return func(stage string, bytes int64) {
		fmt.Fprintf(w, "\r\x1b[K%s %s", sizeText(bytes), stage)
	}, func() { fmt.Fprint(w, "\r\x1b[K") }
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
