package buffer

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"activity-tracker.example/hostd/durable"
)

const (
	// maxBrokenOpens is after how many starts that did not survive opening the
	// file it is set aside unread: damage can also end the process in ways
	// that cannot be caught (a length that asks for all memory), and three are
	// enough to distinguish that from a kill that came at a bad moment.
	maxBrokenOpens = 3
	// compactFrom is the file size, in bytes, from which an almost empty file
	// is rewritten: bbolt never shrinks one, and less is not worth the work.
	compactFrom = 64 << 20
	// compactFree is the share of free pages that makes a file almost empty.
	compactFree = 0.75
	// compactTx bounds one transaction of the rewriting, in bytes.
	compactTx = 16 << 20
)

// open leaves b with an open database, whatever it finds.
func (b *Buffer) open() error {
	if err := os.MkdirAll(filepath.Dir(b.path), 0o700); err != nil {
		return fmt.Errorf("making its folder: %w", err)
	}
	before, err := os.Stat(b.path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return b.create(counts{})
	case err != nil:
		return fmt.Errorf("looking at it: %w", err)
	case before.Size() == 0:
		// bbolt would take it for a new one, silently.
		return b.replaceUnread(errors.New("the file is empty"))
	}
	broken := b.brokenOpens()
	if broken >= maxBrokenOpens {
		return b.replaceUnread(fmt.Errorf("%d starts in a row did not survive opening it", broken))
	}
	b.markOpening(broken + 1)
	err = b.attach()
	b.unmarkOpening()
	if damaged(err) {
		if err := b.replace(err); !errors.Is(err, ErrReplaced) {
			return err
		}
		return nil
	}
	if err != nil {
		return err
	}
	return b.compactIfEmpty()
}

// attach opens the existing file and reads its counts.
func (b *Buffer) attach() error {
	if err := b.checkFreelist(); err != nil {
		return err
	}
	db, file, err := openBolt(b.path, &bolt.Options{Timeout: b.o.LockTimeout})
	if err != nil {
		return err
	}
	b.db, b.file = db, file
	err = guard(func() error {
		return b.db.Update(func(tx *bolt.Tx) error {
			if err := makeBuckets(tx); err != nil {
				return err
			}
			key := countsKey()
			payload, ok := unwrap(key, tx.Bucket([]byte(bucketMeta)).Get(key))
			if !ok {
				return fmt.Errorf("%w: its counts are unreadable", errDamaged)
			}
			b.counts = counts{}
			if err := json.Unmarshal(payload, &b.counts); err != nil {
				return fmt.Errorf("%w: its counts: %w", errDamaged, err)
			}
			return errors.Join(countDead(tx, &b.counts), countLater(tx, &b.counts))
		})
	})
	if err != nil && !damaged(err) {
		_ = guard(b.db.Close) // the first error is the cause
		b.db = nil
	}
	return err
}

// create makes a new file with the given counts.
func (b *Buffer) create(c counts) error {
	b.counts = c
	b.counts.Created = b.o.Now().UTC()
	db, file, err := openBolt(b.path, &bolt.Options{Timeout: b.o.LockTimeout})
	if err != nil {
		if !errors.Is(err, ErrLocked) {
			_ = os.Remove(b.path) // half-made; it holds nothing
		}
		return err
	}
	b.db, b.file = db, file
	err = b.update(func(t *Tx) error { return makeBuckets(t.tx) })
	if err == nil {
		err = durable.SyncDir(filepath.Dir(b.path))
	}
	if err != nil {
		_ = guard(b.db.Close) // the first error is the cause
		b.db = nil
		_ = os.Remove(b.path) // half-made; it holds nothing
		return fmt.Errorf("making it: %w", err)
	}
	return nil
}

func makeBuckets(tx *bolt.Tx) error {
	names := []string{bucketQueue, bucketLater, bucketDead, bucketMeta}
	for _, s := range spaces() {
		names = append(names, string(s))
	}
	for _, name := range names {
		if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
			return fmt.Errorf("making bucket %s: %w", name, err)
		}
	}
	return nil
}

