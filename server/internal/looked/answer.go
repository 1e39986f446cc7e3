// Package looked writes down who looks at whose data before an answer goes out, and
// answers whoever oversees that: who looked, and who changed what.
package looked

import (
	"context"
	"iter"
	"time"

	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/directory"
)

// At is what an answer shows, and of which time.
type At struct {
	// What is its kind; empty: nobody's data.
	What string
	// From and To are zero where it is of no time in particular.
	From, To time.Time
}

// Answer is one that is made for a caller.
type Answer struct {
	log  *access.Log
	look access.Look
	seen *access.Seen
}

// Begin returns a context for making an answer, in which it is noted whose data is read.
// Nothing of it may go out before Keep.
func Begin(ctx context.Context, log *access.Log, at At) (context.Context, *Answer) {
	return begin(ctx, log, readerOf(auth.Caller(ctx)), at)
}

// BeginCommand is Begin for a command on the server.
func BeginCommand(ctx context.Context, log *access.Log, at At) (context.Context, *Answer) {
	by := audit.ActorOf(ctx)
	return begin(ctx, log, access.Reader{Kind: access.Command, ID: by.ID, Name: by.Name}, at)
}

func begin(ctx context.Context, log *access.Log, reader access.Reader, at At) (context.Context, *Answer) {
	a := &Answer{log: log, look: access.Look{Reader: reader, What: at.What, From: at.From, To: at.To}}
	ctx, a.seen = access.Collect(ctx)
	return ctx, a
}

// Several makes it a part of an answer about several machines, whoever comes next.
func (a *Answer) Several() { a.look.Many = true }

// readerOf returns who looks.
func readerOf(p auth.Principal) access.Reader {
	r := access.Reader{Kind: access.Token, ID: p.ID, Name: p.Name}
	switch {
	case p.Role == directory.RoleSelf:
		// All are one: whose account it was stands with what they looked at.
		return access.Reader{Kind: access.Self}
	case p.LoginSession != "":
		r.Kind = access.User
	}
	return r
}

// Keep returns when it is durable who looks at what was read so far; or 503.
func (a *Answer) Keep(ctx context.Context) error {
	a.look.Machines = a.seen.Take()
	if a.look.What == "" || len(a.look.Machines) == 0 {
		return nil
	}
	a.look.Many = a.look.Many || a.look.Machines.Len() > 1
	if err := a.log.Write(ctx, a.look); err != nil {
		return problem.Unavailable(err)
	}
	return nil
}

// Rows returns rows that are read as they are sent; each comes when it is durable who
// looks at what was read for it.
func Rows[T any](ctx context.Context, a *Answer, rows iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		for row, err := range rows {
			if err == nil {
				err = a.Keep(ctx)
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
		// That there are none is about somebody, too.
		if err := a.Keep(ctx); err != nil {
			yield(none, err)
		}
	}
}
