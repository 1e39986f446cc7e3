package httpapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
)

// A revoked host gets 401 although its credential was remembered, keeps its data,
// and comes back only with a token made for it.
func TestRevokedHost(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	fleet := b.Enrollment(5, time.Hour, "")
	enroll := func(token string) servertest.Reply {
		return b.Do(http.MethodPost, "/api/enroll", "", api.EnrollRequest{EnrollmentToken: token, HostID: "h", Hostname: "h.example"})
	}
	var first api.EnrollReply
	enroll(fleet).Wants(201, &first)
	b.Send(first.Credential, servertest.Minute("m", 0))
	b.Send(first.Credential, servertest.Minute("m", 1))

	was, err := b.Store.RevokeHost(t.Context(), "h")
	if err != nil || was.Machines != 1 || !was.Revoked || was.LastSeen == nil {
		t.Errorf("%+v, %v", was, err)
	}
	b.Do(http.MethodPost, "/api/events", first.Credential, api.EventBatch{Events: []api.Event{servertest.Minute("m", 2)}}).
		Refused(401, api.CodeUnauthorized)
	enroll(fleet).Refused(409, api.CodeHostEnrolled)
	viewer := b.Token(directory.RoleViewer)
	if s := b.Summary(viewer, "m", "date=2024-01-15"); s.KeyCount != 2 {
		t.Errorf("%d keys are left, want 2", s.KeyCount)
	}

	var again api.EnrollReply
	enroll(b.Enrollment(1, time.Hour, "h")).Wants(201, &again)
	b.Send(again.Credential, servertest.Minute("m", 2))
	hosts, err := b.Store.Hosts(t.Context())
	if err != nil || len(hosts) != 1 || hosts[0].Revoked {
		t.Errorf("%+v, %v", hosts, err)
	}
}

// TestRenamedHost: a host is shown by the name that it has now, and its people's
// machine_ids stay.
func TestRenamedHost(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	var host api.EnrollReply
	b.Do(http.MethodPost, "/api/enroll", "", api.EnrollRequest{EnrollmentToken: b.Enrollment(1, time.Hour, ""), HostID: "h", Hostname: "office"}).Wants(201, &host)
	viewer := b.Token(directory.RoleViewer)
	for i, c := range []struct{ header, want string }{
		{"", "office"},
		{"office2.corp.example", "office2.corp.example"},
		{"", "office2.corp.example"},
		{"office\u202e3", "office2.corp.example"},
		{strings.Repeat("x", api.MaxHostnameBytes+1), "office2.corp.example"},
		{"office", "office"},
	} {
		batch := api.EventBatch{Events: []api.Event{servertest.Minute("m", i)}}
		var headers []string
		if c.header != "" {
			headers = []string{api.HostnameHeader, c.header}
		}
		b.Do(http.MethodPost, "/api/events", host.Credential, batch, headers...).Wants(200, nil)
		var m api.Machine
		b.Do(http.MethodGet, "/api/machines/m", viewer, nil).Wants(200, &m)
		if m.Hostname != c.want {
			t.Errorf("after a request from %q it is shown as %q, want %q", c.header, m.Hostname, c.want)
		}
	}
}

// An administrator sees what a host reports of itself when it asks for its policy, which it
// does with nobody logged in too, and when it last sent something. Nothing is refused for it.
func TestHostsReportThemselves(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	admin, host, old := b.Token(directory.RoleAdmin), b.Host("h1"), b.Host("h2")
	show := func(id string) (h api.EnrolledHost) {
		t.Helper()
		if err := b.Store.Heartbeats.Write(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.Do(http.MethodGet, "/api/hosts/"+id, admin, nil).Wants(200, &h)
		return h
	}
	if h := show("h1"); h.LastContact != nil || h.LastUpload != nil || h.AgentVersion != "" || h.ClockOffsetSeconds != nil || h.Unseen != nil {
		t.Errorf("before it was heard: %+v", h)
	}
	ask := func(credential string, headers ...string) {
		t.Helper()
		b.Do(http.MethodGet, "/api/policy", credential, nil, headers...).Wants(200, nil)
	}
	ask(host, "User-Agent", api.AgentProduct+"1.2.3", api.ClockHeader, time.Now().Add(-90*time.Second).Format(time.RFC3339Nano), api.UnseenHeader, "lock_unknown, of_tomorrow")
	h := show("h1")
	if h.LastContact == nil || h.LastUpload != nil || h.AgentVersion != "1.2.3" || h.AgentOutdated || !slices.Equal(h.Unseen, []api.Unseen{"lock_unknown", "of_tomorrow"}) {
		t.Errorf("%+v", h)
	}
	if behind := h.ClockOffsetSeconds; behind == nil || *behind > -89 || *behind < -100 {
		t.Errorf("its clock is 90 s behind, shown is %v", behind)
	}
	b.Do(http.MethodPost, "/api/events", old, api.EventBatch{Events: []api.Event{}}).Wants(200, nil) // as doctor does
	ask(old, "User-Agent", "Go-http-client/1.1")
	if h := show("h2"); h.LastContact == nil || h.LastUpload != nil || h.AgentVersion != "" {
		t.Errorf("an older agent: %+v", h)
	}
	b.Send(old, servertest.Minute("m", 0))
	if h := show("h2"); h.LastUpload == nil || time.Since(*h.LastUpload).Abs() > servertest.Patience {
		t.Errorf("after an upload: %+v", h)
	}
	// It was upgraded past the other one, and reports what no agent would.
	ask(old, "User-Agent", api.AgentProduct+"1.3", api.ClockHeader, "9999-12-31T23:59:59Z", api.UnseenHeader, "<script>,none,"+strings.Repeat("x", 500))
	if h := show("h2"); h.AgentVersion != "1.3" || h.AgentOutdated || h.ClockOffsetSeconds == nil || *h.ClockOffsetSeconds < 2e11 || h.Unseen == nil || len(h.Unseen) != 0 {
		t.Errorf("%+v", h)
	}
	if !show("h1").AgentOutdated {
		t.Error("an older agent is as good as a newer one")
	}
	ask(old, "User-Agent", api.AgentProduct+strings.Repeat("9", 4096), api.ClockHeader, "0001-01-01T00:00:00Z", api.UnseenHeader, "lock_unknown")
	if h := show("h2"); h.AgentVersion != "" || h.ClockOffsetSeconds != nil || h.Unseen != nil {
		t.Errorf("a version of 4 KiB: %+v", h)
	}
}
