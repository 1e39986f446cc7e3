package main

import (
	"os"
	"path/filepath"
	"time"

	"activity-tracker.example/hostd/control"
	"activity-tracker.example/hostd/disclosure"
	"activity-tracker.example/hostd/helper"
	"activity-tracker.example/hostd/outbound"
	"activity-tracker.example/hostd/roster"
	"activity-tracker.example/hostd/shots"
	"activity-tracker.example/sessiond/wire"
)

const (
	// shotsFolder is beside the buffer and keeps pictures that wait for the server.
	shotsFolder = "screenshots"
	// shotProgram lies beside sessiond and takes a picture.
	shotProgram = "shot"
)

// openShots makes what takes and sends pictures, if any are to be taken or were left from
// when some were.
func (d *daemon) openShots() (err error) {
	dir := filepath.Join(filepath.Dir(d.cfg.BufferPath), shotsFolder)
	if _, err := os.Stat(dir); err != nil && !d.cfg.Features.Screenshots.Allow {
		return nil
	}
	d.shots, err = shots.New(shots.Options{
		Dir: dir, Binary: filepath.Join(filepath.Dir(d.opts.helperPath), shotProgram), Program: d.units,
		Rules: d.pictureRules, Titles: d.policy.Titles, Sessions: d.measuredNow, WhyNot: d.whyNoPicture,
		Target: d.enrollment.Target, Client: outbound.NewClient(d.outbound(), shots.SendTimeout), Log: d.log,
	})
	return err
}

// pictureRules are which pictures may be taken now.
func (d *daemon) pictureRules() shots.Rules {
	s := d.policy.Effective().Screenshots
	return shots.Rules{On: s.Allow, Kind: s.Kind, Interval: time.Duration(s.IntervalSec) * time.Second}
}

// measuredNow are the sessions that have a helper.
func (d *daemon) measuredNow() []roster.Tracked {
	states := d.supervisor.States()
	list := make([]roster.Tracked, 0, len(states))
	for i := range states {
		if states[i].Phase != helper.PhaseLeaving && states[i].Session.Source != roster.SourceSeat {
			list = append(list, states[i].Session)
		}
	}
	return list
}

// whyNoPicture returns why no picture of a session may be taken now; empty: one may. What
// is not known is no yes.
func (d *daemon) whyNoPicture(t roster.Tracked) string {
	for _, s := range d.supervisor.States() {
		if s.Session.Name() == t.Name() {
			return d.whyNot(&s)
		}
	}
	return "nothing of it is measured"
}

func (d *daemon) whyNot(s *helper.State) string {
	t := &s.Session
	if t.Source != roster.SourceX11 {
		return "it is on Wayland, where no program may take pictures by itself"
	}
	idle := time.Since(s.LastReport) + time.Duration(s.IdleMS)*time.Millisecond
	connected, err := d.connected(*t)
	switch {
	case !d.policy.Collects(t.MachineID) || s.Phase != helper.PhaseRunning:
		return "nothing of it is measured now"
	case !d.policy.Effective().Titles:
		return "titles of windows are not recorded here"
	case t.Locked || t.ScreenLocked != nil && *t.ScreenLocked || s.Locked:
		return "its screen is locked"
	case err != nil || connected == nil:
		return "it cannot be known whether anybody is connected"
	case !*connected:
		return "nobody is connected"
	case s.LastReport.IsZero() || s.IdleMS == wire.IdleUnknown || idle >= d.cfg.IdleAfter:
		return "nobody is active"
	}
	if _, read := d.receipts.ReadAt(t.MachineID, d.currentNotice().Version); !read {
		return "the notice is not confirmed ('trackctl notice')"
	}
	return ""
}

// recorded is what people are told of, as the rules are now.
func (d *daemon) recorded() (english, russian control.Measured) {
	rules := d.policy.Effective()
	told := d.cfg
	told.Features.WindowTitles, told.Features.Screenshots = rules.Titles, rules.Screenshots // the server's policy may forbid them
	told.Features.Screenshots.Allow = rules.Screenshots.Allow && rules.Titles
	return disclosure.Of(&told, d.opts.user), disclosure.InRussian(&told, d.opts.user)
}

// pictures are how it goes with those of the host; nil where none are taken.
func (d *daemon) pictures() *control.Screenshots {
	if d.shots == nil {
		return nil
	}
	s := d.shots.Status()
	return &control.Screenshots{
		Waiting: s.Waiting, Taken: s.Taken, Sent: s.Sent, Dropped: s.Dropped, Refused: s.Refused, Forgotten: s.Forgotten,
		LastSent: control.Moment(s.LastSent), LastError: s.LastError,
	}
}

// withPictures adds to each session how it goes with its pictures, where some are taken.
func (d *daemon) withPictures(list []control.Session) []control.Session {
	if d.shots == nil || !d.pictureRules().On {
		return list
	}
	of := d.shots.Status().Of
	for _, s := range d.supervisor.States() {
		one := control.Pictures{WhyNot: d.whyNot(&s), LastTaken: control.Moment(of[s.Session.Name()].LastTaken), LastFailed: of[s.Session.Name()].LastFailed}
		for i := range list {
			if list[i].ID == s.Session.Key.ID && list[i].MachineID == s.Session.MachineID && s.Session.Source != roster.SourceSeat {
				list[i].Screenshots = &one
			}
		}
	}
	return list
}
