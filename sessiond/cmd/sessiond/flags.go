package main

import (
	"activity-tracker.example/sessiond/internal/launch"
	"activity-tracker.example/sessiond/internal/x11"
)

const usage = `Usage: sessiond --display :N [options]

Counts one X session's input and focus time for the host daemon. It is started
by trackerd with a socket as standard input, not by hand.

Options:
  --display :N        the X display to watch (required)
  --no-input          count no input, only focus: the screen is locked
  --require-window-manager
                      count nothing while no window manager runs
` + launch.Usage + `
Exit codes: 0 the X server went away, the daemon closed the socket or SIGTERM
came; 1 internal error; 2 wrong use; 3 the display could not be opened; 4 the X
server stopped answering or broke the protocol.
`

type flags struct {
	launch.Flags
	display int
	noInput bool
	needWM  bool
}

func parseFlags(args []string) (flags, error) {
	f := flags{display: -1}
	f.Switches = map[string]*bool{"--no-input": &f.noInput, "--require-window-manager": &f.needWM}
	err := f.Parse(args, map[string]func(string) error{
		"--display": func(v string) (err error) {
			f.display, err = x11.ParseDisplay(v)
			return err
		},
	})
	if err == nil && f.display < 0 && !f.Help && !f.Version {
		err = launch.FlagError("--display is missing")
	}
	return f, err
}
