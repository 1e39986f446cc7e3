package buffer

import (
	"encoding/binary"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Item is an event that waits.
type Item struct {
	Place
	Event []byte
}

// Refusal is what becomes of an event that the server did not take: it waits in a
// group, is forgotten, or else is kept as a dead letter.
type Refusal struct {
	Place
	Code, Message string
	// Later is the group in which it waits from now on; zero: in none.
	Later Group
	// Forget leaves nothing of it but a count.
	Forget bool
}

// Status is what is in the buffer and what was lost from it.
type Status struct {
	// Waiting events and their bytes.
	Waiting      int
	WaitingBytes int64
	// LaterEvents wait for the server to take them later, beside those of the
	// queue; Later returns in which groups.
	LaterEvents int
	// Dead is how many events were refused for good, by code, and neither sent
	// again nor dropped by a person; DeadKept is how many are there to look at.
	Dead     map[string]int
	DeadKept int
	// Forgotten is how many events the server had to be forgotten.
	Forgotten uint64
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
		Waiting: c.Waiting, WaitingBytes: c.WaitingBytes, LaterEvents: c.LaterEvents,
		Dead: c.Dead, DeadKept: c.DeadKept, Forgotten: c.Forgotten,
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
// maxBytes of them (but one, if there is any). Those for which skip returns true
// are passed over. Damaged events are removed and counted on the way.
func (b *Buffer) Peek(limit int, maxBytes int64, skip func(seq uint64) bool) ([]Item, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var items []Item
	var bad [][]byte
	seen, seenBytes, whole := 0, int64(0), false
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
			seenBytes += int64(len(payload))
			seq := binary.BigEndian.Uint64(k)
			if skip != nil && skip(seq) {
				continue
			}
			if size += int64(len(payload)); size > maxBytes && len(items) > 0 {
				return nil
			}
			items = append(items, Item{Place: Place{Seq: seq}, Event: slices.Clone(payload)})
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
		if whole { // damage may have cost more than was found
			t.counts.Waiting, t.counts.WaitingBytes = seen, seenBytes
		}
		return nil
	})
}

// Settle removes events: those the server has, and those it refused, each of which
// is treated as its Refusal states. Nothing else removes what waits, but the bound
// and a person.
func (b *Buffer) Settle(done []Place, refused []Refusal) error {
	return b.Update(func(t *Tx) error {
		for _, p := range done {
			if _, _, err := t.takeOut(p); err != nil {
				return err
			}
		}
		for i := range refused {
			if err := t.refuse(&refused[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *Tx) refuse(r *Refusal) error {
	if r.Group != (Group{}) && r.Group == r.Later {
		return nil // it waits where it waited
	}
	event, found, err := t.takeOut(r.Place)
	switch {
	case err != nil || !found:
		return err
	case r.Forget:
		t.counts.Forgotten++
		return nil
	case r.Later != Group{}:
		return t.putLater(r.Later, r.Seq, event)
	}
	return t.bury(Dead{Code: r.Code, Message: r.Message, At: t.o.Now().UTC(), Event: asJSON(event)})
}

// takeOut removes an event from where it waits. It is not found where the bound
// took it meanwhile, or where it is damaged.
func (t *Tx) takeOut(p Place) (event []byte, found bool, err error) {
	bucket, key, remove := t.tx.Bucket([]byte(bucketQueue)), seqKey(p.Seq), t.remove
	if p.Group != (Group{}) {
		bucket, key, remove = t.tx.Bucket([]byte(bucketLater)), laterKey(p.Group, p.Seq), t.removeLater
	}
	v := bucket.Get(key)
	if v == nil {
		return nil, false, nil
	}
	payload, ok := unwrap(key, v)
	if !ok {
		t.counts.Corrupt++
	}
	event = slices.Clone(payload) // before the value goes
	return event, ok, remove(bucket, key, v)
}
