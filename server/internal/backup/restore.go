package backup

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// Archive is a backup's file that was looked at.
type Archive struct {
	file *os.File
	// list is its table of contents, less what belongs to the database as a
	// whole: that is there already, and may be another's.
	list []byte
	// SchemaVersion is the newest migration in it.
	SchemaVersion int
}

// notOurs are entries of a table of contents that are left out.
var notOurs = regexp.MustCompile(`^\d+; \d+ \d+ ((SCHEMA|EXTENSION|PUBLICATION|SUBSCRIPTION) |COMMENT - (SCHEMA|EXTENSION) )`)

// Open looks at the table of contents of a backup's file, which errors call by that
// name, and at its schema's version. It does not read the data. The file is the
// caller's to close, once the archive is done with.
func (t Tools) Open(ctx context.Context, file *os.File, name string) (Archive, error) {
	a := Archive{file: file}
	cmd := t.command(ctx, "pg_restore", "--list", handed(0))
	cmd.ExtraFiles = []*os.File{file}
	var list bytes.Buffer
	cmd.Stdout = &list
	if err := failed(ctx, cmd, cmd.Run()); err != nil {
		return a, fmt.Errorf("%s is no backup, or not a whole one: %w", name, err)
	}
	ours := false
	for line := range bytes.Lines(list.Bytes()) {
		if !notOurs.Match(line) {
			a.list = append(a.list, line...)
		}
		ours = ours || bytes.Contains(line, []byte(" TABLE DATA ")) && bytes.Contains(line, []byte(" schema_migration "))
	}
	if !ours {
		return a, fmt.Errorf("%s is a backup of something else: it lacks the table schema_migration", name)
	}
	cmd = t.command(ctx, "pg_restore", "--data-only", "--table=schema_migration", "--file=-", handed(0))
	cmd.ExtraFiles = []*os.File{file}
	var rows bytes.Buffer
	cmd.Stdout = &rows
	if err := failed(ctx, cmd, cmd.Run()); err != nil {
		return a, fmt.Errorf("reading the schema version of %s: %w", name, err)
	}
	a.SchemaVersion = newestVersion(rows.Bytes())
	return a, nil
}

// newestVersion reads the rows of schema_migration, which begin with its number.
func newestVersion(sql []byte) int {
	newest, inside := 0, false
	lines := bufio.NewScanner(bytes.NewReader(sql))
	for lines.Scan() {
		switch line := lines.Text(); {
		case strings.HasPrefix(line, "COPY "):
			inside = true
		case line == `\.`:
			inside = false
		case inside:
			number, _, _ := strings.Cut(line, "\t")
			if n, err := strconv.Atoi(number); err == nil {
				newest = max(newest, n)
			}
		}
	}
	return newest
}

// Restore puts an archive into the database, all in one transaction: first the
// statements of before, then the archive, then those of after, then COMMIT. On any
// error the database is as it was.
func (t Tools) Restore(ctx context.Context, a Archive, before, after []string, progress Progress) error {
	list, err := Nameless()
	if err != nil {
		return err
	}
	defer func() { _ = list.Close() }()
	if _, err = list.Write(a.list); err != nil {
		return fmt.Errorf("writing a temporary file: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	psql := t.command(ctx, "psql", "--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1", "--output=/dev/null")
	in, err := psql.StdinPipe()
	if err != nil {
		return fmt.Errorf("starting psql: %w", err)
	}
	if err := psql.Start(); err != nil {
		return fmt.Errorf("starting psql: %w", err)
	}
	read := t.command(ctx, "pg_restore", "--no-owner", "--no-privileges", "--use-list="+handed(1), "--file=-", handed(0))
	read.ExtraFiles = []*os.File{a.file, list}
	fed := feed(ctx, in, read, before, after, progress)
	// Without COMMIT the end of its input ends the transaction without a trace.
	closeErr := in.Close()
	ended := failed(ctx, psql, psql.Wait())
	var said complaintError
	if ended != nil && !errors.As(fed, &said) {
		// What could not be sent to psql any more follows from that.
		fed = ended
	}
	if fed == nil {
		fed = closeErr
	}
	if fed != nil {
		return fmt.Errorf("restoring: %w", fed)
	}
	return nil
}

// feed writes the whole transaction to psql.
func feed(ctx context.Context, in io.Writer, read *exec.Cmd, before, after []string, progress Progress) error {
	statements := func(list ...string) error {
		for _, s := range list {
			if _, err := io.WriteString(in, s+";\n"); err != nil {
				return fmt.Errorf("telling psql: %w", err)
			}
		}
		return nil
	}
	if err := statements(append([]string{"SET client_min_messages = warning", "BEGIN"}, before...)...); err != nil {
		return err
	}
	var fed counter
	read.Stdout = io.MultiWriter(in, &fed)
	stop := report(progress, "restored", fed.count)
	err := failed(ctx, read, read.Run())
	stop()
	if err != nil {
		return err
	}
	// Fresh tables have no statistics: plans would be bad until autovacuum comes.
	return statements(append(after, "COMMIT", "ANALYZE")...)
}
