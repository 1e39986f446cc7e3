package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"activity-tracker.example/hostd/display"
	"activity-tracker.example/hostd/logind"
	"activity-tracker.example/hostd/roster"
)

const (
	// getentTimeout bounds asking who a user is: a directory in the network that
	// is away makes it wait.
	getentTimeout = 5 * time.Second
	// accountFresh is for how long the answer is used again, and accountRetry
	// for how long that there was none.
	accountFresh = 10 * time.Minute
	accountRetry = 30 * time.Second
)

// wanted is which sessions the configuration asks for.
func (d *daemon) wanted() roster.Wanted {
	s := d.cfg.Sessions
	a := &account{name: d.cfg.VirtualUser}
	return roster.Wanted{
		RDP: s.RDP, Local: s.Local, Virtual: s.Virtual,
		VirtualUser: a.name, VirtualUID: func() (uint32, error) { return a.uid(time.Now()) },
	}
}

// listDisplays lists the X displays where they decide something: virtual ones,
// those of local sessions of which logind knows none, and which of several users'
// one is.
func (d *daemon) listDisplays(sessions []logind.Session) []display.Display {
	ask := d.cfg.Sessions.Virtual || roster.Disputed(sessions)
	for i := range sessions {
		s := &sessions[i]
		ask = ask || d.cfg.Sessions.Local && s.Seat != "" && s.Class != "greeter" && s.Type != "wayland" && s.Display == ""
	}
	d.asksDisplays.Store(ask)
	if !ask {
		return nil
	}
	list, err := d.displays.List()
	if err != nil {
		d.log.Warn("the X displays are not known", "error", err)
	}
	return list
}

// watchDisplays has the list of sessions read again when an X display came or
// went: nobody else reports those without a session of their own.
func (d *daemon) watchDisplays(ctx context.Context) error {
	err := d.displays.Watch(ctx, func() {
		if d.asksDisplays.Load() {
			d.watcher.Refresh()
		}
	})
	if err != nil {
		d.log.Warn("new X displays are noticed once a minute only", "error", err)
	}
	return nil
}

// account finds a user's number, also one that only a directory knows. It is for
// one goroutine at a time.
type account struct {
	name  string
	until time.Time
	id    uint32
	err   error
}

func (a *account) uid(now time.Time) (uint32, error) {
	if now.Before(a.until) {
		return a.id, a.err
	}
	a.id, a.err = userNumber(a.name)
	a.until = now.Add(accountFresh)
	if a.err != nil {
		a.until = now.Add(accountRetry)
	}
	return a.id, a.err
}

// userNumber returns the number of the user with exactly this name.
func userNumber(name string) (uint32, error) {
	fields, err := getentUser(context.Background(), name)
	if err != nil {
		return 0, err
	}
	if fields[0] != name {
		return 0, errors.New("there is no user of exactly this name")
	}
	const uidField = 2
	id, err := strconv.ParseUint(fields[uidField], 10, 32)
	if err != nil {
		return 0, fmt.Errorf("its number makes no sense: %w", err)
	}
	return uint32(id), nil
}

// getentUser returns the fields of a user's line in passwd(5), by name or number.
func getentUser(ctx context.Context, who string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, getentTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, "getent", "passwd", "--", who).Output()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("'getent passwd' did not answer within %s", getentTimeout)
	}
	if err != nil {
		return nil, errors.New("there is no such user")
	}
	const passwdFields = 7
	fields := strings.Split(strings.TrimSpace(string(out)), ":")
	if len(fields) != passwdFields {
		return nil, errors.New("'getent passwd' answers what makes no sense")
	}
	return fields, nil
}
