package wayland

import (
	"encoding/binary"
	"slices"
)

// The objects that every connection has, by the core protocol.
const (
	displayID = 1

	displaySync        = 0 // requests
	displayGetRegistry = 1
	displayError       = 0 // events; the other one, delete_id, needs nothing

	registryBind   = 0 // requests
	registryGlobal = 0 // events; a global that goes away ends its objects by itself
)

// Globals asks what the compositor offers, and returns those of the wanted
// interfaces that it does.
func (c *Conn) Globals(wanted ...string) (map[string]Global, error) {
	c.registry = c.NewObject(func(m *Message) error {
		if m.Opcode == registryGlobal {
			c.global(m, wanted)
		}
		return nil
	})
	if err := c.Send(displayID, displayGetRegistry, word(c.registry)); err != nil {
		return nil, err
	}
	return c.globals, c.RoundTrip()
}

// global keeps a wanted global; where there are several, the first.
func (c *Conn) global(m *Message, wanted []string) {
	g := Global{name: m.Uint(), iface: string(m.Text()), Version: m.Uint()}
	if _, have := c.globals[g.iface]; !have && slices.Contains(wanted, g.iface) {
		c.globals[g.iface] = g
	}
}

// Bind makes an object of a global in the version asked for, whose events the
// handler takes.
func (c *Conn) Bind(g Global, version uint32, h Handler) (uint32, error) {
	id := c.NewObject(h)
	args := AppendText(word(g.name), g.iface)
	args = append(args, word(version)...)
	return id, c.Send(c.registry, registryBind, append(args, word(id)...))
}

// RoundTrip waits until the compositor has answered all that was asked.
func (c *Conn) RoundTrip() error {
	done := false
	id := c.NewObject(func(*Message) error {
		done = true
		return nil
	})
	defer c.Forget(id)
	if err := c.Send(displayID, displaySync, word(id)); err != nil {
		return err
	}
	return c.await(func() bool { return done })
}

// displayEvent ends the connection if the compositor refuses us. Why is not kept:
// its words are anybody's.
func (c *Conn) displayEvent(m *Message) error {
	if m.Opcode == displayError {
		return ErrNonsense
	}
	return nil
}

func word(v uint32) []byte { return binary.NativeEndian.AppendUint32(nil, v) }
