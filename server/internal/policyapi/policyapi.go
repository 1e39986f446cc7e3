// Package policyapi answers about policy: to hosts what holds for them, to administrators
// what was written, and to whom.
package policyapi

import (
	"errors"
	"net/http"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/preview"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/heartbeat"
	"activity-tracker.example/server/internal/store/policies"
)

// API answers about policy.
type API struct {
	policies   *policies.Policies
	heartbeats *heartbeat.Heartbeats
	guard      *auth.Guard
	previews   *preview.Previews
	access     *access.Log
	now        func() time.Time
}

// Parts are what it is made of.
type Parts struct {
	Policies *policies.Policies
	// Heartbeats has what hosts report of themselves when they ask.
	Heartbeats *heartbeat.Heartbeats
	Guard      *auth.Guard
	Previews   *preview.Previews
	// Access is where it is written who looks.
	Access *access.Log
	// Now is the server's clock.
	Now func() time.Time
}

// New returns the answers about policy.
func New(p Parts) *API {
	return &API{policies: p.Policies, heartbeats: p.Heartbeats, guard: p.Guard, previews: p.Previews, access: p.Access, now: p.Now}
}

// reply answers with v, with nothing where it is nil, or with what err means.
func reply(w http.ResponseWriter, r *http.Request, status int, v any, err error) {
	problem.Reply(w, r, status, v, err, asProblem)
}

// kinds returns what is sent to a caller for each error of the store.
func kinds() []problem.Kind {
	return []problem.Kind{
		{Is: policies.ErrNone, Code: api.CodeNotFound, Detail: "There is no such version."},
		{Is: policies.ErrChanged, Code: api.CodeChangedMeanwhile, Detail: "Another version was written since: GET /api/policies again, and look at it before you write yours."},
		{Is: policies.ErrPast, Code: api.CodeBadRequest, Detail: "valid_from: a version can't hold from a moment in the past on; without it it holds from now on."},
		{Is: policies.ErrTooManyNext, Code: api.CodeBadRequest, Detail: "valid_from: as many versions as there may be wait for their moment; one of the same moment takes another's place."},
		{Is: policies.ErrTooMany, Code: api.CodeBadRequest, Detail: "There are as many versions as there may be."},
		{Is: policies.ErrTooManyHostGroups, Code: api.CodeBadRequest, Detail: "There are as many host groups as there may be."},
		{Is: policies.ErrNotOwned, Code: api.CodeNotFound, Detail: "This host has no such machine_id; its first record makes it. Keep the receipt, and send it again."},
		{Is: policies.ErrTooManyReceipts, Code: api.CodeBadRequest, Detail: "The account has as many receipts as there may be."},
		{Is: policies.ErrGroupsOfHost, Code: api.CodeBadRequest, Detail: "hosts: one of them would be in more host groups than it may be."},
		{Is: policies.ErrUnconfirmed, Code: api.CodeBadRequest, Detail: "same_directory: hosts would come to this group that were not in it when it was confirmed that its hosts share one directory. Send true to confirm it of all of them, or false to take it back."},
		{Is: policies.ErrGroupChanged, Code: api.CodeChangedMeanwhile, Detail: "The host group was changed since: GET /api/host-groups again, and look at it before you change it."},
		{Is: policies.ErrRulesOfHost, Code: api.CodeBadRequest, Detail: "hosts: one of them is in another host group with same_directory, and may be in one."},
	}
}

// asProblem turns an error into a refusal.
func asProblem(err error) error {
	var refusal *problem.Error
	var field *policy.FieldError
	var nobody policies.NoHostError
	switch {
	case errors.As(err, &refusal):
		return refusal
	case errors.As(err, &field) && field.TooLarge:
		return problem.New(api.CodePolicyTooLarge, "policy: "+field.Error())
	case errors.As(err, &field):
		return problem.BadRequest("policy: " + field.Error())
	case errors.As(err, &nobody):
		return problem.BadRequest("hosts: " + nobody.Error())
	}
	if refusal := problem.OfKind(err, kinds()); refusal != nil {
		return refusal
	}
	return auth.Answer(err)
}

// author names who calls, as the history keeps it.
func author(r *http.Request) string {
	caller := auth.Caller(r.Context())
	if caller.LoginSession != "" {
		return "user " + caller.ID
	}
	return "token " + caller.ID
}
