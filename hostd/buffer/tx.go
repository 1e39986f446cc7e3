package buffer

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"maps"
	"time"

	bolt "go.etcd.io/bbolt"
)

// crcBytes is the length of the CRC-32C before each value.
const crcBytes = 4

// queueFill is how full a page of a queue is made: keys only ever come at the
// end, so there is nothing to leave room for but a rewrite's slack.
const queueFill = 0.95

// Tx is a transaction of Update.
type Tx struct {
	tx     *bolt.Tx
	o      *Options
	counts counts
}

// Put stores a value of the state.
func (t *Tx) Put(space Space, key, value []byte) error {
	if err := t.tx.Bucket([]byte(space)).Put(key, wrap(key, value)); err != nil {
		return fmt.Errorf("storing in %s: %w", space, err)
	}
	return nil
}

// Delete removes a value of the state; one that is not there is no error.
func (t *Tx) Delete(space Space, key []byte) error {
	if err := t.tx.Bucket([]byte(space)).Delete(key); err != nil {
		return fmt.Errorf("deleting from %s: %w", space, err)
	}
	return nil
}

// Enqueue appends an event. Beyond the bound the oldest events are dropped,
// and counted: what is newest is worth most.
func (t *Tx) Enqueue(event []byte) error {
	q := t.tx.Bucket([]byte(bucketQueue))
	q.FillPercent = queueFill
	seq, err := q.NextSequence()
	if err != nil {
		return fmt.Errorf("numbering an event: %w", err)
	}
	key := seqKey(seq)
	if err := q.Put(key, wrap(key, event)); err != nil {
		return fmt.Errorf("storing an event: %w", err)
	}
	t.counts.Waiting++
	t.counts.WaitingBytes += int64(len(event))
	return t.makeRoom(q, seq)
}

// makeRoom drops the oldest events beyond the bound: those that wait for later
// first, and never the one that has just come.
func (t *Tx) makeRoom(q *bolt.Bucket, newest uint64) error {
	for t.counts.Waiting+t.counts.LaterEvents > t.o.MaxEvents || t.counts.WaitingBytes+t.counts.LaterBytes > t.o.MaxBytes {
		dropped, err := t.dropOldestLater()
		if err != nil {
			return err
		}
		if !dropped {
			k, v := q.Cursor().First()
			if k == nil || binary.BigEndian.Uint64(k) == newest {
				return nil
			}
			if err := t.remove(q, k, v); err != nil {
				return err
			}
		}
		t.counts.Dropped++
	}
	return nil
}

// remove takes an event off the queue.
func (t *Tx) remove(q *bolt.Bucket, key, value []byte) error {
	n := int64(max(len(value)-crcBytes, 0)) // before the value goes
	if err := q.Delete(key); err != nil {
		return fmt.Errorf("removing an event: %w", err)
	}
	t.counts.Waiting = max(t.counts.Waiting-1, 0)
	t.counts.WaitingBytes = max(t.counts.WaitingBytes-n, 0)
	return nil
}

func (t *Tx) bury(d Dead) error {
	dead := t.tx.Bucket([]byte(bucketDead))
	dead.FillPercent = queueFill
	seq, err := dead.NextSequence()
	if err != nil {
		return fmt.Errorf("numbering a refused event: %w", err)
	}
	value, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encoding a refused event: %w", err)
	}
	key := seqKey(seq)
	if err := dead.Put(key, wrap(key, value)); err != nil {
		return fmt.Errorf("storing a refused event: %w", err)
	}
	t.counts.bury(d.Code, int64(len(value)+crcBytes))
	for t.counts.DeadKept > t.o.MaxDead || t.counts.DeadBytes > t.o.MaxDeadBytes {
		k, v := dead.Cursor().First()
		if k == nil {
			break
		}
		size := int64(len(v)) // before the value goes
		if err := dead.Delete(k); err != nil {
			return fmt.Errorf("removing a refused event: %w", err)
		}
		t.counts.DeadKept--
		t.counts.DeadBytes -= size
	}
	return nil
}

// putCounts stores the counts with the transaction, so that no start has to
// count again.
func (t *Tx) putCounts() error {
	value, err := json.Marshal(t.counts)
	if err != nil {
		return fmt.Errorf("encoding the buffer's counts: %w", err)
	}
	key := countsKey()
	if err := t.tx.Bucket([]byte(bucketMeta)).Put(key, wrap(key, value)); err != nil {
		return fmt.Errorf("storing the buffer's counts: %w", err)
	}
	return nil
}

func countsKey() []byte { return []byte("counts") }

// maxDeadCodes bounds the distinct codes that are counted: the contract has
// about a dozen, and a server that invents more is not to grow this table.
const maxDeadCodes = 32

// otherCode stands for the codes beyond maxDeadCodes.
const otherCode = "other"

// counts is what Status returns; it is stored with each transaction.
type counts struct {
	Created      time.Time      `json:"created"`
	Lost         time.Time      `json:"lost"`
	Waiting      int            `json:"waiting"`
	WaitingBytes int64          `json:"waiting_bytes"`
	Dead         map[string]int `json:"dead"`
	DeadKept     int            `json:"dead_kept"`
	Forgotten    uint64         `json:"forgotten"`
	Dropped      uint64         `json:"dropped"`
	Corrupt      uint64         `json:"corrupt"`
	Replaced     uint64         `json:"replaced"`
	SetAside     string         `json:"set_aside"`

	// These are counted when a file is opened, since an older version would not keep
	// them: the refused events' bytes, and what waits for later.
	DeadBytes   int64           `json:"-"`
	LaterEvents int             `json:"-"`
	LaterBytes  int64           `json:"-"`
	later       map[Group]Tally // each is one that has events
}

func (c *counts) clone() counts {
	n := *c
	n.Dead, n.later = maps.Clone(c.Dead), maps.Clone(c.later)
	return n
}

func (c *counts) bury(code string, size int64) {
	if c.Dead == nil {
		c.Dead = map[string]int{}
	}
	if _, known := c.Dead[code]; !known && len(c.Dead) >= maxDeadCodes {
		code = otherCode
	}
	c.Dead[code]++
	c.DeadKept++
	c.DeadBytes += size
}

// unbury counts one that a person sends again or drops.
func (c *counts) unbury(code string, size int64) {
	c.DeadKept = max(c.DeadKept-1, 0)
	c.DeadBytes -= size
	if _, known := c.Dead[code]; !known {
		code = otherCode
	}
	if c.Dead[code]--; c.Dead[code] <= 0 {
		delete(c.Dead, code)
	}
	if c.DeadKept == 0 {
		c.Dead = nil // those that were too many to keep are done with too
	}
}

// seqBytes is the length of an event's key, or of the end of one that waits for later.
const seqBytes = 8

func seqKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

// sum covers the key as well: a value under another's key is damage too.
func sum(key, payload []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Update(0, table, key), table, payload)
}

func wrap(key, payload []byte) []byte {
	v := make([]byte, 0, crcBytes+len(payload))
	v = binary.BigEndian.AppendUint32(v, sum(key, payload))
	return append(v, payload...)
}

// unwrap returns the payload, or false for a value that is not what was
// stored under the key.
func unwrap(key, value []byte) ([]byte, bool) {
	if len(value) < crcBytes {
		return nil, false
	}
	payload := value[crcBytes:]
	return payload, binary.BigEndian.Uint32(value) == sum(key, payload)
}
