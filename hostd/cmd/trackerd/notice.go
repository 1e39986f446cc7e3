package main

import (
	"context"
	"errors"
	"path/filepath"

	"activity-tracker.example/hostd/asking"
	"activity-tracker.example/hostd/control"
	"activity-tracker.example/hostd/notice"
	"activity-tracker.example/hostd/receipts"
)

// motdFile is what /etc/motd.d/trackerd leads to, beside the control socket.
const motdFile = "motd"

// currentNotice is what people are told as the rules are now.
func (d *daemon) currentNotice() notice.Notice {
	english, russian := d.recorded()
	return notice.Of(notice.Source{English: english, Russian: russian, Rules: d.policy.Effective()})
}

// Notice implements control.Notices.
func (d *daemon) Notice(ctx context.Context, uid uint32) (control.Notice, error) {
	n := d.currentNotice()
	reply := control.Notice{Version: n.Version, Text: n.Text}
	who, _, err := d.account(ctx, uid)
	if err != nil {
		return reply, err
	}
	if at, read := d.receipts.ReadAt(who.MachineID, n.Version); read {
		reply.ReadAt = &at
	}
	return reply, nil
}

// Confirm implements control.Notices.
func (d *daemon) Confirm(ctx context.Context, uid uint32, version string) (control.Notice, error) {
	n := d.currentNotice()
	reply := control.Notice{Version: n.Version, Text: n.Text}
	who, name, err := d.account(ctx, uid)
	switch {
	case err != nil:
		return reply, err
	case version != n.Version:
		return reply, &control.RefusalError{Code: control.CodeBadRequest, Message: "the notice is another one now; read it again with 'trackctl notice'"}
	case !d.teller.Knows(who.MachineID, name):
		return reply, &control.RefusalError{Code: control.CodeBadRequest, Message: "nothing of you is measured here, so there is nothing to confirm"}
	}
	at, err := d.receipts.Add(who.MachineID, version)
	if errors.Is(err, receipts.ErrTooMany) {
		return reply, &control.RefusalError{Code: control.CodeBadRequest, Message: err.Error()}
	}
	if err != nil {
		return reply, err
	}
	reply.ReadAt = control.Moment(at)
	return reply, nil
}

// newAsker makes what asks people; whoever measures themselves needs none.
func (d *daemon) newAsker() (*asking.Asker, error) {
	if d.opts.user {
		return nil, nil
	}
	return asking.New(asking.Options{
		Buffer: d.buffer, Notice: d.currentNotice, Sessions: d.supervisor.States, Connected: d.connected, Log: d.log, File: filepath.Join(filepath.Dir(d.opts.socketPath), motdFile),
		Read: func(machineID, version string) bool {
			_, read := d.receipts.ReadAt(machineID, version)
			return read
		},
		Confirm: func(machineID, version string) error {
			_, err := d.receipts.Add(machineID, version)
			return err
		},
	})
}
