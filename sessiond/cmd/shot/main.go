// Command shot takes one picture of a user's X screen, hands it to the host daemon over
// the socket that it was started with, and ends. It is started by trackerd, as the
// session's user, and by nobody else.
package main

import (
	"errors"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"activity-tracker.example/sessiond/internal/launch"
	"activity-tracker.example/sessiond/internal/sys"
	"activity-tracker.example/sessiond/internal/titles"
	"activity-tracker.example/sessiond/internal/x11"
	"activity-tracker.example/sessiond/internal/x11/picture"
	"activity-tracker.example/sessiond/wire"
)

const (
	// lifeTime bounds everything until the picture is there, which takes some 100 ms: an
	// X server that answers nothing is waited for no longer. The daemon gives up after it.
	lifeTime = 10 * time.Second
	// rulesTime is how long the rules for titles may take to come; they are sent before
	// the program starts.
	rulesTime = 5 * time.Second
	// sendTime is how long the daemon may take nothing.
	sendTime = 5 * time.Second
	// wordTime is how long the person is shown that a picture was taken.
	wordTime = 4 * time.Second
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(launch.Main("shot", run)) }

func run(args []string) (code int, message string) {
	f, err := parseFlags(args)
	if code, message, answered := f.Answer("shot", usage, version, err); answered {
		return code, message
	}
	socket, confine, err := launch.Socket("shot")
	if err != nil {
		return launch.ExitUsage, err.Error()
	}
	if err := launch.Harden(); err != nil {
		return launch.ExitInternal, err.Error()
	}
	watchdog := time.AfterFunc(lifeTime, func() { os.Exit(launch.ExitProtocol) })
	runtime.GOMAXPROCS(1)
	cookie := authority()
	if confine {
		if err := launch.Confine(cookie.Files); err != nil {
			return launch.ExitInternal, err.Error()
		}
	}
	screen, err := picture.Open(f.display, cookie, func() error {
		if !confine {
			return nil
		}
		return launch.Enclose()
	})
	if err != nil {
		return launch.ExitOpen, errors.Join(err, tell(socket, wire.Picture{Outcome: wire.OutcomeDisplay}, nil)).Error()
	}
	defer screen.Close()
	taken, err := take(socket, screen, f.readable)
	watchdog.Stop()
	return hand(socket, taken, err)
}

// hand sends the picture that was taken, or why there is none.
func hand(socket int, taken picture.Picture, err error) (code int, message string) {
	var outcome picture.OutcomeError
	switch {
	case errors.As(err, &outcome):
		if err := tell(socket, wire.Picture{Outcome: wire.Outcome(outcome)}, nil); err != nil {
			return launch.ExitInternal, err.Error()
		}
		return launch.ExitOK, ""
	case err != nil:
		return launch.ExitInternal, err.Error()
	}
	if err := tell(socket, wire.Picture{Shared: taken.Shared, Bytes: len(taken.JPEG)}, taken.JPEG); err != nil {
		return launch.ExitInternal, err.Error()
	}
	<-time.After(wordTime) // the window goes with the connection
	return launch.ExitOK, ""
}

// take takes the picture, and tells the person.
func take(socket int, screen *picture.Screen, readable bool) (picture.Picture, error) {
	covers, err := rules(socket)
	if err != nil {
		return picture.Picture{}, err
	}
	taken, err := screen.Take(picture.Options{Readable: readable, Covers: covers})
	if err != nil {
		return picture.Picture{}, err
	}
	return taken, screen.Say()
}

// rules reads what must not be on a picture.
func rules(socket int) (func(string, []string) bool, error) {
	fail := picture.OutcomeError(wire.OutcomeRules)
	if ready, err := sys.Await(socket, unix.POLLIN, rulesTime); err != nil || !ready {
		return nil, fail
	}
	b := make([]byte, wire.MaxRulesBytes+1)
	n, err := sys.Receive(socket, b)
	if err != nil {
		return nil, fail
	}
	r, err := wire.ParseRules(b[:n])
	if err != nil {
		return nil, fail
	}
	covers, err := titles.Covers(&r)
	if err != nil {
		return nil, fail
	}
	return covers, nil
}

// tell sends what became of the picture, and the picture in parts.
func tell(socket int, head wire.Picture, jpeg []byte) error {
	packets := [][]byte{wire.AppendPicture(nil, head)}
	for len(jpeg) > 0 {
		n := min(len(jpeg), wire.PicturePartBytes)
		packets, jpeg = append(packets, jpeg[:n]), jpeg[n:]
	}
	for _, p := range packets {
		if err := send(socket, p); err != nil {
			return err
		}
	}
	return nil
}

func send(socket int, packet []byte) error {
	for {
		err := sys.Send(socket, packet)
		if !errors.Is(err, unix.EAGAIN) {
			return err
		}
		ready, err := sys.Await(socket, unix.POLLOUT, sendTime)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		if !ready && err == nil {
			return errors.New("the daemon does not read")
		}
	}
}

// authority reports where this user's X cookie may be; from here on the environment names
// no such file, since xgb would read one by itself.
func authority() x11.Authority {
	a := x11.UsersAuthority()
	for _, name := range []string{"XAUTHORITY", "HOME"} {
		_ = os.Unsetenv(name) // never fails for these names
	}
	return a
}
