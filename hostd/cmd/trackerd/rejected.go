package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"activity-tracker.example/hostd/buffer"
	"activity-tracker.example/hostd/control"
	"activity-tracker.example/hostd/doctor"
)

// maxEventsBytes bounds the records inside one reply: trackctl takes 4 MiB.
const maxEventsBytes = 2 << 20

// Rejected implements control.Rejections.
func (d *daemon) Rejected(ctx context.Context, limit int, user *uint32) (control.RejectedList, error) {
	name, part := "", ""
	if user != nil {
		var err error
		if name, err = userName(ctx, *user); err != nil {
			return control.RejectedList{}, err
		}
		part = usernamePart(name)
	}
	list := control.RejectedList{Rejected: []control.Rejected{}, Later: d.postponed()}
	if user != nil {
		own := d.naming().MachineID(name)
		list.Later = slices.DeleteFunc(list.Later, func(p control.Postponed) bool { return p.MachineID != own })
	}
	size := 0
	err := d.buffer.DeadLetters(part, func(dead *buffer.Dead) bool {
		one := describe(dead)
		if user != nil && one.User != name {
			return true
		}
		if size += len(one.Event); size > maxEventsBytes {
			one.Event = nil
		}
		list.Rejected = append(list.Rejected, one)
		return len(list.Rejected) < limit && ctx.Err() == nil
	})
	if err != nil {
		return control.RejectedList{}, fmt.Errorf("read what was rejected: %w", err)
	}
	return list, nil
}

// Retry implements control.Rejections.
func (d *daemon) Retry(_ context.Context, s control.Selection) (control.Handled, error) {
	n, err := d.buffer.Revive(pickDead(s))
	if err != nil {
		return control.Handled{}, fmt.Errorf("send again what was rejected: %w", err)
	}
	postponed := int64(0)
	for g, t := range d.buffer.Later() {
		if pickGroup(s)(g) {
			postponed += int64(t.Events)
		}
	}
	d.uploader.TryLater(pickGroup(s))
	return control.Handled{Rejected: int64(n), Postponed: postponed}, nil
}

// Drop implements control.Rejections.
func (d *daemon) Drop(_ context.Context, s control.Selection) (control.Handled, error) {
	n, err := d.buffer.DropDead(pickDead(s))
	if err != nil {
		return control.Handled{}, fmt.Errorf("drop what was rejected: %w", err)
	}
	postponed, err := d.buffer.DropLater(pickGroup(s))
	if err != nil {
		return control.Handled{}, fmt.Errorf("drop what waits for later: %w", err)
	}
	d.log.Info("rejected records were dropped by a person", "rejected", n, "postponed", postponed)
	return control.Handled{Rejected: int64(n), Postponed: int64(postponed)}, nil
}

// postponed lists what the server may take later.
func (d *daemon) postponed() []control.Postponed {
	groups := d.uploader.Status().Later
	list := make([]control.Postponed, 0, len(groups))
	for _, g := range groups {
		what, todo := doctor.LaterProblem(g, d.hostID.String())
		list = append(list, control.Postponed{
			Code: g.Code, MachineID: g.MachineID, Events: int64(g.Events), NextTry: g.NextTry.UTC().Truncate(time.Second),
			Problem: what + "; " + todo,
		})
	}
	return list
}

func pickDead(s control.Selection) func(*buffer.Dead) bool {
	return func(l *buffer.Dead) bool {
		return s.All || s.Code != "" && l.Code == s.Code || slices.Contains(s.IDs, l.ID)
	}
}

func pickGroup(s control.Selection) func(buffer.Group) bool {
	return func(g buffer.Group) bool { return s.All || s.Code != "" && g.Code == s.Code }
}

// describe reads from a rejected record whose and of when it is, as far as it is one.
func describe(l *buffer.Dead) control.Rejected {
	var e struct {
		MachineID string    `json:"machine_id"`
		Username  string    `json:"username"`
		Timestamp time.Time `json:"timestamp"`
	}
	if json.Unmarshal(l.Event, &e) != nil {
		e.MachineID, e.Username, e.Timestamp = "", "", time.Time{}
	}
	return control.Rejected{
		ID: l.ID, At: l.At.Truncate(time.Second), Code: l.Code, Message: l.Message,
		MachineID: e.MachineID, User: e.Username, Timestamp: control.Moment(e.Timestamp), Event: l.Event,
	}
}

// usernamePart returns what stands in every record of a user as it is stored; empty for
// a name that encoders write in several ways.
func usernamePart(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"\\<>&", r) }) {
		return ""
	}
	return `"username":"` + name + `"`
}

// userName returns the name of the user with this number.
func userName(ctx context.Context, uid uint32) (string, error) {
	fields, err := getentUser(ctx, strconv.FormatUint(uint64(uid), 10))
	if err != nil {
		return "", fmt.Errorf("find out who asks: %w", err)
	}
	return fields[0], nil
}
