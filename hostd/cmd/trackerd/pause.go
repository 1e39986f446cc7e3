package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"activity-tracker.example/hostd/control"
	"activity-tracker.example/hostd/helper"
	"activity-tracker.example/hostd/policy"
	"activity-tracker.example/hostd/roster"
)

const (
	// endingTime bounds how long the answer to a pause waits until the account's helpers
	// have ended, and endingLook is how often that is looked at.
	endingTime = 5 * time.Second
	endingLook = 20 * time.Millisecond
)

// Pause implements control.Pauses.
func (d *daemon) Pause(ctx context.Context, uid uint32, length time.Duration) (control.Pause, error) {
	var none control.Pause
	who, name, err := d.account(ctx, uid)
	if err != nil {
		return none, err
	}
	d.mu.Lock()
	measured := d.users[who.MachineID] == name
	d.mu.Unlock()
	if !measured || d.policy.Standing(name) == policy.Excluded {
		return none, &control.RefusalError{Code: control.CodeBadRequest, Message: "no session of yours is measured here, so there is nothing to pause"}
	}
	until, err := d.policy.Pause(who, length)
	if err != nil {
		return none, refusal(err)
	}
	d.teller.Know([]roster.Tracked{{MachineID: who.MachineID, Username: name}}) // the pause may outlast a time in which nothing is measured
	d.log.Info("an account was paused by its user")
	return control.Pause{MachineID: who.MachineID, UID: uid, Until: until}, d.ending(ctx, who.MachineID)
}

// Resume implements control.Pauses.
func (d *daemon) Resume(ctx context.Context, uid uint32) (control.Resumed, error) {
	who, _, err := d.account(ctx, uid)
	if err != nil {
		return control.Resumed{}, err
	}
	was, err := d.policy.Resume(who)
	if err != nil {
		return control.Resumed{}, refusal(err)
	}
	return control.Resumed{Paused: was}, nil
}

// account returns who a user is here.
func (d *daemon) account(ctx context.Context, uid uint32) (policy.Account, string, error) {
	name, err := userName(ctx, uid)
	return policy.Account{MachineID: d.naming().MachineID(name), UID: uid}, name, err
}

// ending waits until nothing of an account is read any more.
func (d *daemon) ending(ctx context.Context, machineID string) error {
	ctx, cancel := context.WithTimeout(ctx, endingTime)
	defer cancel()
	tick := time.NewTicker(endingLook)
	defer tick.Stop()
	for slices.ContainsFunc(d.supervisor.States(), func(s helper.State) bool { return s.Session.MachineID == machineID }) {
		select {
		case <-ctx.Done():
			return errors.New("it is paused, but a helper of yours takes long to end; 'trackctl sessions' shows it")
		case <-tick.C:
		}
	}
	return nil
}

// refusal makes of a policy's words what the asker is told.
func refusal(err error) error {
	var no *policy.NoPauseError
	if !errors.As(err, &no) {
		return fmt.Errorf("it could not be noted, and nothing changed: %w", err)
	}
	code := control.CodeBadRequest
	if no.Forbidden {
		code = control.CodeForbidden
	}
	return &control.RefusalError{Code: code, Message: no.Message}
}

// paused are the accounts that are paused.
func (d *daemon) paused() []control.Pause {
	var list []control.Pause
	for _, p := range d.policy.Paused() {
		list = append(list, control.Pause{MachineID: p.MachineID, UID: p.UID, Until: p.Until})
	}
	return list
}

// noteUsers notes who has a session that would be measured if the rules allow it.
func (d *daemon) noteUsers(list []roster.Tracked) {
	users := make(map[string]string, len(list))
	for i := range list {
		users[list[i].MachineID] = list[i].Username
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.users = users
}
