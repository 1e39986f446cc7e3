package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// checkTarget looks whether a backup's file can be made, before hours are spent on it,
// and says what to do.
func checkTarget(path string) error {
	if path == "" {
		return usagef("a backup needs a file's name, or - for standard output")
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("%s is a folder: name a file in it, such as %s", path, filepath.Join(path, "tracker.dump"))
	case err == nil && !info.Mode().IsRegular():
		// It would be replaced by a file, as /dev/null for everybody.
		return fmt.Errorf("%s is no file; - writes to standard output", path)
	}
	dir := filepath.Dir(path)
	making := fmt.Sprintf("install -d -o %s -m 700 %s", whoWeAre(), dir)
	info, err = os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the folder %s does not exist; to make it: %s", dir, making)
	case err == nil && !info.IsDir() || errors.Is(err, unix.ENOTDIR):
		return fmt.Errorf("%s is no folder", dir)
	case err != nil:
		return fmt.Errorf("looking at the backup's folder: %w", err)
	}
	switch err := unix.Access(dir, unix.W_OK|unix.X_OK); {
	case errors.Is(err, unix.EROFS):
		return fmt.Errorf("the folder %s is on a file system that is read-only", dir)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s may not write to the folder %s: %w; a folder of its own: %s", whoWeAre(), dir, err, making)
	case err != nil:
		return fmt.Errorf("looking at the backup's folder: %w", err)
	}
	return nil
}

// whoWeAre names the user that this runs as.
func whoWeAre() string {
	id := strconv.Itoa(os.Geteuid())
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

// roomFor adds what to do where a disk is full: a program of PostgreSQL's says so in
// its own words.
func roomFor(err error, path string) error {
	if err == nil || !strings.Contains(strings.ToLower(err.Error()), unix.ENOSPC.Error()) {
		return err
	}
	return fmt.Errorf("%w; nothing of it is left: make room in %s, or name a file elsewhere", err, filepath.Dir(path))
}
