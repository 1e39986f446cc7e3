package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// progressEvery is how often progress is reported: often enough to see that it goes on.
const progressEvery = time.Second

// Progress is called from time to time with how many bytes were written or read so far.
type Progress func(stage string, bytes int64)

// Write writes a backup of the schema with that name to out, which nobody has
// verified then: it may be a pipe.
func (t Tools) Write(ctx context.Context, schema string, out *os.File) error {
	// An owner and rights are the target's business when it is restored.
	cmd := t.command(ctx, "pg_dump", "--format=custom", "--no-password", "--no-owner", "--no-privileges",
		"--schema="+quotePattern(schema))
	cmd.Stdout = out
	if err := failed(ctx, cmd, cmd.Run()); err != nil {
		return fmt.Errorf("writing the backup: %w", err)
	}
	return nil
}

// quotePattern makes a pattern of pg_dump's that means just this name.
func quotePattern(name string) string { return `"` + name + `"` }

// WriteFile writes a backup, verified, to a file that only its owner can read.
// The file appears, or replaces the one there is, once the backup is whole and on
// disk; on an error nothing is left, and after a kill what ClearLeft clears away.
func (t Tools) WriteFile(ctx context.Context, schema, path string, progress Progress) (size int64, err error) {
	dir := filepath.Dir(path)
	f, err := unfinishedIn(dir)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
		// What was written is on disk by then.
		_ = f.Close()
	}()
	stop := report(progress, "written", func() int64 { return sizeOf(f) })
	err = t.Write(ctx, schema, f)
	stop()
	if err == nil {
		err = f.Sync()
	}
	size = sizeOf(f)
	if err != nil {
		return 0, err
	}
	if err = t.Verify(ctx, f.Name(), progress); err != nil {
		return 0, fmt.Errorf("verifying the backup: %w", err)
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return 0, fmt.Errorf("giving the backup its name: %w", err)
	}
	return size, syncDir(dir)
}

func sizeOf(f *os.File) int64 {
	info, err := f.Stat()
	if err != nil {
		return 0
	}
	return info.Size()
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("opening the backup's folder: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("writing the backup's folder to disk: %w", err)
	}
	return nil
}

// Verify reads a backup from its beginning to its end, all data included.
func (t Tools) Verify(ctx context.Context, path string, progress Progress) error {
	cmd := t.command(ctx, "pg_restore", "--file=-", path)
	var read counter
	cmd.Stdout = &read
	defer report(progress, "verified", read.count)()
	return failed(ctx, cmd, cmd.Run())
}

// report calls progress from time to time until stop is called.
func report(progress Progress, stage string, now func() int64) (stop func()) {
	if progress == nil {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				progress(stage, now())
			}
		}
	}()
	return func() { close(done); <-ended }
}