// openBolt opens a database, and keeps the file at hand: a panic inside
// bolt.Open would otherwise leave it open and locked.
func openBolt(path string, o *bolt.Options) (db *bolt.DB, file *os.File, err error) {
	o.OpenFile = func(name string, flag int, mode os.FileMode) (*os.File, error) {
		f, err := os.OpenFile(name, flag, mode)
		file = f
		return f, err //nolint:wrapcheck // bbolt looks at the error itself
	}
	err = guard(func() (err error) {
		db, err = bolt.Open(path, 0o600, o)
		return err //nolint:wrapcheck // openBolt and its callers distinguish the kinds and name what was opened
	})
	if err == nil {
		return db, file, nil
	}
	letGo(file)
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, nil, fmt.Errorf("%w: is another trackerd running? (systemctl status trackerd)", ErrLocked)
	}
	return nil, nil, err
}

// letGo unlocks and closes a database's file without bbolt, which may hold its
// own locks for good after a panic. Closing alone would not unlock it, since
// the memory that bbolt mapped keeps the file open.
func letGo(file *os.File) {
	if file == nil {
		return
	}
	if c, err := file.SyscallConn(); err == nil {
		_ = c.Control(func(fd uintptr) { _ = syscall.Flock(int(fd), syscall.LOCK_UN) }) // closed already
	}
	_ = file.Close() // closed already
}

// compactIfEmpty rewrites a large file that holds little. Failing to is no
// error: the file works as it is.
func (b *Buffer) compactIfEmpty() error {
	info, err := b.file.Stat()
	if err != nil {
		return fmt.Errorf("looking at it: %w", err)
	}
	free := float64(b.db.Stats().FreePageN) * float64(b.db.Info().PageSize)
	if info.Size() < compactFrom || free < compactFree*float64(info.Size()) {
		return nil
	}
	tmp := b.path + ".compact"
	err = guard(func() error { return b.compact(tmp) })
	if damaged(err) {
		if err := b.replace(err); !errors.Is(err, ErrReplaced) {
			return err
		}
		return nil
	}
	if err != nil {
		b.o.Log.Warn("the buffer's file could not be made smaller", "error", err)
		_ = os.Remove(tmp) // best effort: the next try removes it first
		if b.db != nil {
			return nil
		}
		return err
	}
	return nil
}

func (b *Buffer) compact(tmp string) error {
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing an earlier copy: %w", err)
	}
	dst, _, err := openBolt(tmp, &bolt.Options{Timeout: b.o.LockTimeout})
	if err != nil {
		return err
	}
	err = bolt.Compact(dst, b.db, compactTx)
	if cerr := dst.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("copying: %w", err)
	}
	if err := os.Rename(tmp, b.path); err != nil {
		return fmt.Errorf("putting the copy in place: %w", err)
	}
	if err := durable.SyncDir(filepath.Dir(b.path)); err != nil {
		return err
	}
	if err := b.db.Close(); err != nil {
		return fmt.Errorf("closing the old file: %w", err)
	}
	b.db = nil
	return b.attach()
}

// The number of opens that did not end is kept beside the file.
func (b *Buffer) openingPath() string { return b.path + ".opening" }

func (b *Buffer) brokenOpens() int {
	text, err := os.ReadFile(b.openingPath())
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return n
}

func (b *Buffer) markOpening(n int) {
	// On a full disk there is no mark, and opening goes on: it only reads.
	if err := os.WriteFile(b.openingPath(), []byte(strconv.Itoa(n)), 0o600); err != nil {
		b.o.Log.Warn("cannot mark that the buffer is being opened", "error", err)
	}
}

func (b *Buffer) unmarkOpening() {
	if err := os.Remove(b.openingPath()); err != nil && !errors.Is(err, os.ErrNotExist) {
		b.o.Log.Warn("cannot remove the mark of opening the buffer", "error", err)
	}
}
