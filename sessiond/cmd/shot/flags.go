package main

import (
	"activity-tracker.example/sessiond/internal/launch"
	"activity-tracker.example/sessiond/internal/x11"
)

const usage = `Usage: shot --display :N --kind blurred|readable

Takes one picture of an X screen for the host daemon and shows there that it did. It is
started by trackerd with a socket as standard input or output, not by hand.

Options:
  --display :N        the X display (required)
  --kind KIND         blurred: a sixteenth of each side, readable: half
                      or, of a large screen, a third or a quarter (required)
  --version           print the version
  --help              print this

Exit codes: 0 the daemon was told what became of the picture; 1 internal error; 64
wrong use; 69 the display could not be opened; 76 the X server did not answer in time.
`

type flags struct {
	launch.Flags

	display  int
	readable bool
}

func parseFlags(args []string) (flags, error) {
	f := flags{display: -1}
	kind := false
	err := f.Parse(args, map[string]func(string) error{
		"--display": func(v string) (err error) {
			f.display, err = x11.ParseDisplay(v)
			return err
		},
		"--kind": func(v string) error {
			if kind, f.readable = true, v == "readable"; !f.readable && v != "blurred" {
				return launch.FlagError("must be blurred or readable")
			}
			return nil
		},
	})
	if err == nil && (f.display < 0 || !kind) && !f.Help && !f.Version {
		err = launch.FlagError("--display and --kind are needed")
	}
	return f, err
}
