package logind

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/godbus/dbus/v5"
)

const (
	// maxID bounds a session id, in bytes. logind's own are a letter and a
	// number; a session key must fit a descriptor's name (255 bytes).
	maxID = 64
	// maxText bounds every other text of a session, in bytes: NSS user names
	// end at 255, and nothing else is longer.
	maxText = 256
)

// parseSession reads a session's properties and refuses what logind could not
// have meant: texts come from PAM modules and remote clients.
func parseSession(props map[string]dbus.Variant) (Session, error) {
	p := fields{props: props}
	s := Session{
		Key: SessionKey{
			ID:             p.text("Id"),
			Leader:         get[uint32](&p, "Leader"),
			SinceUnixMicro: get[uint64](&p, "Timestamp"),
		},
		User:       p.text("Name"),
		UID:        p.uid(),
		Type:       p.text("Type"),
		Class:      p.text("Class"),
		Service:    p.text("Service"),
		Desktop:    p.text("Desktop"),
		State:      p.text("State"),
		Scope:      p.text("Scope"),
		Display:    p.text("Display"),
		Seat:       p.seat(),
		VT:         get[uint32](&p, "VTNr"),
		Active:     get[bool](&p, "Active"),
		Locked:     get[bool](&p, "LockedHint"),
		TTY:        p.text("TTY"),
		RemoteHost: p.text("RemoteHost"),
	}
	if p.err != nil {
		return Session{}, p.err
	}
	if !validID(s.Key.ID) {
		return Session{}, errors.New("session with an impossible id")
	}
	if s.User == "" {
		return Session{}, fmt.Errorf("session %s has no user", s.Key.ID)
	}
	if !validDisplay(s.Display) {
		s.Display = ""
	}
	return s, nil
}

// validID reports whether logind itself would take the id: letters and digits.
func validID(id string) bool {
	if id == "" || len(id) > maxID {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// validDisplay reports whether the display is one of this machine's: ":10", with
// or without a screen.
func validDisplay(d string) bool {
	number, screen, hasScreen := strings.Cut(strings.TrimPrefix(d, ":"), ".")
	return strings.HasPrefix(d, ":") && digits(number) && (!hasScreen || digits(screen))
}

// digits reports whether s is a number of at most six digits: X allows 0 to 59535.
func digits(s string) bool {
	if s == "" || len(s) > 6 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// fields takes typed values out of properties until the first error.
type fields struct {
	props map[string]dbus.Variant
	err   error
}

func (p *fields) fail(name, what string) {
	if p.err == nil {
		p.err = fmt.Errorf("session property %s %s", name, what)
	}
}

func get[T any](p *fields, name string) T {
	v, ok := p.props[name].Value().(T)
	if !ok {
		p.fail(name, "is missing or of another type")
	}
	return v
}

func (p *fields) text(name string) string {
	s := get[string](p, name)
	if len(s) > maxText || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		p.fail(name, "is no printable text")
		return ""
	}
	return s
}

// pair reads the first of a property's two fields, as in User (uo).
func pair[T any](p *fields, name string) T {
	list := get[[]any](p, name)
	var zero T
	if len(list) != 2 {
		p.fail(name, "is no pair")
		return zero
	}
	v, ok := list[0].(T)
	if !ok {
		p.fail(name, "is of another type")
	}
	return v
}

func (p *fields) uid() uint32 { return pair[uint32](p, "User") }

func (p *fields) seat() string {
	s := pair[string](p, "Seat")
	if len(s) > maxText || strings.ContainsFunc(s, unicode.IsControl) {
		p.fail("Seat", "is no printable text")
		return ""
	}
	return s
}
