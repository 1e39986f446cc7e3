package live

import (
	"context"
	"sync"
	"time"

	"activity-tracker.example/server/internal/store/query"
)

const (
	// groupsFor is for how long what groups hold is remembered: reading it takes some
	// 100 ms where there are 100,000 machines, and changes of it are rare.
	groupsFor = 10 * time.Second
	// groupsTimeout bounds reading it.
	groupsTimeout = 10 * time.Second
)

// members is what groups hold, as it was a moment ago.
type members struct {
	mu   sync.Mutex
	at   time.Time
	list []query.GroupMembers
}

// Groups returns what all groups hold, as it was at most a few seconds ago; nobody changes
// the list. Who asks while it is read waits for that.
func (b *Board) Groups(ctx context.Context) ([]query.GroupMembers, error) {
	m := &b.members
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := time.Now(); m.at.IsZero() || now.Sub(m.at) > groupsFor {
		ctx, cancel := context.WithTimeout(ctx, groupsTimeout)
		defer cancel()
		list, err := b.reader.GroupMembers(ctx)
		if err != nil {
			return nil, err
		}
		m.list, m.at = list, now
	}
	return m.list, nil
}
