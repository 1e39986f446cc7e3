package display

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// rest is how long Watch looks away after each call. Every user may make files
// there as fast as they like; what comes meanwhile is one call more.
const rest = time.Second

// Watch calls changed whenever a socket came or went, until ctx ends; then it
// returns nil. Without the folder there is nothing to watch, and it waits for
// the end.
func (p Places) Watch(ctx context.Context, changed func()) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("watch X displays: %w", err)
	}
	events := os.NewFile(uintptr(fd), "X displays")
	defer func() { _ = events.Close() }() // only read; closing twice does no harm
	const what = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_ONLYDIR
	if _, err := unix.InotifyAddWatch(fd, p.Sockets, what); err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("watch X displays: %w", err)
		}
		<-ctx.Done()
		return nil
	}
	// Only now: fd, a bare number, must be open for the call above.
	stop := context.AfterFunc(ctx, func() { _ = events.Close() }) // ends the reading
	defer stop()
	buf := make([]byte, 64<<10) // some thousand events, of which none is looked at
	for {
		if _, err := events.Read(buf); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("watch X displays: %w", err)
		}
		changed()
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(rest):
		}
	}
}
