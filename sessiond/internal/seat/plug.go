package seat

import (
	"strings"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/internal/counting"
	"activity-tracker.example/sessiond/internal/sys"
)

const (
	// settleTime is how long a new device's file is left alone, in ms: udev
	// hands it to its group and writes down its seat within that, mostly.
	settleTime counting.Instant = 250
	// patience is how long, in ms, a device that cannot be opened, or of which
	// udev has written nothing, is tried again.
	patience counting.Instant = 5000
	// plugBytes is what one read of changes takes, some 100 of them.
	plugBytes = 4096
)

// plug notices devices that are plugged in, and those that change hands.
type plug struct {
	folder  string
	fd      int              // of inotify; -1 while the folder is not there
	fired   bool             // the wait was over, and has to begin again
	changed bool             // since the folder was last looked at
	waiting bool             // something in it is not ready yet
	until   counting.Instant // how long to try
}

func newPlug(folder string, set *sys.ReadySet) *plug {
	p := &plug{folder: folder, fd: -1}
	p.watch(set)
	return p
}

// watch reports whether the folder is now watched.
func (p *plug) watch(set *sys.ReadySet) bool {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return false
	}
	const changes = unix.IN_CREATE | unix.IN_ATTRIB | unix.IN_DELETE | unix.IN_MOVED_TO | unix.IN_ONLYDIR
	if _, err = unix.InotifyAddWatch(fd, p.folder, changes); err == nil {
		err = set.Add(fd, unix.EPOLLIN)
	}
	if err != nil {
		_ = unix.Close(fd) // nothing was written
		return false
	}
	p.fd = fd
	return true
}

// watchLate watches a folder that was not there. It reports whether it now is.
func (p *plug) watchLate(set *sys.ReadySet) bool {
	if p.fd >= 0 || !p.watch(set) {
		return false
	}
	p.changed = true
	return true
}

func (p *plug) close() {
	if p.fd >= 0 {
		_ = unix.Close(p.fd) // nothing was written
		p.fd = -1
	}
}

func (p *plug) is(fd int) bool { return p.fd >= 0 && fd == p.fd }

// notice takes what has changed in the folder: only that, not what.
func (p *plug) notice() {
	p.fired, p.changed = true, true
	var b [plugBytes]byte
	for range maxReads {
		if n, err := sys.Read(p.fd, b[:]); err != nil || n == 0 {
			return
		}
	}
}

// pending reports whether the folder has to be looked at.
func (p *plug) pending(now counting.Instant) bool {
	if p.changed {
		p.until = now + patience
	}
	return p.changed || p.waiting
}

// looked notes what came of looking at the folder: whether anything in it may be
// ready later. It reports whether there is still time for that.
func (p *plug) looked(unready bool, now counting.Instant) (patient bool) {
	p.changed = false
	p.waiting = unready && now < p.until
	return p.waiting
}

// settled forgets what was noticed: everything is looked at later.
func (p *plug) settled() { p.changed, p.waiting, p.until = false, false, 0 }

// again waits for the next change.
func (p *plug) again(set *sys.ReadySet) {
	if p.fired {
		p.fired = false
		_ = set.Again(p.fd, unix.EPOLLIN) // it was added
	}
}

// isEventFile reports whether a file of the folder is a device's, as event0 is.
func isEventFile(name string) bool {
	digits, found := strings.CutPrefix(name, "event")
	return found && digits != "" && strings.Trim(digits, "0123456789") == ""
}
