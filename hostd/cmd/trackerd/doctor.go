package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"activity-tracker.example/hostd/control"
	"activity-tracker.example/hostd/enrollment"
	"activity-tracker.example/hostd/text"
	"activity-tracker.example/hostd/upload"
)

const (
	// probeTimeout bounds each question to the server.
	probeTimeout = 10 * time.Second
	// maxSkew is how far the clocks may differ: half the usual record, so that
	// a minute's record does not land in another minute.
	maxSkew = 30 * time.Second
	// minFree is how much the buffer's disk should have left: bbolt needs room
	// to write before it can delete.
	minFree = 64 << 20
	// maxProbeBytes bounds what is read of an answer of which only the status
	// matters.
	maxProbeBytes = 64 << 10
)

// Doctor implements control.Provider.
func (d *daemon) Doctor(ctx context.Context) control.DoctorReport {
	ready, clock := d.checkServer(ctx)
	checks := []control.Check{
		d.checkConfiguration(), clock, ready, d.checkCredential(ctx, ready), d.checkBus(), d.checkRoster(), d.checkClients(), d.checkFocus(), d.checkX(), d.checkBuffer(),
	}
	return control.NewDoctorReport(append(checks, slices.Concat(d.checkDevices(), d.checkLock())...))
}

// checkConfiguration says what was read: trackerd starts with none that is
// wrong.
func (d *daemon) checkConfiguration() control.Check {
	return control.Check{
		Name: "configuration", Result: control.CheckOK,
		Detail: fmt.Sprintf("valid; one record every %d s, uploaded every %d s", int(d.cfg.CollectInterval.Seconds()), int(d.cfg.SendInterval.Seconds())),
	}
}

// checkServer asks the server whether it is ready, and what time it is.
func (d *daemon) checkServer(ctx context.Context) (ready, clock control.Check) {
	ready = control.Check{Name: "server", Result: control.CheckFailed}
	clock = control.Check{Name: "clock", Result: control.CheckSkipped, Detail: "cannot be compared without the server"}
	server := d.enrollment.State().ServerURL
	if server == "" {
		ready.Detail, ready.Advice = "none yet: this host is not enrolled", "run "+enrolCommand(d.opts.user, "URL")
		return ready, clock
	}
	before := time.Now()
	said, err := probe(ctx, http.MethodGet, server+"/readyz", "", "")
	if err != nil {
		ready.Detail = enrollment.Explain(server, err).Error()
		ready.Advice = "nothing is lost meanwhile: events wait on this host"
		return ready, clock
	}
	clock = checkClock(said.date, before, time.Now())
	if said.status != http.StatusOK {
		ready.Detail = fmt.Sprintf("%s answers, but is not ready: HTTP %d", server, said.status)
		ready.Advice = "look at the server and its database; nothing is lost meanwhile"
		return ready, clock
	}
	ready.Result, ready.Detail = control.CheckOK, server+" is ready"
	return ready, clock
}

// checkClock compares the server's Date, which has whole seconds, with the
// time between question and answer.
func checkClock(date string, before, after time.Time) control.Check {
	c := control.Check{Name: "clock", Result: control.CheckSkipped, Detail: "the server does not say what time it is"}
	server, err := http.ParseTime(date)
	if err != nil {
		return c
	}
	skew := before.Add(after.Sub(before) / 2).Sub(server).Round(time.Second)
	if skew.Abs() <= maxSkew {
		c.Result, c.Detail = control.CheckOK, fmt.Sprintf("within %s of the server's", maxSkew)
		return c
	}
	side := "ahead of"
	if skew < 0 {
		side = "behind"
	}
	c.Result, c.Detail = control.CheckFailed, fmt.Sprintf("%s %s the server's", skew.Abs(), side)
	c.Advice = "let systemd-timesyncd or chrony set it ('timedatectl'), on this host or on the server"
	return c
}

// checkCredential sends an empty batch.
func (d *daemon) checkCredential(ctx context.Context, server control.Check) control.Check {
	c := control.Check{Name: "credential", Result: control.CheckFailed}
	target, enrolled := d.enrollment.Target()
	switch {
	case !enrolled:
		c.Detail, c.Advice = "this host is not enrolled", "run "+enrolCommand(d.opts.user, "URL")
		if st := d.enrollment.State(); st.Problem != "" {
			c.Detail, c.Advice = st.Problem, d.enrolAgain(st.ServerURL)
		}
		return c
	case server.Result != control.CheckOK:
		c.Result, c.Detail = control.CheckSkipped, "cannot be tried without the server"
		return c
	}
	said, err := probe(ctx, http.MethodPost, target.URL+"/api/events", target.Credential, `{"events":[]}`)
	switch {
	case err != nil:
		c.Detail = enrollment.Explain(target.URL, err).Error()
	case said.status == http.StatusUnauthorized, said.status == http.StatusForbidden:
		c.Detail = fmt.Sprintf("the server does not accept it (HTTP %d)", said.status)
		c.Advice = d.enrolAgain(target.URL)
	case said.status != http.StatusOK:
		c.Result, c.Detail = control.CheckWarning, fmt.Sprintf("the server answered HTTP %d", said.status)
		c.Advice = "look at the server, then examine again"
	default:
		c.Result, c.Detail = control.CheckOK, "the server accepts it"
	}
	return c
}

