// Virtualinput makes a virtual keyboard on a test machine, as programs that remap
// keys do. It presses a key so many times once a program has the device open, and
// keeps the device until it is ended.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	evdev "github.com/holoplot/go-evdev"
)

const (
	// openTimeout is for udev and the program that waits for devices, on a busy
	// computer; 0.5 s is usual.
	openTimeout = 2 * time.Minute
	// lookEvery is how often it is looked at whether the device is open.
	lookEvery = 200 * time.Millisecond
	// pressTime is how long a key is down, and up.
	pressTime = 20 * time.Millisecond
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "virtualinput:", err)
		os.Exit(1)
	}
}

// run makes the device that its arguments name, on the bus that they claim, and
// presses as often as they ask for. What a program has not read yet when a device
// goes is lost to it, so the device stays until ctx ends.
func run(ctx context.Context, args []string) error {
	if len(args) != 4 {
		return errors.New("want NAME BUS PRESSES READER")
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
	if err := waitOpen(ctx, args[0], args[3]); err != nil {
		return fmt.Errorf("wait until %s reads the keyboard: %w", args[3], err)
	}
	for range presses {
		if err := press(device); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return nil
}

// waitOpen waits until a program of that name has the device open.
func waitOpen(ctx context.Context, device, program string) error {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for !isOpen(device, program) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

// isOpen reports whether a program of that name has the device open.
func isOpen(device, program string) bool {
	file := ""
	for _, path := range matching("/sys/class/input/event*/device/name") {
		if contains(path, device) {
			file = "/dev/input/" + strings.Split(path, "/")[4]
		}
	}
	for _, path := range matching("/proc/[0-9]*/comm") {
		if !contains(path, program) {
			continue
		}
		for _, fd := range matching(filepath.Dir(path) + "/fd/*") {
			if target, err := os.Readlink(fd); err == nil && target == file {
				return true
			}
		}
	}
	return false
}

// matching returns the files of a pattern; of a wrong one there are none.
func matching(pattern string) []string {
	paths, _ := filepath.Glob(pattern)
	return paths
}

// contains reports whether a file has that line and no other.
func contains(path, line string) bool {
	content, err := os.ReadFile(path)
	return err == nil && string(content) == line+"\n"
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
