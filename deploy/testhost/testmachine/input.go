package testmachine

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"activity-tracker.example/testhost/internal/wait"
)

// The machine's PS/2 devices.
const (
	keyboard = "/dev/input/by-path/platform-i8042-serio-0-event-kbd"
	mouse    = "/dev/input/by-path/platform-i8042-serio-1-event-mouse"
)

// eventTimeout is how long an event may take to the machine's kernel on a busy
// computer; 5 ms is usual.
const eventTimeout = 2 * time.Minute

// buttonGap lies between two events of a button: libinput takes what comes within
// 25 ms of the last for a worn switch that bounces.
const buttonGap = 60 * time.Millisecond

// inputEvent is the kernel's struct input_event without its time.
type inputEvent struct {
	kind, code uint16
	value      int32
}

// Kinds and codes of events, as linux/input-event-codes.h has them.
const (
	evKey    = 1
	evRel    = 2
	relX     = 0
	relY     = 1
	relWheel = 8
)

// eventSize is that of struct input_event on 64 bits; the time is half of it.
const eventSize, timeSize = 24, 16

// device is one of the machine's devices, watched for as long as the control
// connection lasts: what the kernel passes on comes back, so that the next event
// is sent after that.
type device struct {
	machine *Machine
	events  chan inputEvent
}

// device returns a device that is watched.
func (m *Machine) device(ctx context.Context, path string) (*device, error) {
	ctl, err := m.connected()
	if err != nil {
		return nil, err
	}
	if d, ok := ctl.devices[path]; ok {
		return d, nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	out, err := within(ctx, ctl, func() (io.Reader, error) { return ctl.watch(path) })
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", path, err)
	}
	const enough = 256 // more than the events between two sends
	d := &device{machine: m, events: make(chan inputEvent, enough)}
	m.wg.Go(func() { d.read(out) })
	ctl.devices[path] = d
	return d, nil
}

// watch has the machine send what a device's kernel driver passes on.
func (c *control) watch(path string) (io.Reader, error) {
	session, err := c.client.NewSession()
	if err != nil {
		return nil, err
	}
	out, err := session.StdoutPipe()
	if err != nil {
		return nil, err
	}
	// A byte is printed when the device is open: nothing after that is missed.
	if err := session.Start("exec 3<" + path + " && printf . && exec cat <&3"); err != nil {
		return nil, err
	}
	_, err = io.ReadFull(out, make([]byte, 1))
	return out, err
}

// read reads events until the control connection ends.
func (d *device) read(out io.Reader) {
	defer close(d.events)
	var b [eventSize]byte
	for {
		if _, err := io.ReadFull(out, b[:]); err != nil {
			return
		}
		e := inputEvent{
			kind: binary.LittleEndian.Uint16(b[timeSize:]), code: binary.LittleEndian.Uint16(b[timeSize+2:]),
			value: int32(binary.LittleEndian.Uint32(b[timeSize+4:])),
		}
		select {
		case d.events <- e:
		default: // nobody waits for it
		}
	}
}

// forget throws away what came before the next event is sent.
func (d *device) forget() {
	for {
		select {
		case _, ok := <-d.events:
			if ok {
				continue
			}
		default:
		}
		return
	}
}

// send has QEMU make an event, and waits until arrived returns true for what the
// kernel passed on.
func (d *device) send(ctx context.Context, event map[string]any, arrived func(inputEvent) bool) error {
	d.forget()
	if err := d.machine.sendInput(event); err != nil {
		return err
	}
	timeout := time.NewTimer(eventTimeout)
	defer timeout.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timeout.C:
			return fmt.Errorf("the machine's kernel did not pass on %v within %s", event, eventTimeout)
		case e, ok := <-d.events:
			if !ok {
				return fmt.Errorf("the machine's device ended before %v", event)
			}
			if arrived(e) {
				return nil
			}
		}
	}
}

// sendInput has QEMU make an event.
func (m *Machine) sendInput(event map[string]any) error {
	return m.qemu.monitor.run("input-send-event", map[string]any{"events": []any{event}}, nil)
}

func keyEvent(key string, down bool) map[string]any {
	code := map[string]any{"type": "qcode", "data": key}
	return map[string]any{"type": "key", "data": map[string]any{"key": code, "down": down}}
}

func buttonEvent(button string, down bool) map[string]any {
	return map[string]any{"type": "btn", "data": map[string]any{"button": button, "down": down}}
}

func moveEvent(axis string, by int) map[string]any {
	return map[string]any{"type": "rel", "data": map[string]any{"axis": axis, "value": by}}
}