// enrolAgain says how a host that the server may know gets a credential: a plain
// token enrols none that is enrolled already, revoked or not.
func (d *daemon) enrolAgain(server string) string {
	kind := ""
	if d.opts.user {
		kind = "--user "
	}
	return fmt.Sprintf("make a token on the server with 'trackerd-server enrollment create %s--host %s', "+
		"then run %s here; events wait on this host until then",
		kind, d.hostID, enrolCommand(d.opts.user, cmp.Or(server, "URL")))
}

// answer is what matters of a server's reply.
type answer struct {
	status int
	date   string
}

// probe asks once; the reply's body is read and thrown away.
func probe(ctx context.Context, method, url, credential, body string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return answer{}, fmt.Errorf("make the request: %w", err)
	}
	if credential != "" {
		req.Header.Set("Authorization", "Bearer "+credential)
		req.Header.Set("Content-Type", "application/json")
	}
	client := upload.NewClient()
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, fmt.Errorf("ask the server: %w", err)
	}
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, maxProbeBytes))
	if closeErr := resp.Body.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return answer{}, fmt.Errorf("read the server's answer: %w", err)
	}
	return answer{status: resp.StatusCode, date: resp.Header.Get("Date")}, nil
}

func (d *daemon) checkBus() control.Check {
	if err := d.watcher.Healthy(); err != nil {
		return control.Check{
			Name: "bus", Result: control.CheckFailed, Detail: err.Error(),
			Advice: "look at 'systemctl status dbus systemd-logind'; trackerd connects again by itself",
		}
	}
	return control.Check{Name: "bus", Result: control.CheckOK, Detail: "logind answers"}
}

// checkX says whether each session's helper reports, which it can only if it
// reads its display.
func (d *daemon) checkX() control.Check {
	c := control.Check{Name: "x_access", Result: control.CheckOK}
	var bad []string
	sessions := d.sessions(time.Now())
	for _, s := range sessions {
		if s.State == control.SessionRetrying || s.State == control.SessionSilent {
			text := fmt.Sprintf("session %s of %s on %s is %s", s.ID, s.User, s.Display, s.State)
			if s.Problem != "" {
				text += " (" + s.Problem + ")"
			}
			bad = append(bad, text)
		}
	}
	switch {
	case len(bad) > 0:
		c.Result, c.Detail = control.CheckFailed, strings.Join(bad, "; ")
		c.Advice = "'journalctl -u \"trackerd-session-*\" -u \"trackerd-seat-*\"' says why; trackerd starts the helper again by itself"
	case len(sessions) == 0:
		c.Detail = "no session to read now"
	default:
		c.Detail = text.Count(int64(len(sessions)), "session") + " can be read"
	}
	return c
}

func (d *daemon) checkBuffer() control.Check {
	s, collecting := d.buffer.Status(), d.collector.Status()
	c := control.Check{
		Name: "buffer", Result: control.CheckOK,
		Detail: fmt.Sprintf("%s waiting, file of %d KiB", text.Count(int64(s.Waiting), "event"), s.FileBytes>>10),
	}
	var fs unix.Statfs_t
	dir := filepath.Dir(d.cfg.BufferPath)
	if err := unix.Statfs(dir, &fs); err != nil {
		c.Result, c.Detail = control.CheckWarning, fmt.Sprintf("cannot tell how full the disk of %s is: %v", dir, err)
	} else if free := fs.Bavail * uint64(fs.Bsize); free < minFree {
		c.Result, c.Detail = control.CheckFailed, fmt.Sprintf("only %d MiB are free on the disk of %s", free>>20, dir)
		c.Advice = "make room; counting goes on in memory as long as it can"
	}
	if collecting.Err != nil {
		c.Result, c.Detail, c.Advice = control.CheckFailed, collecting.Err.Error(), "make room or mend the disk"
		return c
	}
	problems := bufferProblems(s)
	for _, code := range slices.Sorted(maps.Keys(s.Dead)) {
		problems = append(problems, fmt.Sprintf("the server rejected %s for good (%s)", text.Count(int64(s.Dead[code]), "event"), code))
	}
	if len(problems) > 0 && c.Result == control.CheckOK {
		c.Result = control.CheckWarning
		c.Advice = "the journal ('journalctl -u trackerd') says when"
	}
	if len(problems) > 0 {
		c.Detail += "; " + strings.Join(problems, "; ")
	}
	return c
}
