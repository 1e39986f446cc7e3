package config

import (
	"errors"
	"fmt"
	"strings"

	"activity-tracker.example/hostd/text"
)

// Names of keys that depend on each other.
const (
	keySessions    = "sessions"
	keyVirtualUser = "virtual_user"
)

const (
	// maxUserBytes bounds a user's name, as Linux does.
	maxUserBytes = 256
	// maxDevices bounds the list of input devices: more remapping programs than
	// one seat has.
	maxDevices = 16
	// maxDeviceBytes bounds an input device's name: the kernel cuts it there.
	maxDeviceBytes = 255
)

// Sessions are the kinds of session that are measured.
type Sessions struct {
	// RDP is xrdp's.
	RDP bool
	// Local is at a screen of this machine.
	Local bool
	// Virtual is an X display without a login of its own, such as TigerVNC's.
	Virtual bool
}

// String lists the kinds as the file does.
func (s Sessions) String() string {
	var kinds []string
	for _, k := range []struct {
		on   bool
		name string
	}{{s.RDP, "rdp"}, {s.Local, "local"}, {s.Virtual, "virtual"}} {
		if k.on {
			kinds = append(kinds, k.name)
		}
	}
	return strings.Join(kinds, ", ")
}

func setSessions(c *Config, v value) error {
	var s Sessions
	for _, item := range v.items {
		switch {
		case item.kind != kindString:
			return fmt.Errorf("%s in its list; want only rdp, local and virtual there", item.describe())
		case item.text == "rdp":
			s.RDP = true
		case item.text == "local":
			s.Local = true
		case item.text == "virtual":
			s.Virtual = true
		case item.text == "tty", item.text == "ssh":
			return fmt.Errorf("%s has nothing to measure: a text terminal has no windows, and no input that can be told from what programs print; take it out", quoted(item))
		default:
			return fmt.Errorf("%s is no kind of session; want a list such as [rdp, local], of rdp, local and virtual", quoted(item))
		}
	}
	if s == (Sessions{}) {
		return errors.New("is an empty list, and nobody would be measured; name a kind, or stop trackerd with 'systemctl disable --now trackerd'")
	}
	c.Sessions = s
	return nil
}

func setVirtualUser(c *Config, v value) error {
	if !text.Printable(v.text, maxUserBytes) || strings.ContainsAny(v.text, ":/,") {
		return errOutOfRange
	}
	c.VirtualUser = v.text
	return nil
}

func setRealInputDevices(c *Config, v value) error {
	if len(v.items) > maxDevices {
		return fmt.Errorf("names %d devices; at most %d are taken", len(v.items), maxDevices)
	}
	c.RealInputDevices = nil
	for _, item := range v.items {
		if item.kind != kindString {
			return fmt.Errorf("%s in its list; want the names of input devices, in quotes where YAML takes them for something else", item.describe())
		}
		if !text.Printable(item.text, maxDeviceBytes) {
			return fmt.Errorf("%s is no name of an input device; 'cat /proc/bus/input/devices' lists them", quoted(item))
		}
		c.RealInputDevices = append(c.RealInputDevices, item.text)
	}
	return nil
}

// checkVirtual holds that virtual displays and whose they are come together:
// without a name the display of any program's would be a person.
func (l *loader) checkVirtual() error {
	switch {
	case l.cfg.Sessions.Virtual && l.cfg.VirtualUser == "":
		return l.complain(keySessions, "has virtual without virtual_user; set virtual_user to the one user whose displays are measured")
	case !l.cfg.Sessions.Virtual && l.cfg.VirtualUser != "":
		return l.complain(keyVirtualUser, "has no effect without virtual in sessions; add it there, or take this out")
	}
	return nil
}
