// Virtualinput makes a virtual keyboard on a test machine, as programs that remap
// keys do, and presses a key so many times.
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	evdev "github.com/holoplot/go-evdev"
)

const (
	// settleTime is for udev and those who wait for devices; 0.5 s is usual.
	settleTime = 5 * time.Second
	// pressTime is how long a key is down, and up.
	pressTime = 20 * time.Millisecond
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "virtualinput:", err)
		os.Exit(1)
	}
}

// run makes the device that its arguments name, on the bus that they claim, and
// presses as often as they say.
func run(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("want NAME BUS PRESSES")
	}
	bus, err := strconv.ParseUint(args[1], 0, 16)
	if err != nil {
		return fmt.Errorf("read the bus: %w", err)
	}
	presses, err := strconv.Atoi(args[2])
	if err != nil {
		return fmt.Errorf("read the number of presses: %w", err)
	}
	keys := make([]evdev.EvCode, 0, evdev.KEY_MICMUTE)
	for code := evdev.EvCode(evdev.KEY_ESC); code <= evdev.KEY_MICMUTE; code++ {
		keys = append(keys, code)
	}
	id := evdev.InputID{BusType: uint16(bus), Vendor: 1, Product: 1, Version: 1}
	device, err := evdev.CreateDevice(args[0], id, map[evdev.EvType][]evdev.EvCode{evdev.EV_KEY: keys})
	if err != nil {
		return fmt.Errorf("make a virtual keyboard: %w", err)
	}
	defer device.Close()
	<-time.After(settleTime)
	for range presses {
		if err := press(device); err != nil {
			return err
		}
	}
	// What was pressed last is read before the device goes.
	<-time.After(pressTime)
	return nil
}

// press presses a key that does nothing.
func press(device *evdev.InputDevice) error {
	for _, value := range []int32{1, 0} {
		for _, e := range []evdev.InputEvent{{Type: evdev.EV_KEY, Code: evdev.KEY_F13, Value: value}, {Type: evdev.EV_SYN}} {
			if err := device.WriteOne(&e); err != nil {
				return fmt.Errorf("press a key: %w", err)
			}
		}
		<-time.After(pressTime)
	}
	return nil
}
