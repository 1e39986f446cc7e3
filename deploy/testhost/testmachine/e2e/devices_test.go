package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"testing"

	"activity-tracker.example/testhost/internal/e2etest"
	"activity-tracker.example/testhost/testmachine"
)

// reportsFile is where the reports of a seat's devices are on the machine.
const reportsFile = "/root/reports"

// input is what seatinput reports; the names are the wire's.
type input struct {
	Counters struct {
		Keys, Clicks, ScrollSteps, DistancePx, Synthetic uint64
	}
	IdleMS, DistanceUnit, Trouble uint64
}

// TestSlowSeatDevices counts from a real kernel's devices: exactly what hands did
// at the session's terminal, with devices that come and go, and what programs did
// apart.
func TestSlowSeatDevices(t *testing.T) {
	m := seatMachine(t)
	did := counts{keys: 50, clicks: 5, scroll: 4, distance: 150}
	m.work(t, did)
	m.wantInput(t, did, 0)

	// Of Ctrl, Alt and F1, pressed to switch, as many count as were read before.
	must(t, m.SwitchVT(t.Context(), 1))
	m.waitOpenDevices(t, false)
	_, err := m.Type(t.Context(), "nobody")
	must(t, err)
	m.waitAway(t)
	must(t, m.SwitchVT(t.Context(), 7))
	m.waitOpenDevices(t, true)
	const chord = 3
	was := m.lastInput(t).Counters.Keys
	if was < uint64(did.keys) || was > uint64(did.keys)+chord {
		t.Fatalf("%d keys, after %d and some at another terminal", was, did.keys)
	}
	did.keys = int64(was)
	more := counts{keys: 10, clicks: 1, scroll: 1, distance: 20}
	m.work(t, more)
	did = did.add(more)
	m.wantInput(t, did, 0)

	synthetic := int64(0)
	const usb, virtual = "0x3", "0x6"
	for _, device := range []struct {
		name, bus       string
		keys, synthetic int64
	}{
		{name: "virtual keyboard", bus: virtual, synthetic: 7},
		{name: "claims another bus", bus: usb, synthetic: 4},
		{name: "remapped keyboard", bus: virtual, keys: 5},
	} {
		m.run(t, "systemd-run", "--quiet", "--collect", "--unit=virtualinput", "/root/virtualinput",
			device.name, device.bus, strconv.FormatInt(device.keys+device.synthetic, 10), "seatinput")
		did.keys += device.keys
		synthetic += device.synthetic
		m.wantInput(t, did, synthetic)
		m.run(t, "systemctl", "stop", "virtualinput")
	}
}

// seatMachine starts a machine on which seatinput reads the devices of the seat,
// for the session that is in front.
func seatMachine(t *testing.T) *machine {
	t.Helper()
	vm, err := testmachine.Start(t.Context(), testmachine.Options{Progress: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := vm.Close(); err != nil {
			t.Error(err)
		}
	})
	m := &machine{Machine: vm}
	e2etest.PutProgram(t, m, "activity-tracker.example/sessiond/cmd/seatinput", "/usr/libexec/trackerd/seatinput")
	e2etest.PutProgram(t, m, "./seatreports", "/root/seatreports")
	e2etest.PutProgram(t, m, "./virtualinput", "/root/virtualinput")
	must(t, m.CopyIn(t.Context(), "../../../../packaging/trackerd/sysusers.conf", "/usr/lib/sysusers.d/trackerd.conf"))
	m.run(t, "systemd-sysusers", "trackerd.conf")
	m.run(t, "modprobe", "uinput")
	m.run(t, "systemd-run", "--quiet", "sh", "-c", "exec /root/seatreports /usr/libexec/trackerd/seatinput --vt 7 --interval 5s --real-device 'remapped keyboard' >"+reportsFile)
	m.waitOpenDevices(t, true)
	return m
}

// waitOpenDevices waits until devices are open, or none is.
func (m *machine) waitOpenDevices(t *testing.T, want bool) {
	t.Helper()
	eventually(t, patience, fmt.Sprintf("devices are open: %v", want), func() error {
		open, err := m.Run(t.Context(), "sh", "-c", "ls -l /proc/$(pgrep -x seatinput)/fd | grep /dev/input/event || true")
		if err == nil && (open != "") != want {
			err = fmt.Errorf("open are %q", open)
		}
		return err
	})
}

// waitAway waits for a report of somebody who is not at the seat any more, and so
// has all that counts until then.
func (m *machine) waitAway(t *testing.T) {
	t.Helper()
	const idleAfter = 180_000 // ms, as seatinput has it
	eventually(t, patience, "a report from another terminal", func() error {
		if r := m.lastInput(t); r.IdleMS < idleAfter {
			return fmt.Errorf("it is %+v", r)
		}
		return nil
	})
}

// lastInput returns the newest report.
func (m *machine) lastInput(t *testing.T) input {
	t.Helper()
	var r input
	last := m.run(t, "tail", "-n", "1", reportsFile)
	if err := json.Unmarshal([]byte(last), &r); err != nil {
		t.Fatalf("report %q: %v", last, err)
	}
	return r
}

// wantInput waits until the reports have exactly that, in a device's units and
// without trouble.
func (m *machine) wantInput(t *testing.T, want counts, synthetic int64) {
	t.Helper()
	eventually(t, patience, "the reports have what was done", func() error {
		r := m.lastInput(t)
		c := r.Counters
		got := counts{int64(c.Keys), int64(c.Clicks), int64(c.ScrollSteps), int64(c.DistancePx)}
		if got != want || int64(c.Synthetic) != synthetic || r.DistanceUnit != 1 || r.Trouble != 0 {
			return fmt.Errorf("they have %+v, want %+v and %d by programs", r, want, synthetic)
		}
		return nil
	})
}
