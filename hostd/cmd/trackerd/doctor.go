package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"activity-tracker.example/hostd/control"
	"activity-tracker.example/hostd/doctor"
	"activity-tracker.example/hostd/outbound"
	"activity-tracker.example/server/api"
)

const (
	// probeTimeout bounds each question to the server.
	probeTimeout = 10 * time.Second
	// maxProbeBytes bounds what is read of an answer of which only the status
	// matters.
	maxProbeBytes = 64 << 10
)

// Doctor implements control.Provider.
func (d *daemon) Doctor(ctx context.Context) api.CheckReport {
	f := d.facts()
	if server := f.Enrolled.ServerURL; server != "" {
		f.Server = d.probe(ctx, http.MethodGet, server+"/readyz", "", "")
	}
	if target, enrolled := d.enrollment.Target(); enrolled && f.Server.Status == http.StatusOK {
		f.Credential = d.probe(ctx, http.MethodPost, target.URL+"/api/events", target.Credential, `{"events":[]}`)
	}
	return api.NewCheckReport(doctor.Examine(f))
}

// facts are what is known here, without asking the server.
func (d *daemon) facts() *doctor.Facts {
	f := &doctor.Facts{
		Config: &d.cfg, User: d.opts.user, HostID: d.hostID.String(), Enrolled: d.enrollment.State(),
		Bus: d.watcher.Healthy(), Helpers: d.helpers(), Sessions: d.sessions(),
		Buffer: d.buffer.Status(), Collecting: d.collector.Status(), Uploading: d.uploader.Status(), Disk: d.disk(),
		Policy: doctor.Policy{State: d.policy.State(), Problem: d.policy.Problem(), Rules: d.policy.Describe()},
	}
	d.mu.Lock()
	f.Tracked, f.Problems, f.Refused = d.tracked, d.problems, d.refused
	d.mu.Unlock()
	return f
}

// unseen returns what cannot be seen here, for the server; nil until the first list of
// sessions was there, or should have been.
func (d *daemon) unseen() []api.Unseen {
	select {
	case <-d.enumerated:
		return doctor.Unseen(d.facts())
	default:
		return nil
	}
}

// helpers lists the helpers, each with whether somebody can be at its session.
func (d *daemon) helpers() []doctor.Helper {
	states := d.supervisor.States()
	list := make([]doctor.Helper, len(states))
	for i := range states {
		list[i].State = states[i]
		list[i].Connected, list[i].Unknown = d.connected(states[i].Session)
	}
	return list
}

// sessions lists the sessions that are measured now.
func (d *daemon) sessions() []control.Session {
	return d.withPictures(doctor.Sessions(d.helpers(), time.Now(), d.cfg.CollectInterval))
}

// disk reads how much room the buffer has.
func (d *daemon) disk() doctor.Disk {
	disk := doctor.Disk{Folder: filepath.Dir(d.cfg.BufferPath)}
	var fs unix.Statfs_t
	if disk.Err = unix.Statfs(disk.Folder, &fs); disk.Err == nil {
		disk.Free = fs.Bavail * uint64(fs.Bsize)
	}
	return disk
}

// probe asks a server once; the reply's body is read and thrown away.
func (d *daemon) probe(ctx context.Context, method, url, credential, body string) doctor.Answer {
	said := doctor.Answer{Asked: time.Now()}
	said.Status, said.Date, said.Err = d.ask(ctx, method, url, credential, body)
	said.Answered = time.Now()
	return said
}

func (d *daemon) ask(ctx context.Context, method, url, credential, body string) (status int, date string, err error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return 0, "", fmt.Errorf("make the request: %w", err)
	}
	if credential != "" {
		req.Header.Set("Authorization", "Bearer "+credential)
		req.Header.Set("Content-Type", "application/json")
	}
	client := outbound.NewClient(d.outbound(), probeTimeout)
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", fmt.Errorf("ask the server: %w", err)
	}
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, maxProbeBytes))
	if closeErr := resp.Body.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return 0, "", fmt.Errorf("read the server's answer: %w", err)
	}
	return resp.StatusCode, resp.Header.Get("Date"), nil
}
