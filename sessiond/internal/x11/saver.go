package x11

import (
	"github.com/jezek/xgb/xproto"
)

// Requests and numbers of MIT-SCREEN-SAVER.
const (
	saverQueryVersion = 0
	saverQueryInfo    = 1
	saverSelectInput  = 2
	saverNotifyMask   = 1
	saverOn           = 1
	saverExternal     = 2
)

// saver follows the X server's screen saver. It shows a lock only where a client
// took its place (an external window, as xss-lock makes): that client has the screen
// locked while it shows. Once it no longer shows nothing is known: the server takes it
// away at the first input, and the locker's own window may still wait for a password.
// One that blanks the screen locks nothing, and most lockers report nothing to the X
// server, such as i3lock.
type saver struct {
	opcode byte
	event  byte // the first of its events; 0 without the extension
	locked bool
}

// findSaver asks for the screen saver's events, and how it stands.
func (d *Display) findSaver() error {
	const name = "MIT-SCREEN-SAVER"
	asked := xproto.QueryExtension(d.c.x, uint16(len(name)), name)
	d.c.owe(asked.Cookie, nil)
	reply, err := answer(d.c, asked.Cookie, asked.Reply)
	if reply == nil || !reply.Present {
		return err
	}
	d.saver.opcode, d.saver.event = reply.MajorOpcode, reply.FirstEvent
	const major, minor = 1, 1
	if _, err := d.c.reply(d.c.ask(request(d.saver.opcode, saverQueryVersion, nil, uint32(major)|uint32(minor)<<8))); err != nil {
		return err
	}
	d.c.saverEvent = d.saver.event
	d.c.send(request(d.saver.opcode, saverSelectInput, nil, uint32(d.root), saverNotifyMask))
	info, err := d.c.reply(d.c.ask(request(d.saver.opcode, saverQueryInfo, nil, uint32(d.root))))
	if info == nil {
		return err
	}
	const stateAt, kindAt = 1, 24
	d.saver.set(info[stateAt], info[kindAt])
	return nil
}

// notify takes an event of the screen saver, and reports whether it changed
// anything.
func (s *saver) notify(b []byte) bool {
	const stateAt, kindAt = 1, 16
	before := s.locked
	s.set(b[stateAt], b[kindAt])
	return s.locked != before
}

// set notes how the screen saver stands.
func (s *saver) set(state, kind byte) {
	s.locked = state == saverOn && kind == saverExternal
}
