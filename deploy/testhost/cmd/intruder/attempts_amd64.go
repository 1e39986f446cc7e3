package main

import (
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// attempt is one system call: its number, and arguments that are numbers or
// texts.
type attempt struct {
	name   string
	number int
	args   []any
}

// lay returns the memory that the call's texts take, which begins at an address,
// and its six arguments.
func (a attempt) lay(at uint64) (memory []byte, args [6]uint64) {
	memory = make([]byte, borrowed)
	used := 0
	for i, arg := range a.args {
		switch arg := arg.(type) {
		case int:
			args[i] = uint64(arg)
		case string:
			args[i] = at + uint64(used)
			used += copy(memory[used:], arg) + 1 // and a NUL
		}
	}
	return memory, args
}

// attempts are what the process has no need of. A process in no sandbox may do
// all of it.
func attempts(t target) []attempt {
	id, doc := filepath.Join(t.home, ".ssh/id"), filepath.Join(t.home, "doc")
	other := "/proc/" + strconv.Itoa(t.other)
	all := []attempt{{"nothing", unix.SYS_GETPID, nil}}
	for _, path := range []string{id, "/etc/passwd", "/tmp/" + t.shared, "/dev/shm/" + t.shared, other + "/environ", "/dev/zero"} {
		all = append(all, open("read "+path, path, unix.O_RDONLY))
	}
	for _, path := range []string{t.home, "/", "/proc"} {
		all = append(all, open("list "+path, path, unix.O_RDONLY|unix.O_DIRECTORY))
	}
	for _, path := range []string{doc, "/tmp/" + t.shared, "/dev/shm/" + t.shared, "/dev/null", "/dev/ptmx"} {
		all = append(all, open("write "+path, path, unix.O_WRONLY))
	}
	for _, folder := range []string{t.home, "/tmp", "/var/tmp", "/dev/shm"} {
		path := filepath.Join(folder, t.shared+".new")
		all = append(all, open("make "+path, path, unix.O_WRONLY|unix.O_CREAT))
	}
	return append(append(all, fileAttempts(t, doc)...), otherAttempts(t, other)...)
}

func open(name, path string, flags int) attempt {
	return attempt{name, unix.SYS_OPENAT, []any{unix.AT_FDCWD, path, flags, 0o600}}
}

// fileAttempts change files without opening them.
func fileAttempts(t target, doc string) []attempt {
	beside := func(name string) string { return filepath.Join(t.home, name) }
	return []attempt{
		open("empty by opening", doc, unix.O_RDONLY|unix.O_TRUNC),
		{"truncate", unix.SYS_TRUNCATE, []any{doc, 0}},
		{"chmod", unix.SYS_FCHMODAT, []any{unix.AT_FDCWD, doc, 0o644}},
		{"utimensat", unix.SYS_UTIMENSAT, []any{unix.AT_FDCWD, doc, 0, 0}},
		{"setxattr", unix.SYS_SETXATTR, []any{doc, "user.x", "y", 1, 0}},
		{"chown", unix.SYS_FCHOWNAT, []any{unix.AT_FDCWD, doc, -1, -1, 0}},
		{"mkdir", unix.SYS_MKDIRAT, []any{unix.AT_FDCWD, beside("folder"), 0o700}},
		{"symlink", unix.SYS_SYMLINKAT, []any{"doc", unix.AT_FDCWD, beside("symlink")}},
		{"link", unix.SYS_LINKAT, []any{unix.AT_FDCWD, doc, unix.AT_FDCWD, beside("link"), 0}},
		{"mkfifo", unix.SYS_MKNODAT, []any{unix.AT_FDCWD, beside("fifo"), unix.S_IFIFO | 0o600, 0}},
		{"exchange", unix.SYS_RENAMEAT2, []any{unix.AT_FDCWD, doc, unix.AT_FDCWD, beside(".ssh/id"), unix.RENAME_EXCHANGE}},
		{"unlink", unix.SYS_UNLINKAT, []any{unix.AT_FDCWD, doc, 0}},
		open("make it again", doc, unix.O_WRONLY|unix.O_CREAT),
	}
}

// otherAttempts are about the network, other processes and the kernel.
func otherAttempts(t target, other string) []attempt {
	all := []attempt{
		{"socket AF_UNIX", unix.SYS_SOCKET, []any{unix.AF_UNIX, unix.SOCK_STREAM, 0}},
		{"socket AF_INET", unix.SYS_SOCKET, []any{unix.AF_INET, unix.SOCK_STREAM, 0}},
		{"socket AF_INET6", unix.SYS_SOCKET, []any{unix.AF_INET6, unix.SOCK_DGRAM, 0}},
		{"socket AF_NETLINK", unix.SYS_SOCKET, []any{unix.AF_NETLINK, unix.SOCK_RAW, 0}},
		{"readlink " + other, unix.SYS_READLINKAT, []any{unix.AT_FDCWD, other + "/exe", "................", 16}},
		{"kill", unix.SYS_KILL, []any{t.other, 0}},
		{"ptrace", unix.SYS_PTRACE, []any{unix.PTRACE_SEIZE, t.other, 0, 0}},
		{"memfd", unix.SYS_MEMFD_CREATE, []any{"x", 0}},
		{"shared memory", unix.SYS_SHMGET, []any{0, 4096, 0o600}},
	}
	if !t.free {
		all = append(all,
			attempt{"execve", unix.SYS_EXECVE, []any{"/bin/true", 0, 0}},
			attempt{"io_uring", unix.SYS_IO_URING_SETUP, []any{1, ""}},
			attempt{"unshare", unix.SYS_UNSHARE, []any{unix.CLONE_NEWUSER}},
		)
	}
	return all
}
