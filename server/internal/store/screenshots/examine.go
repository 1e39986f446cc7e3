package screenshots

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"
)

// FolderState is how the folder of pictures does.
type FolderState struct {
	// Used means that the database has had a picture: then it must be there.
	Used bool
	Path string
	// Err is why it can't be looked at.
	Err error
	// Mode is its permissions, Owner whose it is.
	Mode     uint32
	Owner    int
	Writable bool
	// Free is how many bytes more its file system takes.
	Free int64
}

// Examine looks at the folder and makes none.
func (s *Screenshots) Examine(ctx context.Context) (state FolderState, err error) {
	var name *string
	err = s.db.ReadAnySchema(ctx, "asking for the folder of pictures", func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, "SELECT name::text FROM screenshot_folder").Scan(&name)
	})
	state.Path = s.folder.dir
	if err != nil || name == nil {
		return state, err
	}
	state.Used = true
	if s.folder.dir == "" {
		state.Err = fmt.Errorf("%w: none is named", ErrFolder)
		return state, nil
	}
	state.Path = filepath.Join(s.folder.dir, *name)
	info, err := os.Stat(state.Path)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is no folder", state.Path)
	}
	var disk unix.Statfs_t
	if err == nil {
		err = unix.Statfs(state.Path, &disk)
	}
	if err != nil {
		state.Err = err
		return state, nil //nolint:nilerr // it is what was found
	}
	state.Mode, state.Free = uint32(info.Mode().Perm()), int64(disk.Bavail)*disk.Bsize
	if of, ok := info.Sys().(*syscall.Stat_t); ok {
		state.Owner = int(of.Uid)
	}
	state.Writable = unix.Faccessat(unix.AT_FDCWD, state.Path, unix.W_OK|unix.X_OK, unix.AT_EACCESS) == nil
	return state, nil
}

// Collectors are the figures of pictures for Prometheus.
func (s *Screenshots) Collectors() []prometheus.Collector { return []prometheus.Collector{s.swept} }

func newSwept() prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{
		Name: "trackerd_server_screenshot_files_swept_total",
		Help: "Files of pictures that had no row and were deleted: servers that were killed leave some, or a database that was restored.",
	})
}
