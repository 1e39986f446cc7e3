package doctor

import (
	"fmt"
	"net/http"
	"time"

	"activity-tracker.example/hostd/enrollment"
	"activity-tracker.example/server/api"
)

// maxSkew is how far the clocks may differ: half the usual record, so that a minute's
// record does not land in another minute.
const maxSkew = 30 * time.Second

// Answer is what matters of a server's reply.
type Answer struct {
	// Asked and Answered are when, by this host's clock; zero: it was not asked.
	Asked, Answered time.Time
	// Err is why there was no reply.
	Err error
	// Status is HTTP's, and Date the header.
	Status int
	Date   string
}

// checkServer reports whether the server is ready, and whether the clocks agree.
func checkServer(f *Facts) (ready, clock api.Check) {
	ready = api.Check{Name: "server", Result: api.CheckFailed}
	clock = api.Check{Name: "clock", Result: api.CheckSkipped, Detail: "cannot be compared without the server"}
	server, said := f.Enrolled.ServerURL, &f.Server
	switch {
	case server == "":
		ready.Detail, ready.Advice = "none yet: this host is not enrolled", "run "+EnrolCommand(f.User, "URL")
		return ready, clock
	case said.Err != nil:
		ready.Detail = enrollment.Explain(server, said.Err).Error()
		ready.Advice = "nothing is lost meanwhile: events wait on this host"
		return ready, clock
	}
	clock = checkClock(said)
	if said.Status != http.StatusOK {
		ready.Detail = fmt.Sprintf("%s answers, but is not ready: HTTP %d", server, said.Status)
		ready.Advice = "look at the server and its database; nothing is lost meanwhile"
		return ready, clock
	}
	ready.Result, ready.Detail = api.CheckOK, server+" is ready"
	return ready, clock
}

// checkClock compares the server's Date, which has whole seconds, with the time
// between question and answer.
func checkClock(said *Answer) api.Check {
	c := api.Check{Name: "clock", Result: api.CheckSkipped, Detail: "the server does not say what time it is"}
	server, err := http.ParseTime(said.Date)
	if err != nil {
		return c
	}
	skew := said.Asked.Add(said.Answered.Sub(said.Asked) / 2).Sub(server).Round(time.Second)
	if skew.Abs() <= maxSkew {
		c.Result, c.Detail = api.CheckOK, fmt.Sprintf("within %s of the server's", maxSkew)
		return c
	}
	side := "ahead of"
	if skew < 0 {
		side = "behind"
	}
	c.Result, c.Detail = api.CheckFailed, fmt.Sprintf("%s %s the server's", skew.Abs(), side)
	c.Advice = "let systemd-timesyncd or chrony set it ('timedatectl'), on this host or on the server"
	return c
}

// checkCredential reports whether the server takes it.
func checkCredential(f *Facts, server api.Check) api.Check {
	c := api.Check{Name: "credential", Result: api.CheckFailed}
	said := &f.Credential
	switch {
	case f.Enrolled.Problem != "":
		c.Detail, c.Advice = f.Enrolled.Problem, f.enrolAgain(f.Enrolled.ServerURL)
	case !f.Enrolled.Enrolled:
		c.Detail, c.Advice = "this host is not enrolled", "run "+EnrolCommand(f.User, "URL")
	case server.Result != api.CheckOK:
		c.Result, c.Detail = api.CheckSkipped, "cannot be tried without the server"
	case said.Err != nil:
		c.Detail = enrollment.Explain(f.Enrolled.ServerURL, said.Err).Error()
	case said.Status == http.StatusUnauthorized, said.Status == http.StatusForbidden:
		c.Detail = fmt.Sprintf("the server does not accept it (HTTP %d)", said.Status)
		c.Advice = f.enrolAgain(f.Enrolled.ServerURL) + "; " + clonesAdvice
	case said.Status != http.StatusOK:
		c.Result, c.Detail = api.CheckWarning, fmt.Sprintf("the server answered HTTP %d", said.Status)
		c.Advice = "look at the server, then examine again"
	default:
		c.Result, c.Detail = api.CheckOK, "the server accepts it"
	}
	return c
}

// clonesAdvice is for machines that were copied before they enrolled: the server
// takes them for one, and each revokes the others' credential.
const clonesAdvice = "if it happens again and again, another machine was cloned from this one, or this one from another: " +
	"give each a machine-id of its own (" + enrollment.OwnMachineID + "), and enrol both"
