package buffer

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Item is an event that waits.
type Item struct {
	// Seq is its place in the queue, to name it in Settle.
	Seq   uint64
	Event []byte
}

// Refusal says why an event is not to be sent again.
type Refusal struct {
	Seq           uint64
	Code, Message string
}

// Dead is an event that the server refused.
type Dead struct {
	Code    string    `json:"code"`
	Message string    `json:"message"`
	At      time.Time `json:"at"`
	// Event as it was sent.
	Event json.RawMessage `json:"event"`
}

// Status is what is in the buffer and what was lost from it.
type Status struct {
	// Waiting events and their bytes.
	Waiting      int
	WaitingBytes int64
	// Dead is how many events were ever refused, by code; DeadKept is how many
	// are still there to look at.
	Dead     map[string]int
	DeadKept int
	// Dropped is how many events the bound cost.
	Dropped uint64
	// Corrupt is how many values failed their check.
	Corrupt uint64
	// Replaced is how often a damaged file was replaced, and SetAside where
	// the last one lies.
	Replaced uint64
	SetAside string
	// Created is when this store began; Lost is when an earlier one was lost
	// (zero: never).
	Created, Lost time.Time
	// FileBytes is the file's size.
	FileBytes int64
}

// Status is cheap: it reads counters.
func (b *Buffer) Status() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.counts.clone()
	s := Status{
		Waiting: c.Waiting, WaitingBytes: c.WaitingBytes, Dead: c.Dead, DeadKept: c.DeadKept,
		Dropped: c.Dropped, Corrupt: c.Corrupt, Replaced: c.Replaced, SetAside: c.SetAside,
		Created: c.Created, Lost: c.Lost,
	}
	if b.db != nil {
		if info, err := b.file.Stat(); err == nil {
			s.FileBytes = info.Size()
		}
	}
	return s
}

// Peek returns the oldest waiting events in order: at most limit, and at most
// maxBytes of them (but one, if there is any). Those of which skip says true
// are passed over. Damaged events are removed and counted on the way.
func (b *Buffer) Peek(limit int, maxBytes int64, skip func(seq uint64) bool) ([]Item, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var items []Item
	var bad [][]byte
	seen, whole := 0, false
	err := b.view(func(tx *bolt.Tx) error {
		var size int64
		c := tx.Bucket([]byte(bucketQueue)).Cursor()
		k, v := c.First()
		for ; k != nil && len(items) < limit; k, v = c.Next() {
			payload, ok := unwrap(k, v)
			if len(k) != 8 || !ok {
				bad = append(bad, slices.Clone(k))
				continue
			}
			seen++
			seq := binary.BigEndian.Uint64(k)
			if skip != nil && skip(seq) {
				continue
			}
			if size += int64(len(payload)); size > maxBytes && len(items) > 0 {
				return nil
			}
			items = append(items, Item{Seq: seq, Event: slices.Clone(payload)})
		}
		whole = k == nil
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(bad) == 0 && (!whole || seen == b.counts.Waiting) {
		return items, nil
	}
	return items, b.update(func(t *Tx) error {
		q := t.tx.Bucket([]byte(bucketQueue))
		for _, k := range bad {
			t.counts.Corrupt++
			if err := t.remove(q, k, q.Get(k)); err != nil {
				return err
			}
		}
		if whole { // damage may have cost more than it said
			t.counts.Waiting = seen
		}
		return nil
	})
}

// Settle removes events: those the server has, and those it refused, which are
// kept as dead letters. Nothing else removes what waits, but the bound.
func (b *Buffer) Settle(done []uint64, refused []Refusal) error {
	return b.Update(func(t *Tx) error {
		q := t.tx.Bucket([]byte(bucketQueue))
		for _, seq := range done {
			key := seqKey(seq)
			if v := q.Get(key); v != nil { // else the bound took it meanwhile
				if err := t.remove(q, key, v); err != nil {
					return err
				}
			}
		}
		for _, r := range refused {
			key := seqKey(r.Seq)
			v := q.Get(key)
			if v == nil {
				continue
			}
			if payload, ok := unwrap(key, v); !ok {
				t.counts.Corrupt++
			} else if err := t.bury(Dead{Code: r.Code, Message: r.Message, At: t.o.Now().UTC(), Event: asJSON(payload)}); err != nil {
				return err
			}
			if err := t.remove(q, key, v); err != nil {
				return err
			}
		}
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

// DeadLetters returns the newest refused events, newest first.
func (b *Buffer) DeadLetters(limit int) ([]Dead, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var dead []Dead
	err := b.view(func(tx *bolt.Tx) error {
		c := tx.Bucket([]byte(bucketDead)).Cursor()
		for k, v := c.Last(); k != nil && len(dead) < limit; k, v = c.Prev() {
			payload, ok := unwrap(k, v)
			if !ok {
				continue
			}
			var d Dead
			if err := json.Unmarshal(payload, &d); err != nil {
				return fmt.Errorf("decoding a refused event: %w", err)
			}
			dead = append(dead, d)
		}
		return nil
	})
	return dead, err
}
