package buffer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	bolt "go.etcd.io/bbolt"
)

const (
	// bucketLater holds the events that the server may take later, by group and
	// then by age.
	bucketLater = "later"
	// maxGroups bounds the groups: the tally of each is in memory. Further ones
	// share theirs by code, and beyond twice as many all are one.
	maxGroups = 256
	// laterTx is how many events one transaction drops: it bounds the memory.
	laterTx = 5000
)

// Group is what events wait for together: the server refuses them for the same
// reason, and takes one of them when it takes all.
type Group struct {
	// Code is the server's reason. A group without one is the queue.
	Code string
	// MachineID is whose events they are; empty where several share a group.
	MachineID string
}

// Tally is how much waits in a group.
type Tally struct {
	Events int
	Bytes  int64
}

// Place is where an event waits.
type Place struct {
	Group Group // zero: the queue
	Seq   uint64
}

// Later returns what waits in each group; it reads no file.
func (b *Buffer) Later() map[Group]Tally {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.counts.later)
}

// PeekLater returns the oldest events of a group, with the same bounds as Peek.
func (b *Buffer) PeekLater(g Group, limit int, maxBytes int64) ([]Item, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var items []Item
	var bad [][]byte
	err := b.view(func(tx *bolt.Tx) error {
		prefix := groupPrefix(g)
		var size int64
		c := tx.Bucket([]byte(bucketLater)).Cursor()
		for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix) && len(items) < limit; k, v = c.Next() {
			payload, ok := unwrap(k, v)
			if _, seq, whole := parseLater(k); ok && whole {
				if size += int64(len(payload)); size > maxBytes && len(items) > 0 {
					return nil
				}
				items = append(items, Item{Place: Place{Group: g, Seq: seq}, Event: slices.Clone(payload)})
				continue
			}
			bad = append(bad, slices.Clone(k))
		}
		return nil
	})
	if err != nil || len(bad) == 0 {
		return items, err
	}
	return items, b.update(func(t *Tx) error {
		later := t.tx.Bucket([]byte(bucketLater))
		for _, k := range bad {
			t.counts.Corrupt++
			if err := t.removeLater(later, k, later.Get(k)); err != nil {
				return err
			}
		}
		return nil
	})
}

// DropLater removes the events of the groups that pick chooses, and returns how
// many they were.
func (b *Buffer) DropLater(pick func(Group) bool) (dropped int, err error) {
	for g := range b.Later() {
		for pick(g) {
			n, err := b.dropSome(g)
			dropped += n
			if err != nil {
				return dropped, err
			}
			if n < laterTx {
				break
			}
		}
	}
	return dropped, nil
}

func (b *Buffer) dropSome(g Group) (dropped int, err error) {
	err = b.Update(func(t *Tx) error {
		dropped = 0
		later, prefix := t.tx.Bucket([]byte(bucketLater)), groupPrefix(g)
		var keys [][]byte
		c := later.Cursor()
		for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix) && len(keys) < laterTx; k, _ = c.Next() {
			keys = append(keys, slices.Clone(k))
		}
		for _, k := range keys {
			if err := t.removeLater(later, k, later.Get(k)); err != nil {
				return err
			}
			dropped++
		}
		return nil
	})
	return dropped, err
}

// putLater has an event wait in a group.
func (t *Tx) putLater(g Group, seq uint64, event []byte) error {
	g = t.counts.admit(g)
	key := laterKey(g, seq)
	if err := t.tx.Bucket([]byte(bucketLater)).Put(key, wrap(key, event)); err != nil {
		return fmt.Errorf("storing an event for later: %w", err)
	}
	t.counts.addLater(g, 1, int64(len(event)))
	return nil
}

// removeLater takes an event out of its group.
func (t *Tx) removeLater(later *bolt.Bucket, key, value []byte) error {
	n := int64(max(len(value)-crcBytes, 0)) // before the value goes
	g, _, _ := parseLater(key)
	if err := later.Delete(key); err != nil {
		return fmt.Errorf("removing an event for later: %w", err)
	}
	t.counts.addLater(g, -1, -n)
	return nil
}

// dropOldestLater makes room: the event that waits longest in any group goes.
func (t *Tx) dropOldestLater() (dropped bool, err error) {
	later := t.tx.Bucket([]byte(bucketLater))
	var oldest []byte
	oldestSeq := ^uint64(0)
	c := later.Cursor()
	for k, _ := c.First(); k != nil; {
		g, seq, whole := parseLater(k)
		if seq < oldestSeq || oldest == nil {
			oldest, oldestSeq = slices.Clone(k), seq
		}
		if whole {
			k, _ = c.Seek(afterGroup(g))
		} else { // damaged: it is in no group that could be passed over
			k, _ = c.Next()
		}
	}
	if oldest == nil {
		return false, nil
	}
	return true, t.removeLater(later, oldest, later.Get(oldest))
}

// countLater makes the tallies anew, when a file is opened. What has a damaged key is
// in no group: it goes, since nobody would find it again.
func countLater(tx *bolt.Tx, c *counts) error {
	c.later = nil
	later := tx.Bucket([]byte(bucketLater))
	var damaged [][]byte
	err := later.ForEach(func(k, v []byte) error {
		if g, _, whole := parseLater(k); whole {
			c.addLater(g, 1, int64(max(len(v)-crcBytes, 0)))
		} else {
			damaged = append(damaged, slices.Clone(k))
		}
		return nil
	})
	for _, k := range damaged {
		c.Corrupt++
		err = errors.Join(err, later.Delete(k))
	}
	return err
}

// admit returns the group to use: itself, or one that several share.
func (c *counts) admit(g Group) Group {
	if _, known := c.later[g]; known || len(c.later) < maxGroups {
		return g
	}
	g.MachineID = ""
	if _, known := c.later[g]; known || len(c.later) < 2*maxGroups {
		return g
	}
	return Group{Code: otherCode}
}

func (c *counts) addLater(g Group, events int, size int64) {
	if c.later == nil {
		c.later = map[Group]Tally{}
	}
	t := c.later[g]
	t.Events, t.Bytes = t.Events+events, t.Bytes+size
	c.LaterEvents, c.LaterBytes = c.LaterEvents+events, c.LaterBytes+size
	if t.Events <= 0 {
		delete(c.later, g)
		return
	}
	c.later[g] = t
}

// A key is the code, a NUL, the machine_id, a NUL, neither of which has any, and the
// place in the queue.

func groupPrefix(g Group) []byte {
	return append(append([]byte(g.Code), 0), append([]byte(g.MachineID), 0)...)
}

// afterGroup is greater than all keys of a group, and less than those of the next.
func afterGroup(g Group) []byte {
	after := groupPrefix(g)
	after[len(after)-1] = 1
	return after
}

func laterKey(g Group, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(groupPrefix(g), seq)
}

func parseLater(key []byte) (g Group, seq uint64, ok bool) {
	code, rest, ok := bytes.Cut(key, []byte{0})
	if !ok || len(rest) <= seqBytes || rest[len(rest)-seqBytes-1] != 0 {
		return Group{Code: string(code)}, 0, false
	}
	name := rest[:len(rest)-seqBytes-1]
	return Group{Code: string(code), MachineID: string(name)}, binary.BigEndian.Uint64(rest[len(rest)-seqBytes:]), true
}
