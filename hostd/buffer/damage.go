package buffer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

const (
	// keepAside is how many damaged files are kept to look at: enough to see
	// a pattern, and no way to fill a disk.
	keepAside = 3
	// asideSuffix begins the names of damaged files.
	asideSuffix = ".damaged-"
	// rescueTx is how many values one transaction of a rescue writes: it
	// bounds the memory.
	rescueTx = 5000
)

// errDamaged is wrapped by every error that means a damaged file.
var errDamaged = errors.New("the buffer's file is damaged")

// guard runs fn and turns a panic into an error: bbolt panics on every damaged
// page, and a page beyond the file's end is a memory fault, which would end
// the process if it were not made a panic.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errDamaged, p)
		}
	}()
	return fn()
}

// damaged reports whether an error is damage, rather than what a person or time
// can mend, such as a full disk or a lack of rights.
func damaged(err error) bool {
	for _, is := range []error{
		errDamaged, bolterrors.ErrInvalid, bolterrors.ErrVersionMismatch,
		bolterrors.ErrChecksum, bolterrors.ErrInvalidMapping, bolterrors.ErrBucketNotFound,
	} {
		if errors.Is(err, is) {
			return true
		}
	}
	// bbolt has no name for a file that is shorter than its own header.
	return err != nil && strings.Contains(err.Error(), "file size too small")
}

// replace sets the damaged file aside, starts a fresh one and takes over what
// can still be read. It returns an error that wraps ErrReplaced, or one that
// states why there is no buffer now.
func (b *Buffer) replace(cause error) error {
	if b.replacing {
		return fmt.Errorf("the fresh file is damaged as well: %w", cause)
	}
	b.replacing = true
	defer func() { b.replacing = false }()
	old := b.counts
	aside, err := b.setAside()
	if err != nil {
		return fmt.Errorf("%w; setting it aside: %w", cause, err)
	}
	if err := b.create(b.afterLoss(aside)); err != nil {
		return fmt.Errorf("%w; it is now %s; %w", cause, aside, err)
	}
	r, err := b.rescue(aside, old)
	b.o.Log.Error("the buffer was damaged: a fresh one was started with what could be read",
		"cause", cause, "set_aside", aside, "rescued_events", r.events, "rescued_state", r.state, "unreadable", r.bad,
		"rescue_complete", err == nil)
	if err != nil {
		b.o.Log.Error("not all of the damaged buffer could be read", "error", err)
	}
	return fmt.Errorf("%w (%s): %w", ErrReplaced, aside, cause)
}

// replaceUnread is replace for a file that is not to be touched again.
func (b *Buffer) replaceUnread(cause error) error {
	aside, err := b.setAside()
	if err != nil {
		return fmt.Errorf("%w; setting it aside: %w", cause, err)
	}
	b.unmarkOpening()
	b.o.Log.Error("the buffer was unusable: a fresh one was started", "cause", cause, "set_aside", aside)
	return b.create(b.afterLoss(aside))
}

// afterLoss are the counts with which a fresh file begins.
func (b *Buffer) afterLoss(aside string) counts {
	return counts{Lost: b.o.Now().UTC(), Replaced: 1, SetAside: aside}
}

// setAside renames the file. The database is let go of by closing its file
// only: after a panic its locks may be held for good, so Close could hang.
func (b *Buffer) setAside() (string, error) {
	if b.db != nil {
		letGo(b.file)
		b.db = nil
	}
	stamp := b.o.Now().UTC().Format("20060102T150405.000000000Z")
	aside := b.path + asideSuffix + stamp
	if err := os.Rename(b.path, aside); err != nil {
		return "", fmt.Errorf("renaming: %w", err)
	}
	old, err := filepath.Glob(b.path + asideSuffix + "*")
	if err != nil {
		return "", fmt.Errorf("listing damaged files: %w", err)
	}
	slices.Sort(old) // by time
	for _, name := range old[:max(len(old)-keepAside, 0)] {
		if err := os.Remove(name); err != nil {
			b.o.Log.Warn("cannot remove an old damaged buffer", "file", name, "error", err)
		}
	}
	return aside, nil
}

// rescued is what was taken over from a damaged file.
type rescued struct{ events, state, dead, bad int }

