package main

import (
	"net/http"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/secret"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store"
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
	viewer := b.Token(store.RoleViewer)
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

func TestSilentHosts(t *testing.T) {
	now := servertest.At("2026-03-02T12:00:00Z")
	seen := now.Add(-time.Hour)
	all := []store.HostState{
		{HostID: "fresh", EnrolledAt: now.Add(time.Second)},
		{HostID: "never", EnrolledAt: now.Add(-48 * time.Hour)},
		{HostID: "recent", EnrolledAt: now.Add(-48 * time.Hour), LastSeen: &seen},
	}
	for atLeast, want := range map[time.Duration]string{0: "fresh never recent ", time.Hour: "never recent ", 2 * time.Hour: "never ", 72 * time.Hour: ""} {
		got := ""
		for _, h := range silentHosts(all, now, atLeast) {
			got += h.HostID + " "
		}
		if got != want {
			t.Errorf("silent for %v: %q, want %q", atLeast, got, want)
		}
	}
	row := hostRow(silentHosts(all, now, 0)[2])
	if row[5] != "2026-03-02T11:00:00Z" || row[6] != "1h" || row[7] != "enrolled" {
		t.Errorf("%q", row)
	}
}

// A server that leaves the schema alone listens, says 503, and is ready once
// somebody else has migrated.
func TestServeWaitsForMigration(t *testing.T) {
	databaseURL := servertest.NewDatabase(t)
	run := startServing(t, &settings{databaseURL: databaseURL, noMigrate: true})
	b := servertest.Connect(t, run.url, &http.Transport{})
	servertest.Await(t, "the process", func() bool {
		r, err := b.Try(http.MethodGet, "/healthz", "", nil)
		return err == nil && r.Status == 200
	})
	b.Do(http.MethodGet, "/api/machines", secret.New(secret.KindToken).Reveal(), nil).Refused(503, api.CodeUnavailable)
	b.Store = servertest.New(t, databaseURL).Store
	servertest.Await(t, "readiness", func() bool {
		r, err := b.Try(http.MethodGet, "/readyz", "", nil)
		return err == nil && r.Status == 200
	})
	run.stop()
	if err := <-run.done; err != nil {
		t.Error(err)
	}
}
