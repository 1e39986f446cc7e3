package httpapi_test

import (
	"net/http"
	"testing"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/server/internal/secret"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/policies"
)

// Links are made for a host's own accounts, used once, and off where policy has it so.
func TestSelfLinks(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	host := b.Host("h")
	b.Send(host, servertest.Minute("m1", 0))
	ask := func(machineID string) servertest.Reply {
		return b.Do(http.MethodPost, "/api/self-links", host, api.SelfLinkRequest{MachineID: machineID})
	}
	b.Do(http.MethodPost, "/api/self-links", secret.New(secret.KindHost).Reveal(), api.SelfLinkRequest{MachineID: "m1"}).Refused(401, api.CodeUnauthorized)
	ask("").Refused(400, api.CodeBadRequest)
	ask("m2").Refused(404, api.CodeNotFound)
	link := b.SelfLink(host, "m1").URL
	b.Do(http.MethodPost, "/api/self-sessions", "", []byte("{}}"), "Content-Type", "application/json").Refused(400, api.CodeBadRequest)
	open := api.SelfSessionRequest{Link: link}
	b.User("anna", directory.RoleViewer)
	b.Do(http.MethodPost, "/api/self-sessions", "", open, b.Login("anna")...).Refused(409, api.CodeLoggedIn)
	b.Do(http.MethodPost, "/api/self-sessions", "", open).Wants(200, nil)
	b.Do(http.MethodPost, "/api/self-sessions", "", open).Refused(401, api.CodeBadLink)
	off := false
	if _, err := b.Store.Policies.Add(t.Context(), policies.Draft{Author: "test", Policy: policy.Document{Self: &off}}, nil); err != nil {
		t.Fatal(err)
	}
	ask("m1").Refused(409, api.CodeSelfOff)
}
