package shots

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/jpeg"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"activity-tracker.example/hostd/roster"
	"activity-tracker.example/hostd/unit"
	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/sessiond/wire"
)

const (
	// takeTime is how long a program may take for a picture. It gives up by itself
	// before, and is done within a second on a machine that is not busy.
	takeTime = 20 * time.Second
	// unitTime ends it in any case: it shows for a few seconds that it took one.
	unitTime = 60 * time.Second
	// stopTime bounds ending one that misbehaves.
	stopTime = 10 * time.Second
)

// calls are the system calls that shared memory takes, beyond a helper's.
func calls() []string { return []string{"shmget", "shmat", "shmctl", "shmdt"} }

// Why no picture came of a program.
var (
	errEnded   = errors.New("the program that takes it ended without one")
	errNoSense = errors.New("what the program that takes it sent makes no sense")
	errLate    = errors.New("the program that takes it was not done in time")
)

// outcomeError is why a program took none.
type outcomeError wire.Outcome

// Error returns why, without anything of what is on the screen.
func (e outcomeError) Error() string {
	switch wire.Outcome(e) {
	case wire.OutcomeWindow:
		return "a window was open whose title a rule drops"
	case wire.OutcomeCrowded:
		return "there are more windows than can be looked at"
	case wire.OutcomeTooLarge:
		return "the picture would be larger than 2,000,000 pixels or 512 KiB"
	case wire.OutcomeColours:
		return "the screen's colours are of a form that is not known"
	case wire.OutcomeRules:
		return "the rules for titles did not reach the program that takes it"
	case wire.OutcomeWord:
		return "the person could not be told of it in their session"
	case wire.OutcomeTaken, wire.OutcomeDisplay:
	}
	return "the display could not be read"
}

// Program starts the programs that take pictures: helper's units.
type Program interface {
	Start(ctx context.Context, u unit.Unit) error
	Stop(ctx context.Context, name string) error
}

// shoot has a picture taken of a session.
func (k *Keeper) shoot(ctx context.Context, t roster.Tracked, kind policy.Kind, titles []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, takeTime)
	defer cancel()
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer func() { _ = ours.Close() }()
	defer func() { _ = theirs.Close() }()
	if _, err := ours.Write(titles); err != nil {
		return nil, fmt.Errorf("send the rules for titles: %w", err)
	}
	unit := unit.Unit{
		Name: "trackerd-shot-" + t.Key.ID + ".service", Description: "Activity Tracker screenshot of session " + t.Key.ID,
		UID: t.UID, Source: roster.SourceX11, Socket: theirs, Calls: calls(), Limit: unitTime,
		Command: []string{k.o.Binary, "--display", t.Display, "--kind", string(kind)},
	}
	if err := k.o.Program.Start(ctx, unit); err != nil {
		return nil, fmt.Errorf("start the program that takes it: %w", err)
	}
	_ = theirs.Close() // the program has its own
	picture, shared, err := receive(ctx, ours)
	var outcome outcomeError
	if err != nil && !errors.As(err, &outcome) {
		k.stop(unit.Name)
	}
	if err == nil {
		k.o.Log.Info("a screenshot was taken", "session", t.Key.ID, "bytes", len(picture), "shared_memory", shared)
	}
	return picture, err
}

// stop ends a program that does not do as it should.
func (k *Keeper) stop(name string) {
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	if err := k.o.Program.Stop(ctx, name); err != nil {
		k.o.Log.Warn("a program that takes screenshots could not be stopped", "error", err)
	}
}

func socketPair() (ours net.Conn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make a socket: %w", err)
	}
	f := os.NewFile(uintptr(fds[0]), "trackerd's end")
	theirs = os.NewFile(uintptr(fds[1]), "shot's end")
	ours, err = net.FileConn(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, nil, fmt.Errorf("read a socket: %w", errors.Join(err, theirs.Close()))
	}
	return ours, theirs, nil
}

// receive reads what a program sends, which may be anything: its user may have replaced it.
func receive(ctx context.Context, c net.Conn) (picture []byte, shared bool, err error) {
	defer context.AfterFunc(ctx, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })()
	b := make([]byte, wire.PicturePartBytes+1)
	n, err := packet(ctx, c, b)
	if err != nil {
		return nil, false, err
	}
	p, err := wire.ParsePicture(b[:n])
	switch {
	case err != nil:
		return nil, false, errNoSense
	case p.Outcome != wire.OutcomeTaken:
		return nil, false, outcomeError(p.Outcome)
	}
	picture = make([]byte, 0, p.Bytes)
	for len(picture) < p.Bytes {
		n, err := packet(ctx, c, b)
		if err != nil {
			return nil, false, err
		}
		if n > wire.PicturePartBytes || len(picture)+n > p.Bytes {
			return nil, false, errNoSense
		}
		picture = append(picture, b[:n]...)
	}
	size, err := jpeg.DecodeConfig(bytes.NewReader(picture))
	if err != nil || size.Width <= 0 || size.Height <= 0 || size.Width*size.Height > wire.MaxPicturePixels {
		return nil, false, errNoSense
	}
	return picture, p.Shared, nil
}

func packet(ctx context.Context, c net.Conn, b []byte) (int, error) {
	n, err := c.Read(b)
	if errors.Is(err, unix.ECONNRESET) { // it ended and left the rules unread; what it sent is there
		n, err = c.Read(b)
	}
	switch {
	case ctx.Err() != nil:
		return 0, errLate
	case err != nil || n == 0: // its end, or a packet of nothing
		return 0, errEnded
	}
	return n, nil
}
