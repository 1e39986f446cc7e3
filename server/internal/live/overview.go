package live

import (
	"context"
	"fmt"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/query"
)

const (
	// groupsEvery is how often it is read what groups hold, while somebody wants to know:
	// that takes some 100 ms where there are 100,000 machines, and changes of it are rare.
	groupsEvery = 10 * time.Second
	// groupsTimeout bounds reading it.
	groupsTimeout = 10 * time.Second
)

// Counts is how many machines are in each state.
type Counts map[api.MachineStatus]int

// Overview counts all machines; nobody changes it.
type Overview struct {
	// All are all machines, and Alone those that are in no group.
	All, Alone Counts
	// AloneKeys are the rows of the latter.
	AloneKeys []int32
	// Groups are those that there are, by name.
	Groups []GroupCounts
}

// GroupCounts is a group, and how many of its machines are in each state.
type GroupCounts struct {
	query.GroupMembers
	Counts Counts
}

// counting is what the machines are counted by, and the counts.
type counting struct {
	groups []query.GroupMembers
	// grouped are the machines that are in groups.
	grouped map[int32]struct{}
	// read is when the groups were read.
	read time.Time
	// overview is nil where something has changed since.
	overview *Overview
}

// Overview counts the machines for a caller who looks once, by groups as they were at most a
// few seconds ago. All who look share the counts.
func (b *Board) Overview(ctx context.Context, caller string) (*Overview, error) {
	if known := b.look(true); known.overview != nil {
		return known.overview, nil
	}
	m, err := b.once(ctx, &Watcher{token: caller, counts: true})
	return m.Overview, err
}

// count makes the overview anew where somebody wants it and something has changed.
func (b *Board) count(ctx context.Context) error {
	c := &b.counting
	if !b.wantsCounts() {
		*c = counting{}
		return nil
	}
	if c.read.IsZero() || time.Since(c.read) > groupsEvery {
		if err := b.readGroups(ctx); err != nil {
			return err
		}
	}
	if c.overview == nil {
		c.overview = c.of(b.items)
	}
	return nil
}

// wantsCounts reports whether somebody looked at an overview a while ago.
func (b *Board) wantsCounts() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.wanted.IsZero() && time.Since(b.wanted) <= lookedFor
}

func (b *Board) readGroups(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, groupsTimeout)
	defer cancel()
	groups, err := b.reader.GroupMembers(ctx)
	if err != nil {
		return fmt.Errorf("counting machines by group: %w", err)
	}
	b.counting = newCounting(groups)
	b.counting.read = time.Now()
	return nil
}

func newCounting(groups []query.GroupMembers) counting {
	c := counting{groups: groups, grouped: map[int32]struct{}{}}
	for i := range groups {
		for _, key := range groups[i].Machines {
			c.grouped[key] = struct{}{}
		}
	}
	return c
}

// of counts the items.
func (c *counting) of(items map[int32]*Item) *Overview {
	o := &Overview{All: Counts{}, Alone: Counts{}, Groups: make([]GroupCounts, len(c.groups))}
	for key, item := range items {
		o.All[item.Machine.Status]++
		if _, in := c.grouped[key]; !in {
			o.Alone[item.Machine.Status]++
			o.AloneKeys = append(o.AloneKeys, key)
		}
	}
	for i := range c.groups {
		g := &o.Groups[i]
		g.GroupMembers, g.Counts = c.groups[i], Counts{}
		for _, key := range g.Machines {
			if item := items[key]; item != nil {
				g.Counts[item.Machine.Status]++
			}
		}
	}
	return o
}
