// Package about is the page of what this server is, and what it keeps for how long and where.
package about

import (
	"context"
	_ "embed" // for the page's template
	"runtime/debug"
	"time"

	"activity-tracker.example/server/internal/ui/frame"
)

//go:embed about.html
var html string

// Facts are what the page is about.
type Facts struct {
	// Version names the program that runs; empty: nobody named it.
	Version string
	// Schema reads how many migrations the database has.
	Schema func(ctx context.Context) (int, error)
	// Kept is for how long each kind is kept now, by settings and policy.
	Kept func() []Kept
	// Private means that the server runs a PostgreSQL of its own.
	Private bool
}

// Kept is for how long something is kept.
type Kept struct {
	// What is events, titles, sums, pictures, looks or backups.
	What string
	// For is for how long; 0: for ever, of backups: nobody said.
	For time.Duration
}

// view is what about.html shows.
type view struct {
	Version string
	Schema  int
	Kept    []kept
	Private bool
	Parts   []part
}

type kept struct {
	What string
	Days int
}

// part is a module that is built in.
type part struct{ Path, Version string }

// Page returns the page.
func Page(f Facts) frame.Page {
	return frame.Page{Name: "about", HTML: html, Hidden: true, Make: func(v *frame.Visit) (any, error) { return show(v, f) }}
}

func show(v *frame.Visit, f Facts) (any, error) {
	schema, err := f.Schema(v.Context())
	if err != nil {
		return nil, err
	}
	s := &view{Version: f.Version, Schema: schema, Private: f.Private, Parts: parts()}
	const day = 24 * time.Hour
	for _, k := range f.Kept() {
		s.Kept = append(s.Kept, kept{k.What, int(k.For / day)})
	}
	return s, nil
}

// parts lists what is built into the program, as its own record has it.
func parts() []part {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	list := []part{{"Go", info.GoVersion}}
	for _, m := range info.Deps {
		if m.Version != "" && m.Version != "(devel)" { // else it is of this project
			list = append(list, part{m.Path, m.Version})
		}
	}
	return list
}
