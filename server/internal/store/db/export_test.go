package db

import (
	"context"
	"time"
)

// What tests of other rooms' use need to see.
const (
	PlanMode      = planMode
	QuestionsPart = questionsPart
	SummariesPart = summariesPart
)

// KnownMigrations returns how many migrations this program has.
func KnownMigrations() (int, error) {
	list, err := migrations()
	return len(list), err
}

// SeemRestarted makes it look as if PostgreSQL had been started anew.
func (d *DB) SeemRestarted() {
	d.identity.mu.Lock()
	defer d.identity.mu.Unlock()
	d.identity.started = d.identity.started.Add(-time.Hour)
	d.pool.Reset()
}

// AssumeMigrated has the database taken for one with our schema.
func (d *DB) AssumeMigrated() { d.migrated.Store(true) }

// SetPatience bounds statements outside of transactions.
func (d *DB) SetPatience(patience time.Duration) { d.pool.patience = patience }

// LookOnce looks at the replica and decides on its use.
func (d *DB) LookOnce(ctx context.Context) { d.replica.decide(d.lookAtReplica(ctx)) }
