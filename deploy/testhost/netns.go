package testhost

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Addresses of the two ends of the veth pair. Every host has the same ones,
// since each pair lies in namespaces of its own.
const (
	// ClientAddr is the RDP clients' end, where Forward listens.
	ClientAddr = "10.77.0.1"
	// HostAddr is the host's end, where its xrdp listens.
	HostAddr = "10.77.0.2"
)

// newNetns makes a network namespace that lives as long as the file is open or
// a process is in it.
func newNetns() (ns *os.File, err error) {
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

// inNetns runs fn on a thread inside the namespace; a socket made there stays
// there.
func inNetns(ns *os.File, fn func() error) error {
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

// joinNetns connects the two namespaces by a veth pair and sets it up.
func joinNetns(ctx context.Context, client, host *os.File) error {
	const clientFD, hostFD = "3", "4"
	steps := []string{
		clientFD + " link add eth0 type veth peer name eth0 netns /proc/self/fd/" + hostFD,
	}
	for _, end := range []struct{ fd, addr string }{{clientFD, ClientAddr}, {hostFD, HostAddr}} {
		steps = append(steps,
			end.fd+" link set lo up",
			end.fd+" address add "+end.addr+"/30 dev eth0",
			end.fd+" link set eth0 up")
	}
	for _, step := range steps {
		fd, args, _ := strings.Cut(step, " ")
		cmd := exec.CommandContext(ctx, "nsenter",
			append([]string{"--net=/proc/self/fd/" + fd, "ip"}, strings.Fields(args)...)...)
		cmd.ExtraFiles = []*os.File{client, host}
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", args, err, out)
		}
	}
	return nil
}
