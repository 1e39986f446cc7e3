package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/sample"
)

const (
	// sampleMark begins whatever is made up, so that nobody takes it for real.
	sampleMark = "Sample"
	// samplePeople is how many there are, unless DEMO_PEOPLE is set; maxSamplePeople bounds
	// them, so that the list of machines stays one answer.
	samplePeople, maxSamplePeople = 200, 500
	// sampleDays is for how long they have been there.
	sampleDays = 30
	// sampleRecord is how long their records of days that are over are. One of five minutes
	// costs a fifth of what real ones do.
	sampleRecord = 5 * time.Minute
	// sampleBatch is how many events one request has: about a megabyte.
	sampleBatch = 2000
	// absentEvery is of how many people one is not there now.
	absentEvery = 6
	// sampleLogin is who looks at the pages.
	sampleLogin = "demo"
)

// dashboard is what the demonstration's pages show beside the two who really work.
type dashboard struct {
	srv      *server
	admin    string
	people   []sample.Person
	hosts    map[string]string
	password string
}

// peopleFrom reads how many people are made up.
func peopleFrom(text string) (int, error) {
	if text == "" {
		return samplePeople, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > maxSamplePeople {
		return 0, fmt.Errorf("DEMO_PEOPLE=%q: want a number of people up to %d", text, maxSamplePeople)
	}
	return n, nil
}

// startDashboard makes a login, and begins to fill the pages with people who are made up. The
// function that it returns waits until they are there.
func startDashboard(ctx context.Context, srv *server, people int) (*dashboard, func() error, error) {
	d := &dashboard{srv: srv, people: sample.People(people, sampleMark), hosts: map[string]string{}, password: rand.Text()}
	var err error
	if d.admin, err = srv.command(ctx, "token", "create", "--name", "demo", "--role", "admin"); err != nil {
		return nil, nil, err
	}
	if err := d.makeLogin(ctx); err != nil {
		return nil, nil, fmt.Errorf("make a login for the pages: %w", err)
	}
	done := make(chan error, 1)
	go func() { done <- d.fill(ctx) }()
	return d, func() error { return <-done }, nil
}

func (d *dashboard) makeLogin(ctx context.Context) error {
	var made api.UserInvitation
	err := d.srv.do(ctx, http.MethodPost, "/api/users", d.admin, api.UserInvite{Login: sampleLogin, UserAccess: api.UserAccess{Role: "admin"}}, &made)
	if err != nil {
		return err
	}
	return d.srv.do(ctx, http.MethodPost, "/api/invitation", "", api.InvitationAcceptance{Invitation: made.Invitation, Password: d.password}, nil)
}

// fill has a month of them arrive, then goes on with what they do now.
func (d *dashboard) fill(ctx context.Context) error {
	now := time.Now().UTC()
	today := now.Truncate(24 * time.Hour)
	waiting := map[string][]api.Event{}
	for i := range d.people {
		p := &d.people[i]
		for back := sampleDays; back > 0; back-- {
			midnight := today.AddDate(0, 0, -back)
			waiting[p.Host] = append(waiting[p.Host], p.Day(midnight, midnight.AddDate(0, 0, 1), sampleRecord, false)...)
		}
		if i%absentEvery != 0 {
			waiting[p.Host] = append(waiting[p.Host], p.Day(today, now, time.Minute, true)...)
		}
		if len(waiting[p.Host]) >= sampleBatch || i == len(d.people)-1 || d.people[i+1].Host != p.Host {
			if err := d.send(ctx, p.Host, waiting[p.Host]); err != nil {
				return fmt.Errorf("send what %s did: %w", p.Name, err)
			}
			delete(waiting, p.Host)
		}
	}
	return d.group(ctx)
}

// send has a host report, which enrols first.
func (d *dashboard) send(ctx context.Context, host string, list []api.Event) error {
	if d.hosts[host] == "" {
		token, err := d.srv.command(ctx, "enrollment", "create", "--uses", "1", "--expires", "1h")
		if err != nil {
			return err
		}
		var reply api.EnrollReply
		ask := api.EnrollRequest{EnrollmentToken: token, HostID: host, Hostname: host + ".example"}
		if err := d.srv.do(ctx, http.MethodPost, "/api/enroll", "", ask, &reply); err != nil {
			return err
		}
		d.hosts[host] = reply.Credential
	}
	for part := range slices.Chunk(list, sampleBatch) {
		var reply api.IngestReply
		if err := d.srv.do(ctx, http.MethodPost, "/api/events", d.hosts[host], api.EventBatch{Events: part}, &reply); err != nil {
			return err
		}
		if len(reply.Rejected) > 0 {
			return fmt.Errorf("rejected: %+v", reply.Rejected[0])
		}
	}
	return nil
}

// group puts them in groups: all of them in one, and each team in its own.
func (d *dashboard) group(ctx context.Context) error {
	teams := sample.Teams(d.people)
	all := make([]string, len(d.people))
	for i := range d.people {
		all[i] = d.people[i].MachineID
		path := "/api/machines/" + url.PathEscape(all[i])
		if err := d.srv.do(ctx, http.MethodPatch, path, d.admin, api.MachinePatch{UserLabel: &d.people[i].Name}, nil); err != nil {
			return err
		}
	}
	if len(all) > 0 {
		teams[sampleMark] = all
	}
	for _, team := range slices.Sorted(maps.Keys(teams)) {
		path := "/api/groups/" + url.PathEscape(team)
		err := cmp.Or(d.srv.do(ctx, http.MethodPut, path, d.admin, nil, nil),
			d.srv.do(ctx, http.MethodPut, path+"/machines", d.admin, api.GroupMembers{Machines: teams[team]}, nil))
		if err != nil {
			return err
		}
	}
	return nil
}

// goOn has them work on, a record a minute, until the demonstration ends.
func (d *dashboard) goOn(ctx context.Context) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := time.Now().UTC().Truncate(time.Minute)
		for i := range d.people {
			p := &d.people[i]
			list := p.Day(now.Truncate(24*time.Hour), now, time.Minute, true)
			if i%absentEvery == 0 || len(list) == 0 {
				continue
			}
			if err := d.send(ctx, p.Host, list[len(list)-1:]); err != nil && !errors.Is(err, context.Canceled) {
				return fmt.Errorf("send what %s does: %w", p.Name, err)
			}
		}
	}
}

// do asks the API to do something, and decodes its answer into reply, if there is one.
func (s *server) do(ctx context.Context, method, path, bearer string, body, reply any) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	var text io.Reader = http.NoBody
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("write what %s takes: %w", path, err)
		}
		text = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.url()+path, text)
	if err != nil {
		return fmt.Errorf("ask %s: %w", path, err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	return answered(req, reply)
}

// answered sends a request and decodes its answer into reply, if there is one.
func answered(req *http.Request, reply any) error {
	client := http.Client{Timeout: requestTimeout}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("ask %s: %w", req.URL.Path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return fmt.Errorf("read the answer to %s: %w", req.URL.Path, err)
	}
	if resp.StatusCode >= http.StatusBadRequest || req.Method == http.MethodGet && resp.StatusCode != http.StatusOK {
		return fmt.Errorf("ask %s: %s: %s", req.URL.Path, resp.Status, body)
	}
	if reply == nil {
		return nil
	}
	if err := json.Unmarshal(body, reply); err != nil {
		return fmt.Errorf("understand the answer to %s: %w", req.URL.Path, err)
	}
	return nil
}
