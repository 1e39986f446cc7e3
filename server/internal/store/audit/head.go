package audit

import (
	"context"
	"log/slog"
	"time"
)

const (
	// headEvery is how often the head is noted.
	headEvery = 24 * time.Hour
	// headRetry is when to try again where the database is away.
	headRetry = time.Minute
)

// RunHead notes in the system's log how far the chain is, now and every day, until ctx
// ends: what is there by then nobody can change unseen by changing the database alone.
func (l *Log) RunHead(ctx context.Context, log *slog.Logger) error {
	for {
		next := headRetry
		if h, err := l.Head(ctx); err == nil {
			log.Info("head of the audit log; verify it with: trackerd-server audit verify --head HEAD", "head", h.String())
			next = headEvery
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(next):
		}
	}
}
