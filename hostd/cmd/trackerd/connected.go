package main

import (
	"activity-tracker.example/hostd/roster"
	"activity-tracker.example/hostd/xrdp"
)

// connectedBy returns how to ask whether somebody can be at a session: logind
// knows of local ones, xrdp's sockets of the others.
func connectedBy(peers *xrdp.Peers) func(roster.Tracked) (*bool, error) {
	return func(t roster.Tracked) (*bool, error) {
		if t.Connected != nil {
			return t.Connected, nil
		}
		connected, err := peers.Connected(t.Display, t.UID)
		if err != nil {
			return nil, err
		}
		return &connected, nil
	}
}
