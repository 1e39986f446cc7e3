package main

import (
	"activity-tracker.example/hostd/doctor"
	"activity-tracker.example/hostd/roster"
	"activity-tracker.example/hostd/xrdp"
	"activity-tracker.example/server/api"
)

// connectedBy returns how to ask whether somebody can be at a session: logind
// knows of local ones, xrdp's sockets of the others.
func connectedBy(peers *xrdp.Peers) func(roster.Tracked) (*bool, error) {
	return func(t roster.Tracked) (*bool, error) {
		switch {
		case t.Connected != nil:
			return t.Connected, nil
		case t.Kind == api.SessionVirtual:
			return nil, doctor.ErrVirtual
		}
		connected, err := peers.Connected(t.Display, t.UID)
		if err != nil {
			return nil, err
		}
		return &connected, nil
	}
}
