package policyapi

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/request"
	"activity-tracker.example/server/internal/store/policies"
	"activity-tracker.example/server/internal/text"
)

// maxHostsBytes bounds the body of PUT /api/host-groups/{host_group}: as many hosts as
// it may have.
const maxHostsBytes = 2 << 20

// HostGroups lists the groups of hosts.
func (a *API) HostGroups(w http.ResponseWriter, r *http.Request) {
	all, err := a.policies.HostGroups(r.Context())
	list := api.HostGroupList{HostGroups: []api.HostGroup{}}
	for _, g := range all {
		list.HostGroups = append(list.HostGroups, api.HostGroup(g))
	}
	reply(w, r, http.StatusOK, list, err)
}

// SetHostGroup makes hosts a group's.
func (a *API) SetHostGroup(w http.ResponseWriter, r *http.Request) {
	change, err := readChange(w, r)
	change.Versions = request.IfMatchAny(r)
	if err == nil {
		err = a.policies.SetHostGroup(r.Context(), change)
	}
	reply(w, r, http.StatusNoContent, nil, err)
}

// readChange reads what a host group is to be.
func readChange(w http.ResponseWriter, r *http.Request) (c policies.HostGroupChange, err error) {
	name := request.PathName(r, "host_group")
	ask, err := request.Read[api.HostGroupMembers](w, r, request.Body{
		Limit: maxHostsBytes, Strict: true, Example: `{"hosts": ["vm-abc123"]}`,
		TooLarge: problem.New(api.CodeTooLarge, "The body is larger than 2 MiB."),
	})
	switch {
	case err != nil:
	case name == "" || len(name) > api.MaxGroupBytes:
		err = problem.BadRequest(fmt.Sprintf("host_group: want a name of up to %d bytes, in printable characters", api.MaxGroupBytes))
	case ask.Hosts == nil:
		err = problem.BadRequest("hosts is missing; an empty list makes an empty group.")
	case len(ask.Hosts) > policies.MaxGroupHosts:
		err = problem.BadRequest(fmt.Sprintf("hosts: want at most %d", policies.MaxGroupHosts))
	case slices.ContainsFunc(ask.Hosts, func(id string) bool { return id == "" || !text.Visible(id) }):
		err = problem.BadRequest("hosts: want host_ids")
	}
	return policies.HostGroupChange{Name: name, Hosts: ask.Hosts, SameDirectory: ask.SameDirectory, By: author(r)}, err
}

// PreviewNames answers what confirming that a group's hosts share one directory would do, and
// writes nothing but who looked.
func (a *API) PreviewNames(w http.ResponseWriter, r *http.Request) {
	preview, err := a.previewNames(w, r)
	reply(w, r, http.StatusOK, preview, err)
}

func (a *API) previewNames(w http.ResponseWriter, r *http.Request) (found api.NamesPreview, err error) {
	change, err := readChange(w, r)
	if err != nil {
		return found, err
	}
	ctx, look := looked.Begin(r.Context(), a.access, looked.At{What: api.LookedPreview})
	if found, err = a.policies.PreviewNames(ctx, change); err != nil {
		return found, err
	}
	return found, look.Keep(ctx)
}

// RemoveHostGroup removes a group of hosts.
func (a *API) RemoveHostGroup(w http.ResponseWriter, r *http.Request) {
	err := a.policies.RemoveHostGroup(r.Context(), request.PathName(r, "host_group"))
	if errors.Is(err, policies.ErrNoHostGroup) {
		err = problem.NotFound("There is no such host group.")
	}
	reply(w, r, http.StatusNoContent, nil, err)
}
