package adminapi

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/ingest"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/request"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/text"
)

const (
	// usualHosts and maxHosts are how many hosts a page has.
	usualHosts = 100
	maxHosts   = 1000
	// maxMoveBytes bounds the body that moves machines: as many as may be, with the
	// longest names.
	maxMoveBytes = 512 << 10
	// maxLabelBytes bounds the body that labels a host.
	maxLabelBytes = 4 << 10
)

func toldHost(h *directory.HostState) api.EnrolledHost {
	told := api.EnrolledHost{
		HostID: h.HostID, Hostname: h.Hostname, Label: h.Label, Kind: h.Kind, EnrolledAt: h.EnrolledAt.UTC(), Machines: h.Machines, Credential: api.HostCredentialUnused,
		LastSeen: utc(h.LastSeen), LastUpload: utc(h.LastUpload), LastContact: utc(h.LastContact),
		AgentVersion: h.AgentVersion, AgentOutdated: h.AgentOutdated, ClockOffsetSeconds: h.ClockOffset, Unseen: h.Unseen,
	}
	switch {
	case h.Revoked:
		told.Credential = api.HostCredentialRevoked
	case h.Used:
		told.Credential = api.HostCredentialUsed
	}
	return told
}

// utc returns a time in UTC, if there is one.
func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return new(t.UTC())
}

// Hosts lists the hosts that were enrolled, by host_id.
func (a *API) Hosts(w http.ResponseWriter, r *http.Request) {
	list := api.EnrolledHostList{Hosts: []api.EnrolledHost{}}
	limit, after, err := hostsPage(r)
	search := r.URL.Query().Get("q")
	if len(search) > api.MaxLabelBytes || !text.Visible(search) {
		err = problem.BadRequest("q: want a part of a name, in printable characters")
	}
	if err == nil {
		var all []directory.HostState
		if all, err = a.directory.HostsAfter(r.Context(), after, search, limit+1); len(all) > limit {
			all = all[:limit]
			list.NextCursor = all[limit-1].HostID
		}
		for i := range all {
			list.Hosts = append(list.Hosts, toldHost(&all[i]))
		}
	}
	reply(w, r, http.StatusOK, list, err)
}

// Host answers with one host.
func (a *API) Host(w http.ResponseWriter, r *http.Request) {
	id, err := hostID(r)
	var h directory.HostState
	if err == nil {
		h, err = a.directory.HostByID(r.Context(), id)
	}
	reply(w, r, http.StatusOK, toldHost(&h), err)
}

// hostsPage reads which page is asked for.
func hostsPage(r *http.Request) (limit int, after string, err error) {
	q := r.URL.Query()
	limit = usualHosts
	if given := q.Get("limit"); given != "" {
		if limit, err = strconv.Atoi(given); err != nil || limit < 1 || limit > maxHosts {
			return 0, "", problem.BadRequest(fmt.Sprintf("limit: want a number from 1 to %d", maxHosts))
		}
	}
	if after = q.Get("cursor"); after != "" && !ingest.IsHostID(after) {
		return 0, "", problem.BadRequest("cursor: want next_cursor of the page before")
	}
	return limit, after, nil
}

// Label sets what a host is called.
func (a *API) Label(w http.ResponseWriter, r *http.Request) {
	labelled, err := a.label(w, r)
	reply(w, r, http.StatusOK, labelled, err)
}

func (a *API) label(w http.ResponseWriter, r *http.Request) (labelled api.EnrolledHost, err error) {
	id, err := hostID(r)
	if err != nil {
		return labelled, err
	}
	ask, err := request.Read[api.HostPatch](w, r, request.Body{Limit: maxLabelBytes, Strict: true, Example: `{"label": "Reception"}`})
	if err != nil {
		return labelled, err
	}
	if ask.Label == nil {
		return labelled, problem.BadRequest("label is missing; an empty one takes it away.")
	}
	label, ok := text.Label(*ask.Label, api.MaxLabelBytes)
	if !ok {
		return labelled, problem.BadRequest(fmt.Sprintf("label: want at most %d bytes of printable characters", api.MaxLabelBytes))
	}
	h, err := a.directory.LabelHost(r.Context(), id, label)
	if err != nil {
		return labelled, err
	}
	return toldHost(&h), nil
}

// RevokeHost ends a host's credential; its data stays.
func (a *API) RevokeHost(w http.ResponseWriter, r *http.Request) {
	id, err := hostID(r)
	if err == nil {
		_, err = a.directory.RevokeHost(r.Context(), id)
	}
	reply(w, r, http.StatusNoContent, nil, err)
}

// hostID reads which host the path names.
func hostID(r *http.Request) (string, error) {
	id := request.PathName(r, "host_id")
	if !ingest.IsHostID(id) {
		return "", db.ErrNotFound
	}
	return id, nil
}

// Move moves machine_ids to a host, all or none.
func (a *API) Move(w http.ResponseWriter, r *http.Request) {
	moved, err := a.move(w, r)
	reply(w, r, http.StatusOK, moved, err)
}

func (a *API) move(w http.ResponseWriter, r *http.Request) (moved api.MovedMachines, err error) {
	to, err := hostID(r)
	if err != nil {
		return moved, err
	}
	ask, err := request.Read[api.MachineMove](w, r, request.Body{Limit: maxMoveBytes, Strict: true, Example: `{"machine_ids": ["vm-abc123-user1"]}`})
	switch {
	case err != nil:
		return moved, err
	case len(ask.MachineIDs) == 0 || len(ask.MachineIDs) > api.MaxMove:
		return moved, problem.BadRequest(fmt.Sprintf("machine_ids: want 1 to %d", api.MaxMove))
	case slices.ContainsFunc(ask.MachineIDs, func(id string) bool { return strings.ContainsRune(id, 0) }):
		return moved, problem.BadRequest("machine_ids: want machine_ids")
	}
	list, err := a.dictionary.Move(r.Context(), ask.MachineIDs, to)
	for _, m := range list {
		moved.Machines = append(moved.Machines, api.MovedMachine(m))
	}
	return moved, err
}
