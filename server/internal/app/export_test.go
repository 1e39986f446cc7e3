package app

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"activity-tracker.example/server/internal/config"
	"activity-tracker.example/server/internal/store/rooms"
)

// AnnounceFirstToken is announceFirstToken, for tests beside whole servers.
var AnnounceFirstToken = announceFirstToken

// Condition is a condition, for tests beside whole servers.
type Condition struct{ c *condition }

// NewCondition returns the condition of a server that answers at addr.
func NewCondition(c config.Config, st *rooms.Store, addr string, every time.Duration, log *slog.Logger) Condition {
	return Condition{&condition{config: c, store: st, leaving: &leave{log: log}, addr: addr, every: every, log: log}}
}

// Watch waits for the database and follows it.
func (c Condition) Watch(ctx context.Context) error {
	return errors.Join(c.c.begin(ctx), c.c.follow(ctx))
}

// Leave is being asked to stop.
func (c Condition) Leave() { c.c.leaving.begun.Store(true) }
