// Package query reads what events and their sums hold, of one machine or of many, as
// far as a caller may see it.
package query

import (
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/partition"
)

// Reader reads from one database.
type Reader struct {
	db         *db.DB
	partitions *partition.Partitions
}

// New returns a reader.
func New(d *db.DB, partitions *partition.Partitions) *Reader {
	return &Reader{db: d, partitions: partitions}
}
