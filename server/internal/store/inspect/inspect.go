// Package inspect looks at a database as a whole: for doctor, for metrics, and for
// those who are about to restore something into it. It changes nothing.
package inspect

import (
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/upkeep"
)

// Inspector looks at one database.
type Inspector struct {
	db         *db.DB
	partitions *partition.Partitions
	upkeep     *upkeep.Upkeep
}

// New returns an inspector.
func New(d *db.DB, partitions *partition.Partitions, keeper *upkeep.Upkeep) *Inspector {
	return &Inspector{db: d, partitions: partitions, upkeep: keeper}
}
