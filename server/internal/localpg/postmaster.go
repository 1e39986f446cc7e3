package localpg

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// pidFile is where PostgreSQL notes its main process.
const pidFile = "postmaster.pid"

// Lines of the pid file, from zero (PostgreSQL's pidfile.h).
const (
	linePID    = 0
	lineStatus = 7
)

// postmaster is a running PostgreSQL's main process as its pid file describes it.
type postmaster struct {
	pid int
	// ready is true where it accepts connections.
	ready bool
}

// findPostmaster returns the running PostgreSQL of that data folder; ok is false
// where there is none, also if a pid file of a dead one is left.
func findPostmaster(dataDir string) (p postmaster, ok bool, err error) {
	b, err := os.ReadFile(filepath.Join(dataDir, pidFile))
	if errors.Is(err, os.ErrNotExist) {
		return p, false, nil
	}
	if err != nil {
		return p, false, fmt.Errorf("reading the private database's pid file: %w", err)
	}
	lines := strings.Split(string(b), "\n")
	if p.pid, err = strconv.Atoi(strings.TrimSpace(lines[linePID])); err != nil {
		// Being written, or cut off by a crash: it names nobody.
		p.pid = 0
	}
	if p.pid <= 1 || !worksIn(p.pid, dataDir) {
		return postmaster{}, false, nil
	}
	p.ready = len(lines) > lineStatus && strings.TrimSpace(lines[lineStatus]) == "ready"
	return p, true, nil
}

// worksIn reports whether a process is a PostgreSQL of that data folder: all of
// them work in it, and a reused process id does not. In a user namespace that is
// not ours, as that of a service, the kernel shows only how a process was
// started: that finds the main one.
func worksIn(pid int, dataDir string) bool {
	cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	if !errors.Is(err, os.ErrPermission) {
		return err == nil && cwd == dataDir
	}
	args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && strings.Contains(string(args), "\x00-D\x00"+dataDir+"\x00")
}

// survivors are all processes that still work in that data folder.
func survivors(dataDir string) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	var pids []int
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil && worksIn(pid, dataDir) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// signal sends a signal to a process that may be gone already.
func signal(pid int, s syscall.Signal) error {
	if err := syscall.Kill(pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("sending %v to process %d: %w", s, pid, err)
	}
	return nil
}
