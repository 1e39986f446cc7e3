// Package netns makes network namespaces, connects two of them, and runs code in
// them.
package netns

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// New makes a network namespace that lives as long as the file is open or
// a process is in it.
func New() (ns *os.File, err error) {
	err = onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("unshare network: %w", err)
		}
		ns, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("make a network namespace: %w", err)
	}
	return ns, nil
}

// In runs fn on a thread inside the namespace; a socket made there stays
// there.
func In(ns *os.File, fn func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter network namespace: %w", err)
		}
		return fn()
	})
}

// onThread runs fn on an operating system thread of its own and brings the
// thread back to its network namespace.
func onThread(fn func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		home, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			runtime.UnlockOSThread()
			done <- err
			return
		}
		defer home.Close()
		err = fn()
		// A thread that cannot go home stays locked, and so ends with this
		// goroutine.
		if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	return <-done
}

// End is one side of a connection between two namespaces: its IPv4 address is one
// of the two usable ones of a /30.
type End struct {
	Netns *os.File
	Addr  string
}

// Join connects two namespaces by a veth pair and sets it up.
func Join(ctx context.Context, a, b End) error {
	const aFD, bFD = "3", "4"
	steps := []string{
		aFD + " link add eth0 type veth peer name eth0 netns /proc/self/fd/" + bFD,
	}
	for _, end := range []struct{ fd, addr string }{{aFD, a.Addr}, {bFD, b.Addr}} {
		steps = append(steps,
			end.fd+" link set lo up",
			end.fd+" address add "+end.addr+"/30 dev eth0",
			end.fd+" link set eth0 up")
	}
	for _, step := range steps {
		fd, args, _ := strings.Cut(step, " ")
		cmd := exec.CommandContext(ctx, "nsenter",
			append([]string{"--net=/proc/self/fd/" + fd, "ip"}, strings.Fields(args)...)...)
		cmd.ExtraFiles = []*os.File{a.Netns, b.Netns}
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", args, err, out)
		}
	}
	return nil
}
