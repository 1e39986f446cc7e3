package main

import (
	"context"
	"errors"

	"activity-tracker.example/hostd/control"
	"activity-tracker.example/hostd/outbound"
	"activity-tracker.example/hostd/selflink"
)

// The uids of people: those below are the system's, and the last one nobody's.
const (
	firstPerson = 1000
	nobody      = 65534
)

// WebLink implements control.Links.
func (d *daemon) WebLink(ctx context.Context, uid uint32) (control.WebLink, error) {
	var none control.WebLink
	refuse := func(message string) (control.WebLink, error) {
		return none, &control.RefusalError{Code: control.CodeBadRequest, Message: message}
	}
	if uid < firstPerson || uid == nobody {
		return refuse("this is for people; you are a user of the system, of whom nothing is measured")
	}
	who, _, err := d.account(ctx, uid)
	if err != nil {
		return none, err
	}
	target, enrolled := d.enrollment.Target()
	if !enrolled {
		return refuse("this host reports to no server yet, so there is no page; root enrols it with 'trackctl enroll'")
	}
	client := outbound.NewClient(d.outbound(), selflink.Timeout)
	defer client.CloseIdleConnections()
	link, err := selflink.Ask(ctx, client, target, who.MachineID)
	var refused *selflink.RefusedError
	switch {
	case errors.As(err, &refused):
		return refuse(refused.Error())
	case errors.Is(err, selflink.ErrAway):
		d.log.Warn("no link to somebody's own page", "error", err)
		return refuse("the server does not answer; try again later, and 'sudo trackctl doctor' says what is wrong")
	case err != nil:
		return none, err
	}
	return control.WebLink{URL: link.URL, ExpiresAt: link.ExpiresAt}, nil
}
