package pgtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// Disk is a small disk of its own.
type Disk struct {
	place
}

// SmallDisk makes a disk of that many bytes, of memory. It is seen by nobody but
// the test's own goroutine, which is bound to a thread in a mount namespace of its
// own, and by what that starts; so the kernel removes it with them. It needs root.
func SmallDisk(tb testing.TB, bytes int) *Disk {
	tb.Helper()
	d := &Disk{newPlace(tb)}
	// Never unlocked: the thread ends with the goroutine.
	runtime.LockOSThread()
	if err := syscall.Unshare(syscall.CLONE_NEWNS); err != nil {
		tb.Fatalf("a mount namespace (needs root): %v", err)
	}
	err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
	if err == nil {
		err = syscall.Mount("tmpfs", d.dir, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, fmt.Sprintf("size=%d,mode=0700", bytes))
	}
	if err != nil {
		tb.Fatalf("a small disk: %v", err)
	}
	tb.Cleanup(func() {
		if err := syscall.Unmount(d.dir, syscall.MNT_DETACH); err != nil {
			tb.Error(err)
		}
	})
	d.chown(d.dir)
	return d
}

func (d *Disk) ballast() string { return filepath.Join(d.dir, "ballast") }

// Fill takes all that is free.
func (d *Disk) Fill() {
	d.tb.Helper()
	f, err := os.OpenFile(d.ballast(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		d.tb.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	block := make([]byte, 1<<20)
	for len(block) > 0 {
		if _, err = f.Write(block); errors.Is(err, syscall.ENOSPC) {
			// Down to the last page.
			block = block[:len(block)/2]
		} else if err != nil {
			d.tb.Fatal(err)
		}
	}
}

// Free frees what Fill took.
func (d *Disk) Free() {
	d.tb.Helper()
	if err := os.Remove(d.ballast()); err != nil {
		d.tb.Fatal(err)
	}
}
