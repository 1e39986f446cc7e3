package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"activity-tracker.example/hostd/config"
	"activity-tracker.example/hostd/control"
	"activity-tracker.example/hostd/helper"
	"activity-tracker.example/hostd/hostid"
	"activity-tracker.example/hostd/logind"
	"activity-tracker.example/hostd/roster"
	"activity-tracker.example/hostd/unit"
)

const (
	// systemTimeout bounds the question whether the host's own daemon runs.
	systemTimeout = 5 * time.Second
	// systemEvery is how often it is asked again: whoever installs it must not
	// have a person measured twice for longer.
	systemEvery = 30 * time.Second
	// inputGroup owns the devices of a seat on Debian.
	inputGroup = "input"
)

// systemDaemonError reports that the host's own daemon measures this person.
type systemDaemonError struct{}

func (systemDaemonError) Error() string {
	return "the host's own trackerd runs and decides what is measured here (see 'trackctl status'); " +
		"two would count everything twice, so this one does not run beside it"
}

// settle fills in the places that the command line left open: the system's, or
// with --user the person's own.
func (o *options) settle(c *cobra.Command) error {
	if !o.user {
		return nil
	}
	if os.Geteuid() == 0 {
		return usageError{errors.New("--user is for one person without root; root runs the host's daemon")}
	}
	places, err := config.UserPlaces(os.Environ())
	if err != nil {
		return &config.Error{Source: "environment", Problem: err.Error()}
	}
	socket, err := control.UserSocket(os.Getenv("XDG_RUNTIME_DIR"))
	if err != nil {
		return &config.Error{Source: "environment", Problem: err.Error()}
	}
	o.bufferPath = places.Buffer
	for flag, place := range map[string]struct {
		value *string
		path  string
	}{
		"enrollment": {&o.enrollmentPath, places.Enrollment},
		"credential": {&o.credentialPath, places.Credential},
		"socket":     {&o.socketPath, socket},
		"sessiond":   {&o.helperPath, besideUs(o.helperPath)},
	} {
		if !c.Flags().Changed(flag) {
			*place.value = place.path
		}
	}
	if o.configPath == "" {
		o.defaultConfig = places.Config
	}
	return nil
}

// besideUs returns the helper that lies beside this program, where one person
// unpacked both, or the one of the package.
func besideUs(packaged string) string {
	self, err := os.Executable()
	if err != nil {
		return packaged
	}
	beside := filepath.Join(filepath.Dir(self), filepath.Base(packaged))
	if _, err := os.Stat(beside); err != nil {
		return packaged
	}
	return beside
}

// makeFolders makes the person's own folders, for nobody else to read.
func (o *options) makeFolders(bufferPath string) error {
	for _, file := range []string{o.credentialPath, o.enrollmentPath, bufferPath} {
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return fmt.Errorf("make a folder of one's own: %w", err)
		}
	}
	return nil
}

// systemDaemonRuns reports whether the host's own daemon answers.
func systemDaemonRuns(ctx context.Context, socket string) bool {
	ctx, cancel := context.WithTimeout(ctx, systemTimeout)
	defer cancel()
	return control.Answers(ctx, socket)
}

// yield ends the daemon once the host's own one runs.
func (d *daemon) yield(ctx context.Context) error {
	tick := time.NewTicker(systemEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if systemDaemonRuns(ctx, d.opts.systemSocket) {
			return systemDaemonError{}
		}
	}
}

// readHostID names whoever this daemon speaks for: the host, or one person on it.
func (o *options) readHostID() (hostid.ID, error) {
	if o.user {
		return hostid.ReadForUser(hostid.Path, uint32(os.Geteuid()))
	}
	return hostid.Read(hostid.Path)
}

// units is what runs the helpers, and how it is ended.
func (o *options) units(log *slog.Logger) (units helper.Units, end func()) {
	if !o.user {
		s := unit.NewSystemd()
		return s, s.Close
	}
	// Only a service manager that keeps our sockets makes it worth having the
	// helpers outlive us.
	s := unit.NewUserSystemd(os.Getenv("XDG_RUNTIME_DIR"))
	if os.Getenv("NOTIFY_SOCKET") != "" && s.Available() {
		return s, s.Close
	}
	s.Close()
	log.Warn("no service manager of this user's started this: helpers end with it, and what happens until it runs again is not counted")
	c := unit.NewChildren()
	return c, c.Close
}

// readable leaves out the sources that this daemon cannot read: a seat's devices
// need root, or a person in the group that owns them.
func (o *options) readable(r roster.Result) roster.Result {
	if !o.user || inGroup(inputGroup) {
		return r
	}
	return withoutSeats(r)
}

// withoutSeats leaves out the seats' devices, and reports whose input that is.
func withoutSeats(r roster.Result) roster.Result {
	kept := make([]roster.Tracked, 0, len(r.Tracked))
	for _, t := range r.Tracked {
		if t.Source != roster.SourceSeat {
			kept = append(kept, t)
			continue
		}
		r.Refused = append(r.Refused, roster.Problem{
			Username: t.Username,
			Text:     "no input of session " + t.Key.ID + " is counted: on Wayland that takes the rights of the group " + inputGroup,
			Advice:   "have root add you to the group ('adduser USER " + inputGroup + "'), then log in again; it lets all your programs read what you type",
		})
	}
	r.Tracked = kept
	return r
}

// inGroup reports whether this process has the rights of a group.
func inGroup(name string) bool {
	group, err := user.LookupGroup(name)
	if err != nil {
		return false
	}
	ids, err := os.Getgroups()
	return err == nil && slices.ContainsFunc(ids, func(id int) bool { return strconv.Itoa(id) == group.Gid })
}

// own returns the sessions that this daemon is for: all, or the person's own.
func (o *options) own(list []logind.Session) []logind.Session {
	if !o.user {
		return list
	}
	uid := uint32(os.Geteuid())
	kept := make([]logind.Session, 0, 1)
	for _, s := range list {
		if s.UID == uid {
			kept = append(kept, s)
		}
	}
	return kept
}
