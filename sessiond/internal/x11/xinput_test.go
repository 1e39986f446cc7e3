package x11

import (
	"testing"

	"activity-tracker.example/sessiond/internal/counting"
)

func TestKindsOfDevices(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]counting.DeviceKind{
		"AT Translated Set 2 keyboard": counting.RealDevice,
		"Power Buttons & Co. Keyboard": counting.RealDevice,
		"Power Button":                 counting.MachineDevice,
		"Sleep Button":                 counting.MachineDevice,
		"Virtual core XTEST keyboard":  counting.SyntheticDevice,
		"":                             counting.RealDevice,
	} {
		if got := kindOf([]byte(name)); got != want {
			t.Errorf("%q is of kind %d, want %d", name, got, want)
		}
	}
}
