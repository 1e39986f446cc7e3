package doctor

import (
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/quantity"
	"activity-tracker.example/server/internal/store/inspect"
)

// Replica checks the replica for reports, which may be so far behind.
func Replica(e inspect.ReplicaExamination, limit time.Duration) api.Check {
	c := api.Check{Name: "replica"}
	switch {
	case e.Away != nil:
		c.Result, c.Detail = api.CheckWarning, e.Away.Error()
		c.Advice = "reports are read from the database itself meanwhile: see that the replica runs, and that REPLICA_DATABASE_URL names it, its user and password"
	case !e.Standby:
		c.Result, c.Detail = api.CheckFailed, "it is no standby"
		c.Advice = "name a streaming replica in REPLICA_DATABASE_URL, or none; one that was promoted has to be made anew from the primary"
	case !e.Same:
		c.Result, c.Detail = api.CheckFailed, "it is a standby of another database"
		c.Advice = "name a streaming replica of this database in REPLICA_DATABASE_URL, or none"
	case e.CaughtUp:
		return ok("replica", "a standby of this database, less than %v behind", e.Behind.Truncate(time.Second)+time.Second)
	default:
		c.Result = api.CheckWarning
		c.Detail = "a standby of this database, " + quantity.SizeText(e.BehindBytes) + " of the log behind; what it replayed last is " + quantity.DurationText(e.Behind) + " old"
		c.Advice = "over " + limit.String() + " (--replica-max-lag) reports are read from the database itself: see pg_stat_replication there, and the replica's log"
	}
	return c
}
