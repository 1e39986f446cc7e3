package backup

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// unfinished begins the name of a backup's file until it gets its own. It is the same
// for all, so that a backup under another name finds what one that was killed left.
const unfinished = ".trackerd-server.unfinished-"

// archiveMagic is how a file in pg_dump's custom format begins.
const archiveMagic = "PGDMP"

// unfinishedIn makes a file for a backup in its folder, locked while we or a pg_dump
// that outlives us have it open.
func unfinishedIn(dir string) (*os.File, error) {
	// Mode 0600 is CreateTemp's.
	f, err := os.CreateTemp(dir, unfinished+"*")
	if err != nil {
		var named *fs.PathError
		if errors.As(err, &named) {
			// Nobody asked for a file of that name.
			err = named.Err
		}
		return nil, fmt.Errorf("making a file in %s: %w", dir, err)
	}
	// A file system without locks: then nobody else gets one either.
	_ = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	return f, nil
}

// ClearLeft removes what backups that were killed have left in a folder, window titles
// and all, and returns the files' names. Those that are being written stay, and so does
// whatever is not ours.
func ClearLeft(dir string) (removed []string, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrPermission) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking for what backups have left: %w", err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), unfinished) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		left, lookErr := isLeft(path)
		if lookErr == nil && left {
			if lookErr = os.Remove(path); lookErr == nil {
				removed = append(removed, path)
			}
		}
		if lookErr != nil && !errors.Is(lookErr, fs.ErrNotExist) {
			err = errors.Join(err, fmt.Errorf("clearing away what a backup has left: %w", lookErr))
		}
	}
	return removed, err
}

// isLeft reports whether a file is what pg_dump wrote for us and nobody writes any more.
// One that is still empty may be about to be locked.
func isLeft(path string) (left bool, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.ELOOP) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	status, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() || int(status.Uid) != os.Geteuid() || info.Size() == 0 {
		return false, nil
	}
	magic := make([]byte, len(archiveMagic))
	if _, err := io.ReadFull(f, magic); err != nil || string(magic) != archiveMagic {
		return false, nil
	}
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil, nil
}
