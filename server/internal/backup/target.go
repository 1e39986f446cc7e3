package backup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// CheckTarget reports whether a backup's file can be made, before hours are spent on it,
// and what to do.
func CheckTarget(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, unix.ENAMETOOLONG):
		return fmt.Errorf("the name of the backup's file is too long: %w", err)
	case err == nil && isStandard(info):
		return fmt.Errorf("%s is where this program's own input or output goes; - writes the backup to standard output", path)
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
	if err := checkKind(dir); err != nil {
		return err
	}
	switch err := unix.Access(dir, unix.W_OK|unix.X_OK); {
	case errors.Is(err, unix.EROFS):
		return fmt.Errorf("the folder %s is on a file system that is read-only", dir)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s may not write to the folder %s: %w; a folder of its own: %s", whoWeAre(), dir, err, making)
	case err != nil:
		return fmt.Errorf("looking at the backup's folder: %w", err)
	}
	return checkSticky(path, info)
}

// isStandard reports whether a file is one of our standard ones, by whatever name, such
// as /dev/stdout: a file that replaces it, or the link to it, is not what was meant.
func isStandard(info fs.FileInfo) bool {
	for _, f := range []*os.File{os.Stdin, os.Stdout, os.Stderr} {
		if own, err := f.Stat(); err == nil && os.SameFile(own, info) && info.Mode().IsRegular() {
			return true
		}
	}
	return false
}

// checkKind refuses folders in which nobody can make a file.
func checkKind(dir string) error {
	var of unix.Statfs_t
	if err := unix.Statfs(dir, &of); err != nil {
		return fmt.Errorf("looking at the backup's folder: %w", err)
	}
	if of.Type == unix.PROC_SUPER_MAGIC || of.Type == unix.SYSFS_MAGIC {
		return fmt.Errorf("%s belongs to the kernel and takes no files: name a file elsewhere", dir)
	}
	return nil
}

// checkSticky refuses to replace what is another user's in a folder such as /tmp.
func checkSticky(path string, dir fs.FileInfo) error {
	// What is replaced is a link, not what it leads to.
	there, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking at the backup's file: %w", err)
	}
	us := os.Geteuid()
	if us == 0 || dir.Mode()&fs.ModeSticky == 0 || ownedBy(dir, us) || ownedBy(there, us) {
		return nil
	}
	return fmt.Errorf("%s is another user's, and %s lets only its owner replace it (mode %04o): choose another name or folder",
		path, filepath.Dir(path), unix.S_ISVTX|uint32(dir.Mode().Perm()))
}

func ownedBy(info fs.FileInfo, uid int) bool {
	status, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(status.Uid) == uid
}

// whoWeAre names the user that this runs as.
func whoWeAre() string {
	id := strconv.Itoa(os.Geteuid())
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

// RoomFor adds what to do where a disk is full: a program of PostgreSQL's has its
// own words for it.
func RoomFor(err error, path string) error {
	if err == nil || !strings.Contains(strings.ToLower(err.Error()), unix.ENOSPC.Error()) {
		return err
	}
	return fmt.Errorf("%w; nothing of it is left: make room in %s, or name a file elsewhere", err, filepath.Dir(path))
}
