package main

import (
	"context"
	"fmt"
	"time"

	"activity-tracker.example/hostd/buffer"
	"activity-tracker.example/hostd/control"
	"activity-tracker.example/hostd/doctor"
	"activity-tracker.example/hostd/enrollment"
)

// Status implements control.Provider.
func (d *daemon) Status(context.Context) control.Status {
	stored := d.buffer.Status()
	measured, _ := d.recorded()
	return control.Status{
		Version:            version,
		StartedAt:          d.started.UTC().Truncate(time.Second),
		Hostname:           d.hostname,
		User:               d.opts.user,
		Server:             d.destination(),
		Upload:             d.uploads(),
		CollectIntervalSec: int(d.cfg.CollectInterval / time.Second),
		SendIntervalSec:    int(d.cfg.SendInterval / time.Second),
		IdleAfterSec:       int(d.cfg.IdleAfter / time.Second),
		Measured:           measured,
		Rules:              d.rules(),
		Sessions:           d.sessions(),
		Paused:             d.paused(),
		Host: &control.Host{
			HostID:        d.hostID.String(),
			EventsWaiting: int64(stored.Waiting),
			DeadLetters:   deadLetters(stored),
			Later:         d.postponed(),
			Forgotten:     int64(stored.Forgotten),
			Screenshots:   d.pictures(),
			Problems:      d.currentProblems(stored),
		},
	}
}

// rules are what holds here now.
func (d *daemon) rules() []control.Rule {
	described := d.policy.Describe()
	list := make([]control.Rule, 0, len(described))
	for _, r := range described {
		list = append(list, control.Rule{Name: r.Name, Holds: r.Holds, From: append([]string{}, r.From...)})
	}
	return list
}

// Enroll implements control.Provider.
func (d *daemon) Enroll(ctx context.Context, r control.EnrollRequest) (control.EnrollReply, error) {
	err := d.enrollment.Enroll(ctx, enrollment.Request{
		URL: r.URL, Token: r.Token, AllowHTTP: r.AllowHTTP, HostID: d.hostID.String(), Hostname: d.hostname, User: d.opts.user,
	})
	if err != nil {
		d.log.Warn("enrolling failed", "error", err)
		return control.EnrollReply{}, err
	}
	reply := control.EnrollReply{ServerURL: d.enrollment.State().ServerURL, HostID: d.hostID.String()}
	d.log.Info("enrolled", "server", reply.ServerURL, "host_id", reply.HostID)
	d.policy.Wake()
	d.receipts.Wake()
	if d.shots != nil {
		d.shots.Wake()
	}
	d.uploader.Wake()
	return reply, nil
}

func (d *daemon) destination() control.Destination {
	s := d.enrollment.State()
	return control.Destination{URL: s.ServerURL, Enrolled: s.Enrolled, Problem: s.Problem}
}

func (d *daemon) uploads() control.Upload {
	s := d.uploader.Status()
	return control.Upload{LastSuccess: control.Moment(s.LastSuccess), LastError: s.LastError}
}

// currentProblems are what a person has to do something about.
func (d *daemon) currentProblems(stored buffer.Status) []string {
	problems := []string{}
	if err := d.watcher.Healthy(); err != nil && time.Since(d.started) > readyTimeout {
		problems = append(problems, err.Error())
	}
	d.mu.Lock()
	for _, p := range d.problems {
		problems = append(problems, p.Text)
	}
	d.mu.Unlock()
	if p := d.policy.Problem(); p != "" {
		problems = append(problems, p)
	}
	collecting := d.collector.Status()
	if collecting.Err != nil {
		problems = append(problems, collecting.Err.Error())
	}
	if collecting.ClockBehind > 0 {
		problems = append(problems, fmt.Sprintf("the clock was set back by %s into time that was already reported; records wait until it has passed",
			collecting.ClockBehind.Round(time.Second)))
	}
	problems = append(problems, doctor.BufferProblems(stored)...)
	for _, p := range d.postponed() {
		problems = append(problems, p.Problem)
	}
	return problems
}

func deadLetters(s buffer.Status) map[string]int64 {
	byCode := make(map[string]int64, len(s.Dead))
	for code, n := range s.Dead {
		byCode[code] = int64(n)
	}
	return byCode
}
