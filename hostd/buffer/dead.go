package buffer

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Dead is an event that the server refused for good.
type Dead struct {
	// ID names it for as long as it is kept.
	ID      uint64    `json:"-"`
	Code    string    `json:"code"`
	Message string    `json:"message"`
	At      time.Time `json:"at"`
	// Event as it was sent.
	Event json.RawMessage `json:"event"`
}

const (
	// deadChunk and deadChunkBytes bound how many refused events are read at once, and
	// of what size: whoever looks at them holds up no record for longer.
	deadChunk      = 100
	deadChunkBytes = 1 << 20
)

// DeadLetters hands the refused events to take, newest first, until it returns false.
// With part only those whose JSON has that in it: reading all of them as JSON takes a
// hundred times as long. The buffer is free meanwhile.
func (b *Buffer) DeadLetters(part string, take func(*Dead) (more bool)) error {
	before := ^uint64(0)
	for {
		chunk, err := b.deadBefore(before)
		if err != nil || len(chunk) == 0 {
			return err
		}
		for _, raw := range chunk {
			before = min(before, raw.seq)
			if !bytes.Contains(raw.value, []byte(part)) {
				continue
			}
			d, ok := readDead(seqKey(raw.seq), raw.value)
			if ok && !take(&d) {
				return nil
			}
		}
	}
}

// rawDead is a refused event as it is stored.
type rawDead struct {
	seq   uint64
	value []byte
}

// deadBefore returns the newest refused events before one, newest first.
func (b *Buffer) deadBefore(before uint64) (chunk []rawDead, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	err = b.view(func(tx *bolt.Tx) error {
		c := tx.Bucket([]byte(bucketDead)).Cursor()
		k, v := c.Seek(seqKey(before))
		if k == nil {
			k, v = c.Last()
		}
		size := 0
		for ; k != nil && len(chunk) < deadChunk && size < deadChunkBytes; k, v = c.Prev() {
			if len(k) != seqBytes {
				continue // damaged
			}
			if seq := binary.BigEndian.Uint64(k); seq < before {
				chunk = append(chunk, rawDead{seq, slices.Clone(v)})
				size += len(v)
			}
		}
		return nil
	})
	return chunk, err
}

// Revive puts the refused events that pick chooses back into the queue, and
// returns how many.
func (b *Buffer) Revive(pick func(*Dead) bool) (int, error) {
	return b.takeDead(pick, func(t *Tx, d *Dead) error { return t.Enqueue(d.Event) })
}

// DropDead removes the refused events that pick chooses, and returns how many.
func (b *Buffer) DropDead(pick func(*Dead) bool) (int, error) {
	return b.takeDead(pick, func(*Tx, *Dead) error { return nil })
}

// takeDead removes refused events and does something with each, in one
// transaction: there are at most MaxDead, of MaxDeadBytes.
func (b *Buffer) takeDead(pick func(*Dead) bool, do func(*Tx, *Dead) error) (taken int, err error) {
	err = b.Update(func(t *Tx) error {
		taken = 0
		bucket := t.tx.Bucket([]byte(bucketDead))
		var picked []Dead
		c := bucket.Cursor()
		for k, v := c.First(); k != nil; k, v = c.Next() {
			if d, ok := readDead(k, v); ok && pick(&d) {
				picked = append(picked, d)
			}
		}
		for i := range picked {
			d := &picked[i]
			key := seqKey(d.ID)
			size := int64(len(bucket.Get(key))) // before the value goes
			if err := bucket.Delete(key); err != nil {
				return fmt.Errorf("removing a refused event: %w", err)
			}
			t.counts.unbury(d.Code, size)
			if err := do(t, d); err != nil {
				return err
			}
			taken++
		}
		return nil
	})
	return taken, err
}

func readDead(k, v []byte) (d Dead, ok bool) {
	payload, ok := unwrap(k, v)
	if !ok || len(k) != seqBytes || json.Unmarshal(payload, &d) != nil {
		return Dead{}, false
	}
	d.ID = binary.BigEndian.Uint64(k)
	return d, true
}

// countDead adds up the refused events' bytes anew, when a file is opened.
func countDead(tx *bolt.Tx, c *counts) error {
	c.DeadBytes = 0
	return tx.Bucket([]byte(bucketDead)).ForEach(func(_, v []byte) error {
		c.DeadBytes += int64(len(v))
		return nil
	})
}

// asJSON returns a copy of an event that can stand inside JSON.
func asJSON(event []byte) json.RawMessage {
	if json.Valid(event) {
		return slices.Clone(event)
	}
	quoted, err := json.Marshal(string(event))
	if err != nil {
		return json.RawMessage(`null`)
	}
	return quoted
}
