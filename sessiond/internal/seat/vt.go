package seat

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/internal/sys"
)

// activeBytes is more than the name of a terminal has, such as "tty63\n".
const activeBytes = 32

// terminal is the virtual terminal that must be in front for input to count.
type terminal struct {
	fd    int // of the file that names the one in front; -1 where none matters
	want  string
	waits bool // changes can be waited for; else each drain looks
	fired bool // the wait was over, and has to begin again
}

// openTerminal watches which virtual terminal is in front; none matters if
// number is 0.
func openTerminal(path string, number int, set *sys.ReadySet) (*terminal, error) {
	t := &terminal{fd: -1, want: "tty" + strconv.Itoa(number)}
	if number == 0 {
		return t, nil
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	t.fd = fd
	err = set.Add(fd, unix.EPOLLPRI)
	if err != nil && !errors.Is(err, unix.EPERM) {
		return nil, errors.Join(fmt.Errorf("wait for changes of %s: %w", path, err), unix.Close(fd))
	}
	t.waits = err == nil
	return t, nil
}

func (t *terminal) close() {
	if t.fd >= 0 {
		_ = unix.Close(t.fd) // nothing was written
		t.fd = -1
	}
}

func (t *terminal) is(fd int) bool { return t.fd >= 0 && fd == t.fd }

// inFront reports whether the terminal is in front now, and takes note of all
// changes until then.
func (t *terminal) inFront() bool {
	if t.fd < 0 {
		return true
	}
	var b [activeBytes]byte
	n, err := sys.ReadAt(t.fd, b[:], 0)
	return err == nil && strings.TrimSuffix(string(b[:n]), "\n") == t.want
}

// changedBefore reports whether another terminal is in front, or was, as far as
// that was noticed.
func (t *terminal) changedBefore() bool { return t.fired || !t.waits && !t.inFront() }

// changed reports whether another terminal is in front, or was since inFront was
// last asked.
func (t *terminal) changed() bool {
	if !t.waits {
		return !t.inFront()
	}
	flagged, err := sys.Await(t.fd, unix.POLLPRI, 0)
	return err != nil || flagged
}

// again waits for the next change.
func (t *terminal) again(set *sys.ReadySet) {
	if t.fired {
		t.fired = false
		_ = set.Again(t.fd, unix.EPOLLPRI) // it was added; and each drain looks anyway
	}
}
