package screenshots

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"

	"activity-tracker.example/server/internal/store/db"
)

const (
	folderMode = 0o700
	fileMode   = 0o600
	// suffix is what a picture's file ends with, unfinished what one begins with that is
	// still written.
	suffix     = ".jpg"
	unfinished = ".new-"
)

// folder is where files are: DIR/NAME/AB/ABCDEF….jpg, NAME the database's own.
type folder struct {
	db        *db.DB
	dir       string
	leastFree int64
	// found is where the files are, once that is known.
	found atomic.Pointer[string]
}

// digestOf is what a picture's file is called: files that are exchanged are noticed, and
// each picture has a file of its own.
func digestOf(id ID, picture []byte) []byte {
	h := sha256.New()
	h.Write(id[:])
	h.Write(picture)
	return h.Sum(nil)
}

// pathOf is where a file is within the folder.
func pathOf(digest []byte) string {
	name := hex.EncodeToString(digest)
	return filepath.Join(name[:2], name+suffix)
}

// open opens the folder, or returns ErrFolder. It is made where the database never had one.
func (f *folder) open(ctx context.Context) (*os.Root, error) {
	path := f.found.Load()
	if path == nil {
		found, err := f.find(ctx)
		if err != nil {
			return nil, err
		}
		path = &found
	}
	root, err := os.OpenRoot(*path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFolder, err)
	}
	f.found.Store(path)
	return root, nil
}

// find returns where the database's folder is.
func (f *folder) find(ctx context.Context) (path string, err error) {
	if f.dir == "" {
		return "", fmt.Errorf("%w: none is named", ErrFolder)
	}
	err = f.db.Write(ctx, "looking for the folder of pictures", func(tx pgx.Tx) error {
		var name *string
		if err := tx.QueryRow(ctx, "SELECT name::text FROM screenshot_folder FOR UPDATE").Scan(&name); err != nil {
			return err
		}
		if name != nil {
			path = filepath.Join(f.dir, *name)
			return nil
		}
		var fresh string
		if err := tx.QueryRow(ctx, "UPDATE screenshot_folder SET name = gen_random_uuid() RETURNING name::text").Scan(&fresh); err != nil {
			return err
		}
		path = filepath.Join(f.dir, fresh)
		if err := makeFolder(path); err != nil {
			return folderError{err}
		}
		return nil
	})
	var made folderError
	if errors.As(err, &made) {
		return "", fmt.Errorf("%w: %w", ErrFolder, made.error)
	}
	return path, err
}

// makeFolder makes a folder and those that it is in, and makes that durable.
func makeFolder(path string) error {
	if err := os.MkdirAll(path, folderMode); err != nil {
		return err
	}
	for range 2 {
		path = filepath.Dir(path)
		root, err := os.OpenRoot(path)
		if err != nil {
			return err
		}
		if err := errors.Join(syncFolder(root, "."), root.Close()); err != nil {
			return err
		}
	}
	return nil
}

// folderError is an error of the file system within a transaction.
type folderError struct{ error }

// Decided makes it a db.Decision.
func (folderError) Decided() {}

// write writes a file that is durable when it returns.
func (f *folder) write(ctx context.Context, digest, picture []byte) error {
	root, err := f.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	var disk unix.Statfs_t
	if err := unix.Statfs(root.Name(), &disk); err == nil && int64(disk.Bavail)*disk.Bsize < f.leastFree {
		return ErrFull
	}
	path := pathOf(digest)
	made := root.Mkdir(filepath.Dir(path), folderMode)
	if made == nil {
		made = syncFolder(root, ".")
	}
	if made != nil && !errors.Is(made, fs.ErrExist) {
		return diskError(made)
	}
	return diskError(writeIn(root, path, picture))
}

func writeIn(root *os.Root, path string, picture []byte) (err error) {
	part := filepath.Join(filepath.Dir(path), unfinished+rand.Text())
	file, err := root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, root.Remove(part))
		}
	}()
	_, err = file.Write(picture)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err = root.Rename(part, path); err != nil {
		return err
	}
	return syncFolder(root, filepath.Dir(path))
}

// syncFolder makes durable which files a folder has.
func syncFolder(root *os.Root, name string) error {
	dir, err := root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// diskError distinguishes a full disk from one that can't be written to.
func diskError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return fmt.Errorf("%w: %w", ErrFull, err)
	default:
		return fmt.Errorf("%w: %w", ErrFolder, err)
	}
}

// read reads the file of a picture, or returns ErrLost where it is not what it was.
func (f *folder) read(ctx context.Context, of *Screenshot) ([]byte, error) {
	root, err := f.open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	path := pathOf(of.digest)
	info, err := root.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: %w", ErrLost, err)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrFolder, err)
	case !info.Mode().IsRegular() || info.Size() != int64(of.Bytes):
		return nil, fmt.Errorf("%w: %s is of another size", ErrLost, path)
	}
	picture, err := root.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFolder, err)
	}
	if string(digestOf(of.ID, picture)) != string(of.digest) {
		return nil, fmt.Errorf("%w: %s is of another picture", ErrLost, path)
	}
	return picture, nil
}

// remove removes files, as far as they are there.
func (f *folder) remove(ctx context.Context, digests ...[]byte) error {
	if len(digests) == 0 {
		return nil
	}
	root, err := f.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	for _, d := range digests {
		if err := root.Remove(pathOf(d)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: %w", ErrFolder, err)
		}
	}
	return nil
}

// digestIn returns the digest that a file is called, or nil.
func digestIn(name string) []byte {
	text, ok := strings.CutSuffix(name, suffix)
	digest, err := hex.DecodeString(text)
	if !ok || err != nil || len(digest) != sha256.Size {
		return nil
	}
	return digest
}
