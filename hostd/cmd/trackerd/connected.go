package main

import (
	"errors"

	"activity-tracker.example/hostd/roster"
	"activity-tracker.example/hostd/xrdp"
	"activity-tracker.example/server/api"
)

// errVirtual is why it is unknown whether somebody is connected to a virtual
// display: each kind of viewer has a way of its own.
var errVirtual = errors.New("a virtual display does not show whether a viewer is connected")

// connectedBy returns how to ask whether somebody can be at a session: logind
// knows of local ones, xrdp's sockets of the others.
func connectedBy(peers *xrdp.Peers) func(roster.Tracked) (*bool, error) {
	return func(t roster.Tracked) (*bool, error) {
		switch {
		case t.Connected != nil:
			return t.Connected, nil
		case t.Kind == api.SessionVirtual:
			return nil, errVirtual
		}
		connected, err := peers.Connected(t.Display, t.UID)
		if err != nil {
			return nil, err
		}
		return &connected, nil
	}
}
