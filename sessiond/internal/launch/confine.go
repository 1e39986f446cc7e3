package launch

import (
	"errors"
	"path/filepath"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What Landlock can take away, by the version of its interface that brought it.
const (
	// filesSince1 is to read, write, run, make and remove files of every kind.
	filesSince1 = unix.LANDLOCK_ACCESS_FS_MAKE_SYM<<1 - 1
	// scopeVersion knows domains that signals and abstract sockets do not leave.
	scopeVersion = 6
	// threadsVersion lets threads of one process signal each other all the same,
	// which Go's need.
	threadsVersion = 7
	netVersion     = 4
)

var (
	errNoLandlock = errors.New("this kernel has no Landlock")
	errThreads    = errors.New("not all threads could be confined")
	errProcessor  = errors.New("no filter of system calls for this processor")
)

// processes is where the kernel shows what everybody may know of a process, its name
// above all, which a window without a class goes by. What only who may trace a process
// may know is hidden from who is confined, nor may the folder be listed.
const processes = "/proc"

// Confine takes from this process, for good, what can be done to files: it can
// only read the given ones, what is in their folders, and what is shown of processes.
// A file that is written anew is another file, hence the folders. It must not be built
// with cgo, whose threads Go does not know.
func Confine(files []string) error {
	const open = false // the display may have an abstract socket
	paths := []string{processes}
	for _, file := range files {
		paths = append(paths, file, filepath.Dir(file))
	}
	return restrict(open, paths)
}

// Enclose takes away, for good, what a helper needs no longer once it has opened
// what it watches: every file but what is shown of processes, new connections, and
// signals to others.
func Enclose() error {
	const closed = true
	if err := restrict(closed, []string{processes}); err != nil {
		return err
	}
	return refuseCalls()
}

// ruleset returns all that a version of Landlock can take away; scoped means that
// this includes abstract sockets and signals.
func ruleset(version int, scoped bool) unix.LandlockRulesetAttr {
	var attr unix.LandlockRulesetAttr
	for _, f := range []struct {
		version int
		access  uint64
	}{
		{1, filesSince1},
		{2, unix.LANDLOCK_ACCESS_FS_REFER},
		{3, unix.LANDLOCK_ACCESS_FS_TRUNCATE},
		{5, unix.LANDLOCK_ACCESS_FS_IOCTL_DEV},
	} {
		if version >= f.version {
			attr.Handled_access_fs |= f.access
		}
	}
	if version >= netVersion {
		attr.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	}
	if scoped && version >= scopeVersion {
		attr.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
	}
	if scoped && version >= threadsVersion {
		attr.Scoped |= unix.LANDLOCK_SCOPE_SIGNAL
	}
	return attr
}

// restrict puts every thread into a domain that may read the given files and what is in
// the given folders, and has nothing else that this kernel's Landlock can take away.
func restrict(scoped bool, paths []string) error {
	version, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 || version < 1 {
		return errNoLandlock
	}
	attr := ruleset(int(version), scoped)
	fd, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0) //nolint:gosec // a structure of the kernel's
	if errno != 0 {
		return errors.Join(errors.New("describing what is taken away"), errno)
	}
	defer func() { _ = unix.Close(int(fd)) }() // nothing was written
	for _, path := range paths {
		if err := allow(int(fd), path); err != nil {
			return err
		}
	}
	// Each thread has rights of its own.
	if _, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0); errno != 0 {
		return errors.Join(errors.New("giving up new privileges"), errno)
	}
	if _, _, errno := syscall.AllThreadsSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); errno != 0 {
		return errors.Join(errors.New("giving up files"), errno)
	}
	return nil
}

// allow lets a file or what is in a folder be read. What is not there, or is
// not for this user, cannot be read later either.
func allow(ruleset int, path string) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer func() { _ = unix.Close(fd) }() // nothing was written
	rule := unix.LandlockPathBeneathAttr{Allowed_access: unix.LANDLOCK_ACCESS_FS_READ_FILE, Parent_fd: int32(fd)}
	_, _, errno := unix.RawSyscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset), unix.LANDLOCK_RULE_PATH_BENEATH,
		uintptr(unsafe.Pointer(&rule)), 0, 0, 0) //nolint:gosec // a structure of the kernel's
	if errno != 0 {
		return errors.Join(errors.New("allowing to read "+path), errno)
	}
	return nil
}

// refusedCalls are of no use to a helper that has opened what it watches: to
// connect to anything, to touch other processes, to become another program, and
// to have the kernel do such things by itself.
func refusedCalls() []uint32 {
	return []uint32{
		unix.SYS_SOCKET, unix.SYS_CONNECT, unix.SYS_BIND, unix.SYS_LISTEN, unix.SYS_IO_URING_SETUP,
		unix.SYS_KILL, unix.SYS_TKILL, unix.SYS_RT_SIGQUEUEINFO, unix.SYS_RT_TGSIGQUEUEINFO, unix.SYS_PIDFD_SEND_SIGNAL,
		unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV,
		unix.SYS_EXECVE, unix.SYS_EXECVEAT,
	}
}

// refuseCalls makes the kernel answer EPERM to refusedCalls, in every thread.
func refuseCalls() error {
	filter, err := refusal(refusedCalls())
	if err != nil {
		return err
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	thread, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program))) //nolint:gosec // a structure of the kernel's
	if errno != 0 {
		return errors.Join(errors.New("giving up system calls"), errno)
	}
	if thread != 0 {
		return errThreads
	}
	return nil
}

// refusal is the filter: calls of another interface than this program's are
// refused as well, since their numbers mean something else.
func refusal(calls []uint32) ([]unix.SockFilter, error) {
	const (
		number = 0 // where struct seccomp_data has the call's number
		arch   = 4 // and the processor's interface
		// otherInterface and what follows are x32's numbers on amd64.
		otherInterface = 0x40000000
	)
	var native uint32
	switch runtime.GOARCH {
	case "amd64":
		native = unix.AUDIT_ARCH_X86_64
	case "arm64":
		native = unix.AUDIT_ARCH_AARCH64
	default:
		return nil, errProcessor
	}
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	// Every test jumps to the last instruction, or goes on to the next one.
	refuse := len(calls) + 5
	f := []unix.SockFilter{load(arch)}
	to := func() uint8 { return uint8(refuse - len(f) - 1) }
	f = append(f, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: native, Jf: to()})
	f = append(f, load(number))
	f = append(f, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, K: otherInterface, Jt: to()})
	for _, call := range calls {
		f = append(f, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: call, Jt: to()})
	}
	return append(
		f,
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
	), nil
}
