// Command demo shows the whole of Activity Tracker at work: it starts the
// server, boots a disposable host, installs the package there, logs two people
// in over RDP, lets them work, and prints live what the REST API answers for
// each beside what they really did. `make demo` builds everything it needs.
//
// It stays up until Ctrl-C where somebody watches; otherwise it ends when the
// work is done and fails unless the API's counts are exactly those of the work.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// workTime is how long the two people work, unless DEMO_SECONDS is set: long
// enough for a dozen of the demo's 5 s records.
const workTime = 60 * time.Second

func main() {
	// Children are tied to the thread that started them, which must therefore
	// live as long as the process.
	runtime.LockOSThread()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout)
	stopped := ctx.Err() != nil
	stop()
	if err == nil || stopped {
		return // after Ctrl-C whatever was under way fails, as it should
	}
	fmt.Fprintln(os.Stderr, "demo:", err)
	os.Exit(1)
}

// settings are what the caller decides.
type settings struct {
	// server is the trackerd-server to run, deb the package to install.
	server, deb string
	// work is for how long the people work; stay is whether the demo then waits
	// for Ctrl-C.
	work time.Duration
	stay bool
	// people is how many are made up, for the pages.
	people int
	// live is true where the output is a terminal, whose lines can be redrawn.
	live bool
}

func settingsFrom(getenv func(string) string) (settings, error) {
	s := settings{
		server: getenv("ACTIVITY_TRACKER_SERVER"),
		deb:    getenv("ACTIVITY_TRACKER_DEB"),
		work:   workTime,
		stay:   isTerminal(os.Stdin) && isTerminal(os.Stdout),
		live:   isTerminal(os.Stdout),
	}
	if s.server == "" || s.deb == "" {
		return s, errors.New("run it with `make demo`, which builds what it needs and says where that is")
	}
	var err error
	if s.people, err = peopleFrom(getenv("DEMO_PEOPLE")); err != nil {
		return s, err
	}
	if text := getenv("DEMO_SECONDS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return s, fmt.Errorf("DEMO_SECONDS=%q: want a number of seconds", text)
		}
		s.work, s.stay = time.Duration(n)*time.Second, false
	}
	return s, nil
}

// run is the demo from start to end; it leaves nothing behind.
func run(ctx context.Context, out io.Writer) (err error) {
	s, err := settingsFrom(os.Getenv)
	if err != nil {
		return err
	}
	say := newProgress(out)
	say("starting the server with a PostgreSQL of its own")
	srv, err := startServer(ctx, s.server)
	if err != nil {
		return err
	}
	cleanUp := func(what string, f func() error) {
		say(what)
		if problem := f(); problem != nil {
			say("%s: %v", what, problem)
			err = errors.Join(err, problem)
		}
	}
	defer cleanUp("stopping the server", srv.stop)
	say("%d people who are made up come from a month of work, for the pages", s.people)
	pages, filled, err := startDashboard(ctx, srv, s.people)
	if err != nil {
		return err
	}
	host, err := prepareHost(ctx, s, srv, say)
	if err != nil {
		return err
	}
	defer cleanUp("removing the host", host.Close)
	people, err := logIn(ctx, host, say)
	if err != nil {
		return err
	}
	say("both sit down; waiting for their first records")
	if err := begin(ctx, srv, people); err != nil {
		return err
	}
	say("both work for %s; each record covers %d s", s.work, recordSeconds)
	if err := watch(ctx, s, out, srv, people); err != nil {
		return err
	}
	printVerdict(out, people)
	if err := filled(); err != nil {
		return err
	}
	printPages(out, pages)
	if !s.stay {
		say("not on a terminal, or DEMO_SECONDS is set: the demo ends here")
		return compare(people)
	}
	printNext(out, srv, host, people[0])
	say("everything stays up; Ctrl-C removes it")
	going := make(chan error, 1)
	go func() { going <- pages.goOn(ctx) }()
	select {
	case err := <-going:
		return err
	case <-ctx.Done():
		fmt.Fprintln(out)
		return nil
	case err := <-srv.ended:
		return fmt.Errorf("the server ended: %w", err)
	}
}

// newProgress returns a function that prints a line with the time since now.
func newProgress(out io.Writer) func(format string, args ...any) {
	start := time.Now()
	return func(format string, args ...any) {
		fmt.Fprintf(out, "[%4.0f s] %s\n", time.Since(start).Seconds(), fmt.Sprintf(format, args...))
	}
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
