package main

import (
	"context"
	"fmt"
	"time"

	"activity-tracker.example/hostd/control"
	"activity-tracker.example/hostd/doctor"
	"activity-tracker.example/hostd/text"
)

const (
	// tellEvery is how often the status line is made anew; systemd hears of it
	// only when it changed.
	tellEvery = 2 * time.Second
	// timeLayout is how people are shown a time.
	timeLayout = "2006-01-02 15:04:05 UTC"
	// maxErrorBytes keeps the status line one that fits a terminal.
	maxErrorBytes = 160
)

// tell reports that the daemon is ready, and keeps its status line up to date.
func (d *daemon) tell(ctx context.Context) error {
	d.waitForSessions(ctx)
	if ctx.Err() != nil {
		return nil
	}
	if err := d.notify.Ready(); err != nil {
		return fmt.Errorf("tell systemd that trackerd is ready: %w", err)
	}
	d.log.Info("running", "version", version, "host_id", d.hostID.String())
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	last := ""
	for {
		if line := d.statusLine(); line != last {
			if err := d.notify.Status(line); err != nil {
				d.log.Debug("status line not taken", "error", err)
			} else {
				last = line
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// facts are what the status line is made of.
type facts struct {
	sessions int
	waiting  int64
	later    int64 // events that the server may take later
	server   control.Destination
	upload   control.Upload
	leftOut  int    // users whose sessions are not measured by mistake
	problem  string // what hinders the daemon itself; empty if nothing does
	user     bool   // one person runs this for themselves
}

func (d *daemon) statusLine() string {
	d.mu.Lock()
	f := facts{sessions: d.tracked, leftOut: len(d.problems), user: d.opts.user}
	d.mu.Unlock()
	stored := d.buffer.Status()
	f.waiting, f.later, f.server, f.upload = int64(stored.Waiting), int64(stored.LaterEvents), d.destination(), d.uploads()
	if err := d.watcher.Healthy(); err != nil {
		f.problem = err.Error()
	}
	if err := d.collector.Status().Err; err != nil {
		f.problem = err.Error()
	}
	return f.line()
}

// line is what `systemctl status trackerd` shows.
func (f facts) line() string {
	tracking := text.Count(int64(f.sessions), "session")
	waiting := text.Count(f.waiting, "event") + " waiting"
	var line string
	switch {
	case f.server.Problem != "":
		line = fmt.Sprintf("Not enrolled: %s; tracking %s; %s", text.Line(f.server.Problem, maxErrorBytes), tracking, waiting)
	case !f.server.Enrolled:
		url := f.server.URL
		if url == "" {
			url = "URL"
		}
		line = fmt.Sprintf("Not enrolled: run %s; tracking %s; %s", doctor.EnrolCommand(f.user, url), tracking, waiting)
	default:
		last := "no upload yet"
		if f.upload.LastSuccess != nil {
			last = "last upload " + f.upload.LastSuccess.UTC().Format(timeLayout)
		}
		line = fmt.Sprintf("Tracking %s; %s; %s", tracking, waiting, last)
		if f.upload.LastError != "" {
			line += "; upload failing: " + text.Line(f.upload.LastError, maxErrorBytes)
		}
	}
	if f.later > 0 {
		line += fmt.Sprintf("; %s refused for now: see 'trackctl rejected list'", text.Count(f.later, "event"))
	}
	if f.leftOut > 0 {
		line += fmt.Sprintf("; %s not measured: see 'trackctl doctor'", text.Count(int64(f.leftOut), "user"))
	}
	if f.problem != "" {
		line += "; " + text.Line(f.problem, maxErrorBytes)
	}
	return line
}
