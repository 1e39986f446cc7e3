package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/testhost"
	"activity-tracker.example/testhost/debian"
)

// TestPause: what somebody types while they have paused is nowhere, what they type before
// and after is exact, and the server is told when they had paused and that they had,
// although it was away all the while and trackerd was restarted. Nobody else can pause for
// them. On their own page they see themselves alone.
func TestPause(t *testing.T) { onSuites(t, pause) }

func pause(t *testing.T, suite debian.Suite) {
	srv := newServer(t)
	h := trackedHost(t, suite, srv)
	defer h.showLogOnFailure(t)
	p := h.login(t, "alice")
	p.mustWork(t, 40, 3, 2, 2)
	wantTold(t, p)
	p.wantNoPage(t, p.name, "--base-url")
	srv.Stop(t)
	p.wantNoPage(t, p.name, "the server does not answer")
	p.mustWork(t, 20, 1, 1, 2)
	for name, want := range map[string]string{"root": "root cannot pause for others", "nobody": "no session of yours is measured here"} {
		if out, err := h.trackctlAs(t, name, "pause"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s pauses: %v, %s", name, err, out)
		}
	}
	began := time.Now()
	var paused struct{ Until time.Time }
	p.trackctl(t, &paused, "pause", "10m")
	if off := paused.Until.Sub(began.Add(10 * time.Minute)); off < -time.Second || off > time.Minute {
		t.Errorf("paused until %v, at %v", paused.Until, began)
	}
	p.typeUnseen(t)
	eventually(t, helperGone, "no helper is left", func() error { return h.unitGone(t, p.Session.ID) })
	h.run(t, "systemctl", "restart", "trackerd")
	eventually(t, 30*time.Second, "the status tells of the pause after a restart", func() error {
		out, err := h.trackctlAs(t, p.name, "status")
		if err == nil && !strings.Contains(out, "You have paused") {
			err = fmt.Errorf("the status is %s", out)
		}
		return err
	})
	// A whole minute of the clock passes, which is what a day can tell.
	minute := began.Truncate(time.Minute).Add(time.Minute)
	h.pause(t, time.Until(minute.Add(time.Minute+time.Second)))
	if err := h.unitGone(t, p.Session.ID); err != nil {
		t.Error(err)
	}
	p.typeUnseen(t)
	var resumed struct{ Paused bool }
	before := time.Now()
	p.trackctl(t, &resumed, "resume")
	if !resumed.Paused {
		t.Error("there was no pause to end")
	}
	h.waitTracked(t, p.Session.ID, before)
	p.mustWork(t, 30, 2, 1, 2)
	srv.Env = []string{"TRACKERD_SERVER_BASE_URL=http://" + srv.Addr}
	srv.Start(t)
	wantTold(t, p)
	p.wantNoRecords(t, began.Add(time.Second), before)
	p.wantNotCollected(t, minute)
	p.wantOwnPage(t)
}

// typeUnseen types and clicks what is to be counted nowhere.
func (p *person) typeUnseen(t *testing.T) {
	t.Helper()
	if _, err := p.Type(t.Context(), strings.Repeat("b", 50)); err != nil {
		t.Fatal(err)
	}
	if err := p.Click(t.Context(), 4, 1); err != nil {
		t.Fatal(err)
	}
}

// trackctlAs runs trackctl as a user of the host.
func (h *host) trackctlAs(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	res, err := h.Exec(t.Context(), testhost.Command{Args: append([]string{"runuser", "-u", name, "--", "trackctl"}, args...)})
	if err == nil && res.Code != 0 {
		err = fmt.Errorf("exit code %d: %s", res.Code, res.Stderr)
	}
	return res.Stdout, err
}

// trackctl runs it as p and reads what it prints as JSON.
func (p *person) trackctl(t *testing.T, into any, args ...string) {
	t.Helper()
	out, err := p.host.trackctlAs(t, p.name, append(args, "--json")...)
	if err == nil {
		err = json.Unmarshal([]byte(out), into)
	}
	if err != nil {
		t.Fatalf("trackctl %v: %v", args, err)
	}
}

// wantNoRecords holds that no record lies wholly within a time.
func (p *person) wantNoRecords(t *testing.T, from, until time.Time) {
	t.Helper()
	for _, e := range p.records(t) {
		if !e.Timestamp.Before(from) && !e.Timestamp.Add(interval*time.Second).After(until) {
			t.Errorf("a record within the pause: %+v", e)
		}
	}
}

// wantNotCollected waits until the person's day says of a minute that they had paused.
func (p *person) wantNotCollected(t *testing.T, minute time.Time) {
	t.Helper()
	var people api.PersonList
	if err := p.host.srv.Get(t.Context(), "/api/people?machine_id="+p.machine, &people); err != nil || len(people.People) != 1 {
		t.Fatal(people, err)
	}
	eventually(t, 3*time.Minute, "the server tells of the pause", func() error {
		var d api.PersonDay
		err := p.host.srv.Get(t.Context(), "/api/people/"+people.People[0].ID+"/day?date="+minute.UTC().Format(time.DateOnly), &d)
		for _, s := range d.Segments {
			if !s.Start.After(minute) && s.End.After(minute) && s.State == "not_collected" && s.Reason == api.NotCollectedPause {
				return nil
			}
		}
		if err == nil {
			err = fmt.Errorf("the day is %+v", d.Segments)
		}
		return err
	})
}
