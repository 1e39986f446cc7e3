// Package repository serves the agent's packages as an apt repository that somebody
// else has signed, and the script that installs from it.
package repository

import (
	"cmp"
	"context"
	"time"

	"activity-tracker.example/server/internal/turns"
)

const (
	// usualAtOnce is how many files are sent at once: enough for a fleet, and few
	// of the connections that hosts report over.
	usualAtOnce = 100
	// downloadWait is how long one more waits before it is to come back.
	downloadWait = 2 * time.Second
	// downloadRetry is when, which is about as long as one takes.
	downloadRetry = 10 * time.Second
)

// Options say what to serve.
type Options struct {
	// Dir is the folder that holds the repository; empty: there is none.
	Dir string
	// BaseURL is where callers find this server.
	BaseURL BaseURL
	// AtOnce is how many files are sent at once; 0: as many as usual.
	AtOnce int
}

// Repository serves one folder. It keeps nothing of it, so that a folder that is
// replaced is served anew at once.
type Repository struct {
	dir   string
	base  BaseURL
	turns *turns.Turns[struct{}]
}

// New returns a repository of that folder, which need not be there yet.
func New(o Options) *Repository {
	return &Repository{dir: o.Dir, base: o.BaseURL, turns: turns.New[struct{}](cmp.Or(o.AtOnce, usualAtOnce), downloadWait)}
}

// take waits for a place among the downloads, and returns what frees it.
func (r *Repository) take(ctx context.Context) (end func(), ok bool) {
	return r.turns.Take(ctx, struct{}{})
}
