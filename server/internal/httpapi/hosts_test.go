package httpapi_test

import (
	"net/http"
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
