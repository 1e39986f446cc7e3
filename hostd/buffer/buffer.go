// Package buffer keeps what the daemon must not lose in one bbolt file: the
// sealed events that wait for the server, the ones the server refused, and
// the small state from which the daemon continues after a restart.
//
// It knows nothing of events but their bytes. Every value carries a CRC-32C,
// since bbolt notices no flipped bit; a damaged file is set aside, what is
// readable in it is taken over, and work goes on in a fresh one. Only an
// acknowledgement (Settle) or the bound removes an event, and both are counted.
package buffer

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Defaults of Options.
const (
	// DefaultMaxEvents is how many events may wait: 200 users at work eight
	// hours a day fill it in ten days, twenty in a hundred.
	DefaultMaxEvents = 1_000_000
	// DefaultMaxBytes bounds the waiting events' bytes, so that an outage
	// cannot fill /var: the file grows to about 1.3 times of it.
	DefaultMaxBytes = 512 << 20
	// DefaultMaxDead is how many refused events are kept to look at; a person
	// looks at a few, and ten thousand show any pattern.
	DefaultMaxDead = 10_000
	// DefaultMaxDeadBytes bounds them where titles are long: ten thousand usual ones
	// have a third of it, and a person's command takes all into memory at once.
	DefaultMaxDeadBytes = 64 << 20
	// DefaultLockTimeout is how long Open waits for another process to let go
	// of the file: a daemon that is being replaced needs a moment.
	DefaultLockTimeout = 5 * time.Second
)

// Options of a Buffer; zero values mean the defaults.
type Options struct {
	MaxEvents    int
	MaxBytes     int64
	MaxDead      int
	MaxDeadBytes int64
	LockTimeout  time.Duration
	Log          *slog.Logger
	Now          func() time.Time
}

// Space is a named part of the state.
type Space string

// The spaces of the state.
const (
	Accounts Space = "accounts" // by session: what was already counted
	Records  Space = "records"  // open records
	Machines Space = "machines" // by machine_id: what was handed out
	Asked    Space = "asked"    // by machine_id: when it was asked for a receipt
	Receipts Space = "receipts" // of the notice, by machine_id and version
	Told     Space = "told"     // by machine_id: up to when the server was told what was not collected
)

// Buckets beside the spaces.
const (
	bucketQueue = "queue"
	bucketDead  = "dead"
	bucketMeta  = "meta"
)

func spaces() []Space { return []Space{Accounts, Records, Machines, Asked, Receipts, Told} }

var (
	// ErrReplaced reports that the file was damaged and has been replaced: the
	// transaction was not kept, and some of the state may be gone. Write the
	// whole state again.
	ErrReplaced = errors.New("the buffer was damaged and has been replaced")
	// ErrLocked reports that another process has the file open.
	ErrLocked = errors.New("another process has the buffer open")
)

// Buffer is safe for concurrent use.
type Buffer struct {
	path string
	o    Options

	mu     sync.Mutex
	db     *bolt.DB
	file   *os.File // the database's, to let go of it where bbolt cannot
	counts counts
	// replacing is set while a damaged file is being replaced; closed by Close.
	replacing, closed bool
}

// Open opens the buffer, or makes it (0600, in a folder of 0700). A damaged
// file is set aside and replaced; a full or unwritable disk is an error.
func Open(path string, o Options) (*Buffer, error) {
	b := &Buffer{path: path, o: o.withDefaults()}
	if err := b.open(); err != nil {
		return nil, fmt.Errorf("opening the buffer %s: %w", path, err)
	}
	return b, nil
}

func (o Options) withDefaults() Options {
	if o.MaxEvents <= 0 {
		o.MaxEvents = DefaultMaxEvents
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.MaxDead <= 0 {
		o.MaxDead = DefaultMaxDead
	}
	if o.MaxDeadBytes <= 0 {
		o.MaxDeadBytes = DefaultMaxDeadBytes
	}
	if o.LockTimeout <= 0 {
		o.LockTimeout = DefaultLockTimeout
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Close lets go of the file.
func (b *Buffer) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	if b.db == nil {
		return nil
	}
	err := guard(b.db.Close)
	letGo(b.file)
	b.db = nil
	if err != nil {
		return fmt.Errorf("closing the buffer: %w", err)
	}
	return nil
}

// Update runs one durable transaction: all of it is kept, or nothing. It is
// synced to disk before Update returns, since an acknowledged reading that a
// power cut takes back would be counted twice or not at all. fn should only
// store what was computed before: a panic in it counts as damage.
func (b *Buffer) Update(fn func(*Tx) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.update(fn)
}

func (b *Buffer) update(fn func(*Tx) error) error {
	if err := b.ready(); err != nil {
		return err
	}
	t := Tx{o: &b.o, counts: b.counts.clone()}
	err := guard(func() error {
		return b.db.Update(func(tx *bolt.Tx) error {
			t.tx = tx
			if err := fn(&t); err != nil {
				return err
			}
			return t.putCounts()
		})
	})
	switch {
	case err == nil:
		b.counts = t.counts
		return nil
	case damaged(err):
		return b.replace(err)
	default:
		return fmt.Errorf("writing to the buffer: %w", err)
	}
}

// Load hands every good value of a space to fn; the bytes are fn's only until
// it returns. It returns how many values were damaged; they are removed.
func (b *Buffer) Load(space Space, fn func(key, value []byte) error) (bad int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var gone [][]byte
	err = b.view(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte(space)).ForEach(func(k, v []byte) error {
			payload, ok := unwrap(k, v)
			if !ok {
				gone = append(gone, append([]byte(nil), k...))
				return nil
			}
			return fn(k, payload)
		})
	})
	if err != nil || len(gone) == 0 {
		return 0, err
	}
	return len(gone), b.update(func(t *Tx) error {
		t.counts.Corrupt += uint64(len(gone))
		for _, k := range gone {
			if err := t.Delete(space, k); err != nil {
				return err
			}
		}
		return nil
	})
}

// view runs fn on a snapshot.
func (b *Buffer) view(fn func(*bolt.Tx) error) error {
	if err := b.ready(); err != nil {
		return err
	}
	err := guard(func() error { return b.db.View(fn) })
	if damaged(err) {
		return b.replace(err)
	}
	if err != nil {
		return fmt.Errorf("reading the buffer: %w", err)
	}
	return nil
}

// ready opens the file again where replacing it had failed (such as for lack of space).
func (b *Buffer) ready() error {
	switch {
	case b.closed:
		return fmt.Errorf("using the buffer: %w", os.ErrClosed)
	case b.db != nil:
		return nil
	case b.replacing:
		return fmt.Errorf("using the buffer: %w", errDamaged)
	}
	if err := b.open(); err != nil {
		return fmt.Errorf("opening the buffer %s: %w", b.path, err)
	}
	return nil
}
