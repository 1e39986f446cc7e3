package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"time"

	"activity-tracker.example/server/internal/app"
	"activity-tracker.example/server/internal/dump"
	"activity-tracker.example/server/internal/localpg"
	"activity-tracker.example/server/internal/store"
)

const (
	// conditionEvery is how often the server looks whether its database answers: often
	// enough for a person who runs systemctl status, and nothing for PostgreSQL.
	conditionEvery = 10 * time.Second
	// lookTimeout is what a look gets, as much as /readyz gives it.
	lookTimeout = 2 * time.Second
)

// condition is whether the server can do its work. systemd's status line and the log
// tell it as it changes, as /readyz would.
type condition struct {
	s       *settings
	store   *store.Store
	leaving *app.Leave
	// addr is where the server answers.
	addr  string
	every time.Duration
	log   *slog.Logger
}

// begin returns once the database is there and has the schema, or ctx ends.
func (c *condition) begin(ctx context.Context) error {
	err := c.store.Prepare(ctx, func(err error) {
		advice := c.s.advice(err)
		c.log.Warn("waiting for the database", "error", err, "advice", advice)
		app.Notify(c.log, "", joined("waiting for the database", advice))
	})
	if err != nil && ctx.Err() == nil {
		return c.s.explain(err)
	}
	if ctx.Err() == nil {
		c.announce(ctx)
	}
	return nil
}

// announce tells that the server is ready.
func (c *condition) announce(ctx context.Context) {
	c.leaving.Ready.Store(true)
	c.log.Info("ready", "listen", c.addr)
	app.Notify(c.log, "", "answering on "+c.addr)
	if c.s.firstToken {
		announceFirstToken(ctx, c.store, c.log)
	}
}

// follow looks at the database until ctx ends or the server is told to stop, and tells
// each change once.
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
		case ctx.Err() != nil || c.leaving.Begun.Load():
			// From here on the status tells of the stop.
			return nil
		case err != nil && !away:
			away = true
			advice := c.s.advice(err)
			c.log.Error("the database does not answer; hosts keep their records meanwhile", "error", err, "advice", advice)
			app.Notify(c.log, "", joined("answering 503 on "+c.addr+": the database does not answer", advice))
		case err == nil && away:
			away = false
			c.log.Info("the database answers again")
			app.Notify(c.log, "", "answering on "+c.addr)
		}
	}
}

func (c *condition) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	return c.store.Ready(ctx)
}

// joined adds what to do, where there is something.
func joined(text, advice string) string {
	if advice == "" {
		return text
	}
	return text + " (" + advice + ")"
}

// advice says what to do about a database that does not answer; nothing where the
// error says it, or the server sees to it.
func (s *settings) advice(err error) string {
	if s.databaseURL == "" || !errors.Is(err, store.ErrUnavailable) || errors.As(err, new(store.OlderSchemaError)) {
		return ""
	}
	where := envDatabase
	if s.service {
		where += " in " + serviceEnvFile
	}
	switch {
	case !onThisMachine(s.databaseURL):
		return "see that the PostgreSQL that " + where + " names runs and can be reached"
	case !localpg.Installed():
		return "apt install postgresql, or name another in " + where
	}
	return "systemctl start postgresql, or name another in " + where
}

// advisedError is one with what to do about it.
type advisedError struct {
	error
	advice string
}

// Error tells both.
func (e advisedError) Error() string { return joined(e.error.Error(), e.advice) }

// Unwrap gives what is wrong.
func (e advisedError) Unwrap() error { return e.error }

// onThisMachine says whether a database URL leads to this machine, by a socket, which
// is usual where no host is named, or by the loopback interface.
func onThisMachine(databaseURL string) bool {
	variables, err := dump.Environment(databaseURL)
	if err != nil {
		return false
	}
	host := ""
	for _, v := range variables {
		if named, ok := strings.CutPrefix(v, "PGHOST="); ok {
			host = named
		}
	}
	ip := net.ParseIP(host)
	return host == "" || strings.HasPrefix(host, "/") || host == "localhost" || ip != nil && ip.IsLoopback()
}
