// Package logind reports who is logged in: it reads systemd-logind over the
// system bus and hands on the whole list of sessions whenever it may have
// changed. It alone speaks to org.freedesktop.login1.
package logind

import (
	"fmt"
	"strconv"
	"strings"
)

// SessionKey identifies one login for good. A session id alone does not: logind
// hands ids out again after it restarts.
type SessionKey struct {
	// ID is logind's session id, such as "c1".
	ID string
	// Leader is the process id of the session's leader.
	Leader uint32
	// SinceUnixMicro is when the session began.
	SinceUnixMicro uint64
}

// String returns the key as "ID-LEADER-SINCE". It has no colon, so that it can
// name a descriptor in systemd's descriptor store.
func (k SessionKey) String() string {
	b := make([]byte, 0, 64)
	b = append(append(b, k.ID...), '-')
	b = append(strconv.AppendUint(b, uint64(k.Leader), 10), '-')
	return string(strconv.AppendUint(b, k.SinceUnixMicro, 10))
}

// ParseSessionKey reads what String wrote.
func ParseSessionKey(s string) (SessionKey, error) {
	fail := fmt.Errorf("session key %q: want ID-LEADER-SINCE", s)
	rest, since, ok := cutLast(s, "-")
	if !ok {
		return SessionKey{}, fail
	}
	id, leader, ok := cutLast(rest, "-")
	if !ok || id == "" {
		return SessionKey{}, fail
	}
	l, err := strconv.ParseUint(leader, 10, 32)
	if err != nil {
		return SessionKey{}, fail
	}
	t, err := strconv.ParseUint(since, 10, 64)
	if err != nil {
		return SessionKey{}, fail
	}
	return SessionKey{ID: id, Leader: uint32(l), SinceUnixMicro: t}, nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// Session is one of logind's sessions as it was last read. Properties of a
// session on a seat announce their changes; others never do, so there State is
// only as fresh as the list.
type Session struct {
	Key        SessionKey
	UID        uint32
	User       string
	Type       string // "x11", "wayland", "tty", "unspecified"
	Class      string // "user", "greeter", "manager", …
	Service    string // the PAM service, such as "xrdp-sesman"
	Desktop    string // what the desktop calls itself; often empty
	State      string // "opening", "online", "active", "closing"
	Scope      string // the unit of its processes, such as "session-c1.scope"
	Display    string // the X display, such as ":10"
	Seat       string // empty under xrdp
	VT         uint32 // the seat's virtual terminal; 0 where it has none
	Active     bool   // in front on its seat
	Locked     bool   // its screen locker reports so; false also where none does
	TTY        string
	RemoteHost string
}
