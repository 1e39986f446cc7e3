package buffer

import (
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

// DeadLetters returns the newest refused events, newest first, as far as pick
// chooses them: at most limit.
func (b *Buffer) DeadLetters(limit int, pick func(*Dead) bool) ([]Dead, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var dead []Dead
	err := b.view(func(tx *bolt.Tx) error {
		c := tx.Bucket([]byte(bucketDead)).Cursor()
		for k, v := c.Last(); k != nil && len(dead) < limit; k, v = c.Prev() {
			d, ok := readDead(k, v)
			if ok && pick(&d) {
				dead = append(dead, d)
			}
		}
		return nil
	})
	return dead, err
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
// transaction: there are at most MaxDead.
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
			if err := bucket.Delete(seqKey(d.ID)); err != nil {
				return fmt.Errorf("removing a refused event: %w", err)
			}
			t.counts.unbury(d.Code)
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
	if !ok || len(k) != 8 || json.Unmarshal(payload, &d) != nil {
		return Dead{}, false
	}
	d.ID = binary.BigEndian.Uint64(k)
	return d, true
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
