package main

import (
	"os"
	"path/filepath"
	"strconv"

	"activity-tracker.example/sessiond/internal/compositor"
	"activity-tracker.example/sessiond/internal/launch"
)

const usage = `Usage: sessiond-wayland [--session ID] [options]

Measures which window of a Wayland session has the focus, for the host daemon.
It is started by trackerd with a socket as standard input, not by hand. Input is
counted by another program.

Options:
  --session ID        logind's id of the session; any of the user's without it
  --runtime-dir DIR   the user's runtime folder (/run/user/UID)
  --kwin-script FILE  what KDE's compositor is to run, a file that it can read
                      (` + defaultKWinScript + `)
` + launch.Usage + `
Exit codes: 0 the compositor went away, the daemon closed the socket or SIGTERM
came; 1 internal error; 2 wrong use; 3 no compositor was found; 4 the compositor
broke the protocol or stopped answering.
`

// defaultKWinScript is where the package has the script.
const defaultKWinScript = "/usr/share/trackerd/kwin-focus.js"

// maxSessionBytes bounds a session's id, which logind makes of a few letters and
// digits.
const maxSessionBytes = 64

type flags struct {
	launch.Flags
	place      compositor.Place
	kwinScript string
}

func parseFlags(args []string) (flags, error) {
	f := flags{place: compositor.Place{Runtime: "/run/user/" + strconv.Itoa(os.Getuid())}, kwinScript: defaultKWinScript}
	return f, f.Parse(args, map[string]func(string) error{
		"--session": func(v string) error {
			if !isSession(v) {
				return launch.FlagError("must be logind's id of a session, such as 2 or c1")
			}
			f.place.Session = v
			return nil
		},
		"--runtime-dir": absolute(&f.place.Runtime),
		"--kwin-script": absolute(&f.kwinScript),
	})
}

// absolute sets a path.
func absolute(path *string) func(string) error {
	return func(v string) error {
		if !filepath.IsAbs(v) {
			return launch.FlagError("must be an absolute path")
		}
		*path = v
		return nil
	}
}

// isSession reports whether v can be a session's id, which has letters and
// digits only.
func isSession(v string) bool {
	for _, c := range []byte(v) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return v != "" && len(v) <= maxSessionBytes
}
