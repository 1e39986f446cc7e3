// Command logins runs on a test host, as root. `logins open` opens sessions of
// logind as xrdp's session manager has PAM open them, but for displays that are
// there already; `logins press` presses keys on these. So a host has hundreds of
// sessions without hundreds of desktops.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// options are what main's flags set.
type options struct {
	sessions int
	over     time.Duration
	firstUID uint
	display  int
	presses  int
	every    time.Duration
}

func main() {
	var o options
	flag.IntVar(&o.sessions, "sessions", 1, "how many sessions there are, each of another user")
	flag.DurationVar(&o.over, "over", 0, "in what time they are opened")
	flag.UintVar(&o.firstUID, "uid", 0, "the first user; the others follow")
	flag.IntVar(&o.display, "display", 0, "the first user's display; the others follow")
	flag.IntVar(&o.presses, "presses", 0, "how many keys are pressed in each session at least")
	flag.DurationVar(&o.every, "every", time.Second, "how long after one press the next one comes")
	flag.Parse()
	if err := run(flag.Arg(0), o); err != nil {
		fmt.Fprintln(os.Stderr, "logins:", err)
		os.Exit(1)
	}
}

func run(what string, o options) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	switch what {
	case "open":
		return open(ctx, o)
	case "press":
		return press(ctx, o)
	}
	return errors.New("say open or press, after the options")
}

// open opens the sessions, reports that to systemd, and keeps them until ctx
// ends.
func open(ctx context.Context, o options) error {
	manager, err := connect(ctx, o.sessions)
	if err != nil {
		return err
	}
	defer manager.close()
	if err := manager.open(ctx, o); err != nil {
		return err
	}
	if err := notifyReady(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func notifyReady(ctx context.Context) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unixgram", os.Getenv("NOTIFY_SOCKET"))
	if err != nil {
		return fmt.Errorf("reach systemd: %w", err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte("READY=1")); err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	return nil
}
