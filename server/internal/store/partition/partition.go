// Package partition names, lists, makes and drops the partitions of the tables
// that are partitioned by time. There is no other way to them.
package partition

import (
	"sync/atomic"
	"time"

	"activity-tracker.example/server/internal/store/db"
)

// partitionsKnown is how many names of partitions are remembered: all there are.
const partitionsKnown = 10_000

// Partitions are those of one database.
type Partitions struct {
	db *db.DB
	// keep is for how long rows are kept by setting, narrowed with policy; nil: by setting.
	keep     Retention
	narrowed atomic.Pointer[Retention]
	now      func() time.Time
	// attachAgain is from when on partitions may be made again, in nanoseconds
	// since 1970.
	attachAgain atomic.Int64
	// made are names of partitions that are there, or can't be.
	made *db.Cache[string, struct{}]
	// indirect are names of those that rows can't be written straight into.
	indirect *db.Cache[string, struct{}]
}

// New returns the partitions of a database whose rows are kept for that long; now
// is the clock.
func New(d *db.DB, keep Retention, now func() time.Time) *Partitions {
	p := &Partitions{
		db: d, keep: keep, now: now,
		made: db.NewCache[string, struct{}](partitionsKnown), indirect: db.NewCache[string, struct{}](partitionsKnown),
	}
	d.OnReplaced(p.Forget)
	return p
}
