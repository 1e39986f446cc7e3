package app

import (
	"context"
	"log/slog"
	"time"

	"activity-tracker.example/server/internal/config"
	"activity-tracker.example/server/internal/store/rooms"
)

const (
	// conditionEvery is how often the server looks whether its database answers: often
	// enough for a person who runs systemctl status, and nothing for PostgreSQL.
	conditionEvery = 10 * time.Second
	// lookTimeout bounds a look, as /readyz does.
	lookTimeout = 2 * time.Second
)

// condition is whether the server can do its work. It reports each change to systemd's
// status line and to the log.
type condition struct {
	config  config.Config
	store   *rooms.Store
	leaving *leave
	// addr is where the server answers.
	addr  string
	every time.Duration
	log   *slog.Logger
}

// begin returns once the database is there and has the schema, or ctx ends.
func (c *condition) begin(ctx context.Context) error {
	err := c.store.Prepare(ctx, func(err error) {
		advice := advice(c.config, err)
		c.log.Warn("waiting for the database", "error", err, "advice", advice)
		Notify(c.log, "", joined("waiting for the database", advice))
	})
	if err != nil && ctx.Err() == nil {
		return Explain(c.config, err)
	}
	if ctx.Err() == nil {
		c.announce(ctx)
	}
	return nil
}

// announce reports that the server is ready.
func (c *condition) announce(ctx context.Context) {
	c.leaving.ready.Store(true)
	c.log.Info("ready", "listen", c.addr)
	Notify(c.log, "", "answering on "+c.addr)
	if c.config.FirstTokenToLog {
		announceFirstToken(ctx, c.store, c.log)
	}
}

// follow looks at the database until ctx ends or the server is asked to stop, and
// reports each change once.
func (c *condition) follow(ctx context.Context) error {
	tick := time.NewTicker(c.every)
	defer tick.Stop()
	for away := false; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := c.look(ctx)
		switch {
		case ctx.Err() != nil || c.leaving.begun.Load():
			// From here on the status is about the stop.
			return nil
		case err != nil && !away:
			away = true
			advice := advice(c.config, err)
			c.log.Error("the database does not answer; hosts keep their records meanwhile", "error", err, "advice", advice)
			Notify(c.log, "", joined("answering 503 on "+c.addr+": the database does not answer", advice))
		case err == nil && away:
			away = false
			c.log.Info("the database answers again")
			Notify(c.log, "", "answering on "+c.addr)
		}
	}
}

func (c *condition) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	return c.store.Ready(ctx)
}
