package main

import (
	"time"

	"activity-tracker.example/server/internal/store"
)

// judgeReplica says what is to be thought of the replica for reports, which may be
// so far behind.
func judgeReplica(e store.ReplicaExamination, limit time.Duration) check {
	c := check{Name: "replica"}
	switch {
	case e.Away != nil:
		c.Verdict, c.Detail = verdictWarn, e.Away.Error()
		c.Advice = "reports are read from the database itself meanwhile: see that the replica runs, and that REPLICA_DATABASE_URL names it, its user and password"
	case !e.Standby:
		c.Verdict, c.Detail = verdictFail, "it is no standby"
		c.Advice = "name a streaming replica in REPLICA_DATABASE_URL, or none; one that was promoted has to be made anew from the primary"
	case !e.Same:
		c.Verdict, c.Detail = verdictFail, "it is a standby of another database"
		c.Advice = "name a streaming replica of this database in REPLICA_DATABASE_URL, or none"
	case e.CaughtUp:
		return ok("replica", "a standby of this database, less than %v behind", e.Behind.Truncate(time.Second)+time.Second)
	default:
		c.Verdict = verdictWarn
		c.Detail = "a standby of this database, " + sizeText(e.BehindBytes) + " of the log behind; what it replayed last is " + spanText(e.Behind) + " old"
		c.Advice = "over " + limit.String() + " (--replica-max-lag) reports are read from the database itself: see pg_stat_replication there, and the replica's log"
	}
	return c
}
