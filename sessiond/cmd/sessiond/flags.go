package main

import (
	"strings"
	"time"

	"activity-tracker.example/sessiond/internal/x11"
)

const usage = `Usage: sessiond --display :N [options]

Counts one X session's input and focus time for the host daemon. It is started
by trackerd with a socket as standard input, not by hand.

Options:
  --display :N        the X display to watch (required)
  --interval 60s      length of an interval, 5s to 1h, a divisor of an hour
  --idle-after 180s   how long after an input the user counts as active, 1s to 24h
  --no-titles         do not read window titles
  --version           print the version
  --help              print this

Exit codes: 0 the X server went away, the daemon closed the socket or SIGTERM
came; 1 internal error; 2 wrong use; 3 the display could not be opened; 4 the X
server stopped answering or broke the protocol.
`

// Defaults and limits of the flags; they are the configuration's.
const (
	defaultInterval  = time.Minute
	minInterval      = 5 * time.Second
	defaultIdleAfter = 3 * time.Minute
	minIdleAfter     = time.Second
	maxIdleAfter     = 24 * time.Hour
)

type flags struct {
	display             int
	interval, idleAfter time.Duration
	noTitles            bool
	help, version       bool
}

// flagError says which flag was wrong. The flag package is not used: it brings
// fmt and reflection, which the memory of every session would hold.
type flagError string

func (e flagError) Error() string { return string(e) }

// parseFlags reads the command line: --name value or --name=value.
func parseFlags(args []string) (flags, error) {
	f := flags{display: -1, interval: defaultInterval, idleAfter: defaultIdleAfter}
	for len(args) > 0 {
		name, value, hasValue := strings.Cut(args[0], "=")
		args = args[1:]
		if set := f.switches()[name]; set != nil {
			if hasValue {
				return f, flagError(name + " takes no value")
			}
			*set = true
			continue
		}
		set := f.values()[name]
		if set == nil {
			return f, flagError("unknown argument " + name)
		}
		if !hasValue {
			if len(args) == 0 {
				return f, flagError(name + " needs a value")
			}
			value, args = args[0], args[1:]
		}
		if err := set(value); err != nil {
			return f, flagError(name + " " + value + ": " + err.Error())
		}
	}
	if f.display < 0 && !f.help && !f.version {
		return f, flagError("--display is missing")
	}
	return f, nil
}

func (f *flags) switches() map[string]*bool {
	return map[string]*bool{"--no-titles": &f.noTitles, "--help": &f.help, "-h": &f.help, "--version": &f.version}
}

func (f *flags) values() map[string]func(string) error {
	return map[string]func(string) error{
		"--display": func(v string) (err error) {
			f.display, err = x11.ParseDisplay(v)
			return err
		},
		"--interval": func(v string) error {
			d, err := time.ParseDuration(v)
			if err != nil || d < minInterval || d%time.Second != 0 || time.Hour%d != 0 {
				return flagError("must be 5s to 1h, and a divisor of an hour")
			}
			f.interval = d
			return nil
		},
		"--idle-after": func(v string) error {
			d, err := time.ParseDuration(v)
			if err != nil || d < minIdleAfter || d > maxIdleAfter {
				return flagError("must be 1s to 24h")
			}
			f.idleAfter = d
			return nil
		},
	}
}