// rescue copies every value of the damaged file that passes its check. It
// returns an error where some page could not be read at all.
func (b *Buffer) rescue(aside string, old counts) (r rescued, err error) {
	// Read-only, bbolt trusts less: above all not the list of free pages.
	src, file, err := openBolt(aside, &bolt.Options{ReadOnly: true, Timeout: b.o.LockTimeout})
	if err != nil {
		return r, err
	}
	defer letGo(file) // not src.Close, which could hang after a panic
	var state []error
	for _, space := range spaces() {
		state = append(state, b.copyBucket(src, string(space), &r.bad, func(t *Tx, k, v []byte) error {
			r.state++
			return t.Put(space, k, v)
		}))
	}
	whole := errors.Join(state...) == nil && r.bad == 0
	err = errors.Join(errors.Join(state...),
		b.copyBucket(src, bucketDead, &r.bad, func(t *Tx, _, v []byte) error {
			var d Dead
			if err := json.Unmarshal(v, &d); err != nil {
				r.bad++
				return nil //nolint:nilerr // an unreadable one is counted and left behind
			}
			r.dead++
			return t.bury(d)
		}),
		b.rescueLater(src, &r),
		b.copyBucket(src, bucketQueue, &r.bad, func(t *Tx, _, v []byte) error {
			r.events++
			return t.Enqueue(v)
		}))
	if c, ok := readCounts(src); ok {
		old = c
	}
	return r, errors.Join(err, b.update(func(t *Tx) error {
		t.counts.Replaced = old.Replaced + 1
		t.counts.Dropped += old.Dropped
		t.counts.Forgotten = old.Forgotten
		t.counts.Corrupt = old.Corrupt + uint64(r.bad)
		if whole && !old.Created.IsZero() { // the state goes on: nothing to distrust
			t.counts.Created, t.counts.Lost = old.Created, old.Lost
		}
		return nil
	}))
}

// rescueLater takes over what waits for later, numbered anew so that nothing that
// the fresh file's queue numbers meets it.
func (b *Buffer) rescueLater(src *bolt.DB, r *rescued) error {
	there := false
	err := guard(func() error {
		return src.View(func(tx *bolt.Tx) error {
			there = tx.Bucket([]byte(bucketLater)) != nil
			return nil
		})
	})
	if err != nil || !there { // an older version had none
		return err
	}
	return b.copyBucket(src, bucketLater, &r.bad, func(t *Tx, k, v []byte) error {
		g, _, ok := parseLater(k)
		if !ok {
			r.bad++
			return nil
		}
		seq, err := t.tx.Bucket([]byte(bucketQueue)).NextSequence()
		if err != nil {
			return fmt.Errorf("numbering an event: %w", err)
		}
		r.events++
		return t.putLater(g, seq, v)
	})
}

func readCounts(src *bolt.DB) (c counts, ok bool) {
	err := guard(func() error {
		return src.View(func(tx *bolt.Tx) error {
			meta, key := tx.Bucket([]byte(bucketMeta)), countsKey()
			if meta == nil {
				return nil
			}
			var payload []byte
			if payload, ok = unwrap(key, meta.Get(key)); !ok {
				return nil
			}
			return json.Unmarshal(payload, &c)
		})
	})
	return c, ok && err == nil
}

// copyBucket hands each good value of a bucket to put, in transactions of
// rescueTx.
func (b *Buffer) copyBucket(src *bolt.DB, name string, bad *int, put func(t *Tx, k, v []byte) error) error {
	type pair struct{ k, v []byte }
	var batch []pair
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		err := b.update(func(t *Tx) error {
			for _, p := range batch {
				if err := put(t, p.k, p.v); err != nil {
					return err
				}
			}
			return nil
		})
		batch = batch[:0]
		return err
	}
	readErr := readBucket(src, name, func(k, v []byte) error {
		payload, ok := unwrap(k, v)
		if !ok {
			*bad++
			return nil
		}
		batch = append(batch, pair{bytes.Clone(k), bytes.Clone(payload)})
		if len(batch) < rescueTx {
			return nil
		}
		return flush()
	})
	return errors.Join(readErr, flush())
}

// readBucket hands on the values from the front up to the first unreadable
// page, and then those from the back, each once.
func readBucket(src *bolt.DB, name string, take func(k, v []byte) error) error {
	front, err := walk(src, name, (*bolt.Cursor).First, (*bolt.Cursor).Next, take,
		func(k, last []byte) bool { return last == nil || bytes.Compare(k, last) > 0 })
	if err == nil || !damaged(err) {
		return err
	}
	_, back := walk(src, name, (*bolt.Cursor).Last, (*bolt.Cursor).Prev, take, func(k, last []byte) bool {
		return (last == nil || bytes.Compare(k, last) < 0) && bytes.Compare(k, front) > 0
	})
	return errors.Join(err, back)
}

// walk goes through a bucket for as long as ahead reports that it advances, so
// that damaged pages cannot lead in circles, and returns the last key taken.
func walk(src *bolt.DB, name string, start, next func(*bolt.Cursor) ([]byte, []byte),
	take func(k, v []byte) error, ahead func(k, last []byte) bool,
) (last []byte, err error) {
	err = guard(func() error {
		return src.View(func(tx *bolt.Tx) error {
			bucket := tx.Bucket([]byte(name))
			if bucket == nil {
				return fmt.Errorf("%w: bucket %s is gone", errDamaged, name)
			}
			c := bucket.Cursor()
			for k, v := start(c); k != nil; k, v = next(c) {
				if !ahead(k, last) {
					return fmt.Errorf("%w: keys of %s are out of order", errDamaged, name)
				}
				last = bytes.Clone(k)
				if err := take(k, v); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return last, err
}
