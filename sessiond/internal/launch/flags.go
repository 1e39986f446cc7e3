// Package launch is what every helper does first: it reads the flags that all of
// them have, checks that standard input is the daemon's socket, and drops
// what it does not need. It brings neither fmt nor reflection, which the memory
// of every session would hold.
package launch

import (
	"maps"
	"os"
	"strings"
	"time"
)

// Usage describes the flags that all helpers have.
const Usage = `  --interval 60s      length of an interval, 5s to 1h, a divisor of an hour
  --idle-after 180s   how long after an input the user counts as active, 1s to 24h
  --report-every 5s   least time between two reports, 1s to 60s
  --no-titles         do not read window titles
  --version           print the version
  --help              print this
`

// Defaults and limits of the flags; they are the configuration's.
const (
	defaultInterval  = time.Minute
	minInterval      = 5 * time.Second
	defaultIdleAfter = 3 * time.Minute
	minIdleAfter     = time.Second
	maxIdleAfter     = 24 * time.Hour

	defaultReportEvery = 5 * time.Second
	minReportEvery     = time.Second
	maxReportEvery     = time.Minute
)

// Flags are what every helper is started with.
type Flags struct {
	// Interval is the length of an interval.
	Interval time.Duration
	// IdleAfter is how long after an input the user counts as active.
	IdleAfter time.Duration
	// ReportEvery is the least time between two reports within an interval.
	ReportEvery time.Duration
	// NoTitles forbids reading window titles.
	NoTitles bool
	// Help and Version ask for a text instead.
	Help, Version bool
	// Switches are the program's own flags without a value, by name.
	Switches map[string]*bool
}

// FlagError reports which flag was wrong.
type FlagError string

func (e FlagError) Error() string { return string(e) }

// Parse reads the command line, --name value or --name=value, into f and into
// the program's own flags, each of which has a setter by its name.
func (f *Flags) Parse(args []string, own map[string]func(string) error) error {
	f.Interval, f.IdleAfter, f.ReportEvery = defaultInterval, defaultIdleAfter, defaultReportEvery
	for len(args) > 0 {
		name, value, hasValue := strings.Cut(args[0], "=")
		args = args[1:]
		if set := f.switches()[name]; set != nil {
			if hasValue {
				return FlagError(name + " takes no value")
			}
			*set = true
			continue
		}
		set := f.values()[name]
		if set == nil {
			set = own[name]
		}
		if set == nil {
			return FlagError("unknown argument " + name)
		}
		if !hasValue {
			if len(args) == 0 {
				return FlagError(name + " needs a value")
			}
			value, args = args[0], args[1:]
		}
		if err := set(value); err != nil {
			return FlagError(name + " " + value + ": " + err.Error())
		}
	}
	return nil
}

func (f *Flags) switches() map[string]*bool {
	all := map[string]*bool{"--no-titles": &f.NoTitles, "--help": &f.Help, "-h": &f.Help, "--version": &f.Version}
	maps.Copy(all, f.Switches)
	return all
}

func (f *Flags) values() map[string]func(string) error {
	return map[string]func(string) error{
		"--interval": func(v string) error {
			d, err := time.ParseDuration(v)
			if err != nil || d < minInterval || d%time.Second != 0 || time.Hour%d != 0 {
				return FlagError("must be 5s to 1h, and a divisor of an hour")
			}
			f.Interval = d
			return nil
		},
		"--idle-after": func(v string) error {
			d, err := time.ParseDuration(v)
			if err != nil || d < minIdleAfter || d > maxIdleAfter {
				return FlagError("must be 1s to 24h")
			}
			f.IdleAfter = d
			return nil
		},
		"--report-every": func(v string) error {
			d, err := time.ParseDuration(v)
			if err != nil || d < minReportEvery || d > maxReportEvery {
				return FlagError("must be 1s to 60s")
			}
			f.ReportEvery = d
			return nil
		},
	}
}

// Main runs a helper with its command line, prints what it leaves to be read, an error
// behind its name, and returns its exit code.
func Main(name string, run func(args []string) (code int, message string)) (code int) {
	code, message := run(os.Args[1:])
	out := os.Stdout
	if code != ExitOK {
		out, message = os.Stderr, name+": "+message+"\n"
	}
	if message != "" { // standard output may be the daemon's socket
		_, _ = out.WriteString(message) // there is nowhere else to write it
	}
	return code
}

// Answer returns what a command line alone is answered with: an error, help or the version;
// answered is false where the helper is to run.
func (f *Flags) Answer(name, usage, version string, err error) (code int, message string, answered bool) {
	switch {
	case err != nil:
		return ExitUsage, err.Error() + " (see " + name + " --help)", true
	case f.Help:
		return ExitOK, usage, true
	case f.Version:
		return ExitOK, name + " " + version + "\n", true
	}
	return ExitOK, "", false
}
