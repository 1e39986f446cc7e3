//go:build amd64

// Command intruder runs on a test host, as root. It stops a process and has each
// of its threads make system calls, as somebody would who runs code of their own
// in it, and prints what the kernel answered: a line for each thread and call.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

func main() {
	var t target
	flag.IntVar(&t.pid, "pid", 0, "the process")
	flag.IntVar(&t.other, "other", 0, "another process of its user")
	flag.StringVar(&t.home, "home", "", "a folder of its user, with the files .ssh/id and doc")
	flag.StringVar(&t.shared, "shared", "", "the name of a file of its user in /tmp and /dev/shm")
	flag.BoolVar(&t.free, "free", false, "the process is in no sandbox: leave out what would end it")
	flag.Parse()
	if err := intrude(t); err != nil {
		fmt.Fprintln(os.Stderr, "intruder:", err)
		os.Exit(1)
	}
}

// target is whose threads are used, and on what.
type target struct {
	pid, other   int
	home, shared string
	free         bool
}

func intrude(t target) error {
	runtime.LockOSThread() // ptrace goes by thread
	threads, err := attach(t.pid)
	if err != nil {
		return err
	}
	for _, th := range threads {
		for _, a := range attempts(t) {
			answer, err := th.call(a)
			if err != nil {
				return fmt.Errorf("%s in thread %d: %w", a.name, th.tid, err)
			}
			word := "ok"
			if answer != 0 {
				word = unix.ErrnoName(answer)
			}
			fmt.Printf("%d\t%s\t%s\n", th.tid, a.name, word)
		}
	}
	for _, th := range threads {
		if err := errors.Join(unix.PtraceSetRegs(th.tid, &th.saved), unix.PtraceDetach(th.tid)); err != nil {
			return err
		}
	}
	return nil
}

// thread is one that is stopped. All of a process are while one is used, so that
// its memory can be borrowed.
type thread struct {
	tid   int
	saved unix.PtraceRegs
	// gate is where the process has an instruction that enters the kernel.
	gate uint64
}

// attach stops all threads of a process.
func attach(pid int) ([]thread, error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	if err != nil || len(tasks) == 0 {
		return nil, fmt.Errorf("process %d has no threads: %w", pid, err)
	}
	var threads []thread
	var gate uint64
	for _, task := range tasks {
		tid, _ := strconv.Atoi(filepath.Base(task))
		if err := unix.PtraceAttach(tid); err != nil {
			return nil, fmt.Errorf("attach to thread %d: %w", tid, err)
		}
		if _, err := stopped(tid); err != nil {
			return nil, err
		}
		th := thread{tid: tid}
		if err := unix.PtraceGetRegs(tid, &th.saved); err != nil {
			return nil, err
		}
		var b [2]byte
		if _, err := unix.PtracePeekText(tid, uintptr(th.saved.Rip)-2, b[:]); err == nil && b == [2]byte{0x0f, 0x05} {
			gate = th.saved.Rip - 2 // it waits in the kernel
		}
		threads = append(threads, th)
	}
	if gate == 0 {
		return nil, errors.New("no thread waits in the kernel")
	}
	for i := range threads {
		threads[i].gate = gate
	}
	return threads, nil
}

// stopped waits until a thread stops, and returns for which signal.
func stopped(tid int) (syscall.Signal, error) {
	var status unix.WaitStatus
	if _, err := unix.Wait4(tid, &status, unix.WALL, nil); err != nil {
		return 0, fmt.Errorf("wait for thread %d: %w", tid, err)
	}
	if !status.Stopped() {
		return 0, fmt.Errorf("thread %d has ended", tid)
	}
	return status.StopSignal(), nil
}

// borrowed is how much of the process' memory a call's texts may take.
const borrowed = 1024

// call makes a system call and returns its error, or 0.
func (th *thread) call(a attempt) (syscall.Errno, error) {
	at := uintptr(th.saved.Rsp-2*borrowed) &^ 7
	before := make([]byte, borrowed)
	if err := transfer(unix.ProcessVMReadv, th.tid, before, at); err != nil {
		return 0, err
	}
	texts, args := a.lay(uint64(at))
	regs := th.saved
	regs.Rip, regs.Rax, regs.Orig_rax = th.gate, uint64(a.number), ^uint64(0)
	for i, r := range []*uint64{&regs.Rdi, &regs.Rsi, &regs.Rdx, &regs.R10, &regs.R8, &regs.R9} {
		*r = args[i]
	}
	if err := transfer(unix.ProcessVMWritev, th.tid, texts, at); err != nil {
		return 0, err
	}
	if err := errors.Join(unix.PtraceSetRegs(th.tid, &regs), th.step()); err != nil {
		return 0, err
	}
	if err := unix.PtraceGetRegs(th.tid, &regs); err != nil {
		return 0, err
	}
	if err := transfer(unix.ProcessVMWritev, th.tid, before, at); err != nil {
		return 0, err
	}
	if got := int64(regs.Rax); got < 0 {
		return syscall.Errno(-got), nil
	}
	return 0, nil
}

// step has the thread run one instruction. It may stop before that for a signal,
// which is dropped: a helper that stands still for long is asked to end.
func (th *thread) step() error {
	for {
		if err := unix.PtraceSingleStep(th.tid); err != nil {
			return err
		}
		if signal, err := stopped(th.tid); err != nil || signal == unix.SIGTRAP {
			return err
		}
	}
}

// transfer reads or writes a process' memory. Word by word, as ptrace does it, takes
// longer on a machine made of software than a helper may be silent.
func transfer(
	call func(pid int, local []unix.Iovec, remote []unix.RemoteIovec, flags uint) (int, error),
	pid int, b []byte, at uintptr,
) error {
	local := []unix.Iovec{{Base: &b[0]}}
	local[0].SetLen(len(b))
	n, err := call(pid, local, []unix.RemoteIovec{{Base: at, Len: len(b)}}, 0)
	if err == nil && n != len(b) {
		err = io.ErrShortWrite
	}
	return err
}
