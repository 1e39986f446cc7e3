package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"activity-tracker.example/testhost"
)

const (
	// recordSeconds is the shortest record trackerd makes: a minute, its
	// default, would be long to wait for.
	recordSeconds = 5
	// hostLife ends a demo that somebody forgot.
	hostLife = 4 * time.Hour
)

// demoSettings has trackerd make short records and upload them at once; the
// package's own configuration file stays as it is.
const demoSettings = `[Service]
Environment=TRACKERD_COLLECT_INTERVAL_SEC=5 TRACKERD_SEND_INTERVAL_SEC=1
`

// prepareHost boots a host, installs the package there and enrols it.
func prepareHost(ctx context.Context, s settings, srv *server, say func(string, ...any)) (*testhost.Host, error) {
	say("booting a host with systemd and xrdp (the first time it is built, in about a minute)")
	lines, done := sayLines(say)
	host, err := testhost.Start(ctx, testhost.Options{Hostname: "office", MaxLife: hostLife, Progress: lines})
	done()
	if err != nil {
		return nil, fmt.Errorf("boot the host: %w", err)
	}
	if err := installAndEnroll(ctx, host, s, srv, say); err != nil {
		return nil, errors.Join(err, host.Close())
	}
	return host, nil
}

func installAndEnroll(ctx context.Context, host *testhost.Host, s settings, srv *server, say func(string, ...any)) error {
	if _, err := host.Forward(ctx, srv.addr, srv.addr); err != nil {
		return fmt.Errorf("let the host reach the server: %w", err)
	}
	const dropIn = "/etc/systemd/system/trackerd.service.d/demo.conf"
	if err := host.WriteFile(ctx, dropIn, strings.NewReader(demoSettings), 0o644); err != nil {
		return fmt.Errorf("prepare the demo's settings: %w", err)
	}
	say("on the host: apt install trackerd")
	if _, err := host.Install(ctx, s.deb); err != nil {
		return fmt.Errorf("install the package: %w", err)
	}
	say("on the host: trackctl enroll %s -", srv.url())
	// The token comes on standard input: command lines are for everyone to see.
	result, err := host.Exec(ctx, testhost.Command{
		Args:  []string{"trackctl", "enroll", srv.url(), "-"},
		Stdin: strings.NewReader(srv.enrollment),
	})
	if err == nil && result.Code != 0 {
		err = fmt.Errorf("exit code %d: %s", result.Code, result.Stderr)
	}
	if err != nil {
		return fmt.Errorf("enrol the host: %w", err)
	}
	return nil
}

// sayLines returns a writer that passes each line to say, and a function that waits
// until the last one was passed.
func sayLines(say func(string, ...any)) (io.Writer, func()) {
	r, w := io.Pipe()
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		for in := bufio.NewScanner(r); in.Scan(); {
			say("  %s", in.Text())
		}
		_, _ = io.Copy(io.Discard, r) // a line too long to show must not block
	}()
	return w, func() {
		_ = w.Close() // a pipe's Close never fails
		<-finished
	}
}
