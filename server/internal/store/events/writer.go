// Package events stores what hosts send: batches that arrive together are written in
// one transaction, in one of three ways (insert_append.go, insert_merge.go with insert_later.go,
// insert_compacted.go), with what they add up to.
package events

import (
	"context"

	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/dictionary"
	"activity-tracker.example/server/internal/store/partition"
)

// Writer writes the events of one database.
type Writer struct {
	db         *db.DB
	partitions *partition.Partitions
	dictionary *dictionary.Dictionary
	group      *group
	metrics    *metrics
	// revoked is called when a batch came with a credential that is gone.
	revoked func()
}

// New returns a writer. revoked is called when a batch came with a credential that
// is gone: whoever remembers credentials forgets them.
func New(d *db.DB, partitions *partition.Partitions, dict *dictionary.Dictionary, revoked func()) *Writer {
	w := &Writer{db: d, partitions: partitions, dictionary: dict, metrics: newMetrics(), revoked: revoked}
	w.group = newGroup(w.metrics.measured(w.writeBatches))
	w.group.spread = d.Spread
	return w
}

// WriteEvents stores a host's events, each at most once by (machine_id,
// timestamp), keeps roll-ups and machines up to date, and returns when all of it
// is durable. Calls at the same time share a transaction; each is answered for
// itself. Where too much waits already it returns ErrUnavailable at once.
//
// A batch whose credential has been revoked gets ErrRevoked.
func (w *Writer) WriteEvents(ctx context.Context, b Batch) (Written, error) {
	if len(b.Events) == 0 {
		return Written{}, nil
	}
	return w.group.do(ctx, b)
}