// changed returns what recognises a key or button going down or up.
func changed(down bool) func(inputEvent) bool {
	want := int32(0)
	if down {
		want = 1
	}
	return func(e inputEvent) bool { return e.kind == evKey && e.value == want }
}

// moved returns what recognises an axis that has moved by so much in all.
func moved(code uint16, by int) func(inputEvent) bool {
	left := by
	return func(e inputEvent) bool {
		if e.kind == evRel && e.code == code {
			left -= int(e.value)
		}
		return left == 0
	}
}

// with has f send to a device. One sends at a time.
func (m *Machine) with(ctx context.Context, path string, f func(*device) error) error {
	m.input.Lock()
	defer m.input.Unlock()
	d, err := m.device(ctx, path)
	if err != nil {
		return err
	}
	return f(d)
}

// Type types text, one key press for each rune, and returns how many presses it
// made. It knows lower-case letters, digits, the space and "\n".
func (m *Machine) Type(ctx context.Context, text string) (presses int, err error) {
	err = m.with(ctx, keyboard, func(d *device) error {
		for _, r := range text {
			if err := d.press(ctx, keyName(r)); err != nil {
				return fmt.Errorf("type %q: %w", r, err)
			}
			presses++
		}
		return nil
	})
	return presses, err
}

// keyName is QEMU's name of the key that types r.
func keyName(r rune) string {
	switch r {
	case ' ':
		return "spc"
	case '\n':
		return "ret"
	}
	return string(r)
}

// Press presses keys together, each by QEMU's name, and releases them again.
func (m *Machine) Press(ctx context.Context, keys ...string) error {
	return m.with(ctx, keyboard, func(d *device) error { return d.press(ctx, keys...) })
}

func (d *device) press(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		if err := d.send(ctx, keyEvent(key, true), changed(true)); err != nil {
			return err
		}
	}
	for i := len(keys) - 1; i >= 0; i-- {
		if err := d.send(ctx, keyEvent(keys[i], false), changed(false)); err != nil {
			return err
		}
	}
	return nil
}

// Click clicks n times with a button: left, middle or right.
func (m *Machine) Click(ctx context.Context, n int, button string) error {
	return m.with(ctx, mouse, func(d *device) error {
		for range n {
			for _, down := range []bool{true, false} {
				if err := d.send(ctx, buttonEvent(button, down), changed(down)); err != nil {
					return err
				}
				if err := wait.Pause(ctx, buttonGap); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// Scroll turns the wheel by so many steps: down where positive, up where
// negative.
func (m *Machine) Scroll(ctx context.Context, steps int) error {
	button, step := "wheel-down", -1
	if steps < 0 {
		button, step, steps = "wheel-up", 1, -steps
	}
	return m.with(ctx, mouse, func(d *device) error {
		for range steps {
			if err := d.send(ctx, buttonEvent(button, true), moved(relWheel, step)); err != nil {
				return err
			}
			// Its end is no event of the kernel's.
			if err := m.sendInput(buttonEvent(button, false)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Move moves the mouse by so many units, first along the row, then along the
// column. It returns how many units that was.
func (m *Machine) Move(ctx context.Context, dx, dy int) (distance int, err error) {
	err = m.with(ctx, mouse, func(d *device) error {
		for _, way := range []struct {
			axis string
			code uint16
			by   int
		}{{"x", relX, dx}, {"y", relY, dy}} {
			for left := way.by; left != 0; {
				const step = 10
				by := max(-step, min(step, left))
				if err := d.send(ctx, moveEvent(way.axis, by), moved(way.code, by)); err != nil {
					return err
				}
				left -= by
				distance += max(by, -by)
			}
		}
		return nil
	})
	return distance, err
}

// SwitchVT switches to a virtual terminal by Ctrl-Alt-F1 to F12, three presses,
// and waits until the screen is there.
func (m *Machine) SwitchVT(ctx context.Context, n int) error {
	if err := m.Press(ctx, "ctrl", "alt", fmt.Sprintf("f%d", n)); err != nil {
		return err
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	active := ""
	err := wait.Until(ctx, func() (bool, error) {
		out, err := m.Run(ctx, "cat", "/sys/class/tty/tty0/active")
		if err == nil {
			active = out
		}
		return active == fmt.Sprintf("tty%d", n), err
	})
	if err != nil {
		return fmt.Errorf("switch to terminal %d, it is still %s: %w", n, active, err)
	}
	return nil
}
