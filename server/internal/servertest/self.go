package servertest

import (
	"net/http"

	"activity-tracker.example/server/api"
)

// SelfLink returns a link to an account, made for its host.
func (b *Bench) SelfLink(credential, machineID string) api.SelfLink {
	b.T.Helper()
	var link api.SelfLink
	b.Do(http.MethodPost, "/api/self-links", credential, api.SelfLinkRequest{MachineID: machineID}).Wants(http.StatusCreated, &link)
	return link
}

// OpenSelf opens an account by a link and returns the header that the browser sends from
// then on.
func (b *Bench) OpenSelf(credential, machineID string) []string {
	b.T.Helper()
	r := b.Do(http.MethodPost, "/api/self-sessions", "", api.SelfSessionRequest{Link: b.SelfLink(credential, machineID).URL})
	r.Wants(http.StatusOK, nil)
	return r.Cookie()
}
