package asking

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"activity-tracker.example/hostd/roster"
)

const (
	// window shows the text with a box to tick; message is what is there without it.
	window  = "/usr/bin/zenity"
	message = "/usr/bin/notify-send"
	// script runs one of them in a session. Without an X display it is in that of the
	// compositor, whose socket has one of several names. zenity 4 shows nothing of what is
	// on its standard input unless that is a file's name, and a pipe of root's it may not
	// open: so cat. Only who has ticked the box writes what said is, since systemd-run's
	// exit code is 0, too, when it is ended early.
	script = `[ -n "$DISPLAY" ] || for socket in "$XDG_RUNTIME_DIR"/wayland-?; do export WAYLAND_DISPLAY="$socket"; done
cat | "$@" && echo confirmed`
	said = "confirmed\n"
	// unitPrefix and unitSuffix enclose the user's number in the name of the unit that
	// has their window.
	unitPrefix = "trackerd-notice-"
	unitSuffix = ".service"
	// openFor is how long a window waits for an answer. Then it is others' turn, where
	// many are open.
	openFor = time.Hour
	// stopWait is how long a window has to close when the daemon ends.
	stopWait = 5 * time.Second
)

// errNoWindow is why nobody can be asked.
var errNoWindow = errors.New("neither zenity nor notify-send is installed")

// show opens a window in a session, in a transient unit of its user. It ends with ctx: a
// window that nobody listens to would lose the answer.
func show(ctx context.Context, session *roster.Tracked, text string) (Answer, error) {
	command, asks, err := words()
	if err != nil {
		return Unasked, err
	}
	open, cancel := context.WithTimeout(ctx, openFor)
	defer cancel()
	cmd := exec.CommandContext(open, "systemd-run", slices.Concat(unit(session), []string{"/bin/sh", "-c", script, "sh"}, command)...)
	cmd.Stdin = strings.NewReader(text)
	cmd.Cancel = func() error {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWait)
		defer cancel()
		return stopUnits(stop, unitName(session))
	}
	cmd.WaitDelay = stopWait
	answer, err := output(cmd)
	switch {
	case answer == said && asks:
		return Confirmed, nil
	case ctx.Err() != nil:
		return Unasked, nil
	case err != nil && open.Err() == nil:
		return Declined, fmt.Errorf("showing the notice: %w", err)
	}
	return Declined, nil
}

// output runs a command and returns the first bytes of what it writes, which is its user's.
func output(cmd *exec.Cmd) (string, error) {
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return "", fmt.Errorf("making a pipe: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("starting systemd-run: %w", err)
	}
	first, _ := io.ReadAll(io.LimitReader(pipe, int64(len(said)))) // what could not be read is no yes
	return string(first), cmd.Wait()
}

// clearWindows closes the windows of an earlier daemon.
func clearWindows(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, stopWait)
	defer cancel()
	_ = stopUnits(ctx, unitPrefix+"*"+unitSuffix) // there are none, or they are answered in vain
}

func stopUnits(ctx context.Context, pattern string) error {
	if err := exec.CommandContext(ctx, "systemctl", "--quiet", "stop", pattern).Run(); err != nil {
		return fmt.Errorf("closing %s: %w", pattern, err)
	}
	return nil
}

// unitName is the unit of a user's window.
func unitName(session *roster.Tracked) string {
	return unitPrefix + strconv.FormatUint(uint64(session.UID), 10) + unitSuffix
}

// words are the command that shows the notice, and whether it asks.
func words() (command []string, asks bool, err error) {
	if _, err := os.Stat(window); err == nil {
		return []string{
			window, "--text-info", "--title=Activity Tracker", "--width=720", "--height=640",
			"--filename=/dev/stdin", "--checkbox=Я это прочитал(а) / I have read this",
		}, true, nil
	}
	if _, err := os.Stat(message); err == nil {
		return []string{
			message, "--app-name=Activity Tracker", "Activity Tracker",
			"На этом компьютере измеряется активность; подробности: trackctl notice\nActivity is measured on this computer; read: trackctl notice",
		}, false, nil
	}
	return nil, false, errNoWindow
}

// unit are the arguments that describe the unit.
func unit(session *roster.Tracked) []string {
	uid := strconv.FormatUint(uint64(session.UID), 10)
	runtime := "/run/user/" + uid
	args := []string{
		"--quiet", "--wait", "--pipe", "--collect", "--unit=" + unitName(session), "--uid=" + uid, "--slice=trackerd.slice",
		"--description=Activity Tracker's notice", "--working-directory=/",
		"--setenv=XDG_RUNTIME_DIR=" + runtime,
		"--setenv=DBUS_SESSION_BUS_ADDRESS=unix:path=" + runtime + "/bus", "--setenv=LANG=C.UTF-8", "--setenv=NO_AT_BRIDGE=1",
	}
	if session.Display != "" {
		args = append(args, "--setenv=DISPLAY="+session.Display, "--setenv=GDK_BACKEND=x11") // and not in another session of theirs
	}
	for _, property := range []string{
		"SuccessExitStatus=1", // a window that was closed is no failure
		"TimeoutStopSec=2", "NoNewPrivileges=yes", "CapabilityBoundingSet=", "PrivateNetwork=yes", "ProtectSystem=strict", "ProtectHome=read-only",
		"RestrictAddressFamilies=AF_UNIX", "RestrictNamespaces=yes", "MemoryMax=512M", "TasksMax=64", "OOMScoreAdjust=500", "CPUWeight=50",
	} {
		args = append(args, "--property="+property)
	}
	return append(args, "--")
}
