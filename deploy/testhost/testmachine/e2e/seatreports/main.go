// Seatreports runs seatinput on a test machine as trackerd does, as a user who may
// read input devices, and prints each of its reports as a line of JSON.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/wire"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "seatreports:", err)
		os.Exit(1)
	}
}

// run starts the program that the first argument names, with the others.
func run(args []string) error {
	if len(args) == 0 {
		return errors.New("want a program")
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	defer ours.Close()
	who, err := reader()
	if err != nil {
		return err
	}
	// It ends with the socket.
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stderr = theirs, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	if err := cmd.Start(); err != nil {
		return err
	}
	theirs.Close()
	return errors.Join(show(ours), cmd.Wait())
}

// reader is the user of the package, in the group of input devices.
func reader() (*syscall.Credential, error) {
	u, err := user.Lookup("trackerd-input")
	if err != nil {
		return nil, err
	}
	g, err := user.LookupGroup("input")
	if err != nil {
		return nil, err
	}
	var ids [3]uint64
	for i, text := range []string{u.Uid, u.Gid, g.Gid} {
		if ids[i], err = strconv.ParseUint(text, 10, 32); err != nil {
			return nil, err
		}
	}
	return &syscall.Credential{Uid: uint32(ids[0]), Gid: uint32(ids[1]), Groups: []uint32{uint32(ids[2])}}, nil
}

// show prints reports until there are no more.
func show(from io.Reader) error {
	b := make([]byte, wire.MaxMessageBytes)
	for {
		n, err := from.Read(b)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		r, err := wire.Decode(b[:n])
		if err != nil {
			return err
		}
		if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
			return err
		}
	}
}
