// Package doctor reports how well a host measures, and what to do about what is wrong:
// checks as pure functions of what the daemon read. It asks nothing itself.
package doctor

import (
	"cmp"
	"fmt"

	"activity-tracker.example/hostd/buffer"
	"activity-tracker.example/hostd/collect"
	"activity-tracker.example/hostd/config"
	"activity-tracker.example/hostd/control"
	"activity-tracker.example/hostd/enrollment"
	"activity-tracker.example/hostd/helper"
	"activity-tracker.example/hostd/roster"
	"activity-tracker.example/hostd/upload"
	"activity-tracker.example/server/api"
)

// Facts are all that is checked.
type Facts struct {
	Config *config.Config
	// User is set when one person runs this daemon for themselves.
	User   bool
	HostID string
	// Enrolled is how the host stands with its server. Server is what that answered
	// when it was asked whether it is ready, and Credential to an empty batch.
	Enrolled           enrollment.State
	Server, Credential Answer
	// Bus is why logind does not answer; nil while it does.
	Bus error
	// Tracked is how many sessions are to be measured; Problems and Refused are
	// what the roster left out.
	Tracked           int
	Problems, Refused []roster.Problem
	Helpers           []Helper
	Sessions          []control.Session
	Buffer            buffer.Status
	Collecting        collect.Status
	Uploading         upload.Status
	Disk              Disk
	Policy            Policy
}

// Helper is one helper, and whether somebody can be at its session.
type Helper struct {
	helper.State
	// Connected is nil where it cannot be known, and Unknown why.
	Connected *bool
	Unknown   error
}

// Disk is how much room there is for the buffer.
type Disk struct {
	Folder string
	Free   uint64 // bytes
	// Err is why that is not known.
	Err error
}

// Examine returns every check, in the order in which they are worth reading.
func Examine(f *Facts) []api.Check {
	ready, clock := checkServer(f)
	checks := []api.Check{
		checkConfiguration(f), clock, ready, checkCredential(f, ready), checkPolicy(f), checkBus(f), checkRoster(f),
		checkClients(f.Helpers), checkFocus(f.Helpers), checkX(f.Sessions), checkBuffer(f), checkRejected(f),
	}
	checks = append(checks, checkDevices(f.Helpers)...)
	checks = append(checks, checkScreenshots(f.Sessions)...)
	return append(checks, checkLock(f.Helpers)...)
}

// checkConfiguration repeats what was read: trackerd starts with none that is wrong.
func checkConfiguration(f *Facts) api.Check {
	c := api.Check{
		Name: "configuration", Result: api.CheckOK,
		Detail: fmt.Sprintf("valid; one record every %d s, uploaded every %d s",
			int(f.Config.CollectInterval.Seconds()), int(f.Config.SendInterval.Seconds())),
	}
	if file := f.Config.Exposed; file != "" {
		c.Result, c.Detail = api.CheckWarning, c.Detail+"; every user can read the proxy's password in "+file
		c.Advice = "chmod 600 " + file + ", then restart trackerd"
	}
	return c
}

func checkBus(f *Facts) api.Check {
	if f.Bus != nil {
		return api.Check{
			Name: "bus", Result: api.CheckFailed, Detail: f.Bus.Error(),
			Advice: "look at 'systemctl status dbus systemd-logind'; trackerd connects again by itself",
		}
	}
	return api.Check{Name: "bus", Result: api.CheckOK, Detail: "logind answers"}
}

// EnrolCommand returns what a person is to type to enrol with the server at url, and
// as whom; user is set when they run the daemon themselves.
func EnrolCommand(user bool, url string) string {
	if user {
		return "'trackctl --user enroll " + url + " -'"
	}
	return "'trackctl enroll " + url + " -' as root"
}

// enrolAgain returns how a host that the server may know gets a credential: a plain
// token enrols none that is enrolled already, revoked or not.
func (f *Facts) enrolAgain(server string) string {
	kind := ""
	if f.User {
		kind = "--user "
	}
	return fmt.Sprintf("make a token on the server with 'trackerd-server enrollment create %s--host %s', "+
		"then run %s here; events wait on this host until then",
		kind, f.HostID, EnrolCommand(f.User, cmp.Or(server, "URL")))
}
