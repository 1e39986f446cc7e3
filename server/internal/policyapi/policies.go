package policyapi

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/request"
	"activity-tracker.example/server/internal/store/policies"
)

const (
	// maxDraftBytes bounds the body of PUT /api/policies: a policy, which may be written
	// with more room than it is kept in.
	maxDraftBytes = 2 * policy.MaxDocumentBytes
	// usualPage and maxPage are how many versions a page has.
	usualPage = 100
	maxPage   = 1000
)

// ForHost answers a host with the policy that holds for it.
func (a *API) ForHost(w http.ResponseWriter, r *http.Request) {
	told := reportOf(r.Header, a.now()) // before anything that takes time
	host, err := a.guard.Host(r)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	a.heartbeats.Reported(host.Key, told)
	holds, err := a.policies.ForHost(r.Context(), host.Key)
	if err != nil {
		problem.Write(w, r, asProblem(err))
		return
	}
	// A reply is one host's; what held before is left out of it with time, which
	// changes nothing for those who have it.
	tag := fmt.Sprintf(`"%d.%d"`, host.Key, holds.Revision)
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "private, no-cache")
	if matches(r.Header.Values("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	reply(w, r, http.StatusOK, holds, nil)
}

// matches reports whether a tag is among those of a header.
func matches(header []string, tag string) bool {
	for _, one := range strings.Split(strings.Join(header, ","), ",") {
		if one = strings.TrimPrefix(strings.TrimSpace(one), "W/"); one == tag {
			return true
		}
	}
	return false
}

// shown returns a version as the API shows one.
func shown(v policies.Version) policy.Written {
	return policy.Written{Info: policy.Info{
		Version: v.Version.Version, HostGroup: v.HostGroup, ValidFrom: v.ValidFrom, CreatedAt: v.CreatedAt, Author: v.Author, InForce: v.Holds,
	}, Policy: v.Policy}
}

// List lists versions, the newest first.
func (a *API) List(w http.ResponseWriter, r *http.Request) {
	limit, before, err := page(r)
	if err != nil {
		reply(w, r, 0, nil, err)
		return
	}
	found, newest, err := a.policies.List(r.Context(), before, limit)
	list := policy.InfoList{Policies: []policy.Info{}}
	for _, v := range found {
		list.Policies = append(list.Policies, shown(v).Info)
	}
	if len(found) == limit && found[limit-1].Version.Version > 1 {
		list.NextCursor = strconv.FormatInt(found[limit-1].Version.Version, 10)
	}
	w.Header().Set("ETag", request.ETag(newest))
	reply(w, r, http.StatusOK, list, err)
}

func page(r *http.Request) (limit int, before int64, err error) {
	q := r.URL.Query()
	limit = usualPage
	if text := q.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > maxPage {
			return 0, 0, problem.BadRequest(fmt.Sprintf("limit: want a number from 1 to %d", maxPage))
		}
	}
	if text := q.Get("cursor"); text != "" {
		if before, err = strconv.ParseInt(text, 10, 64); err != nil || before < 1 {
			return 0, 0, problem.BadRequest("cursor: want next_cursor of the page before")
		}
	}
	return limit, before, nil
}

// One answers with one version.
func (a *API) One(w http.ResponseWriter, r *http.Request) {
	version, err := strconv.ParseInt(request.PathName(r, "version"), 10, 64)
	if err != nil {
		reply(w, r, 0, nil, policies.ErrNone)
		return
	}
	v, err := a.policies.ByVersion(r.Context(), version)
	reply(w, r, http.StatusOK, shown(v), err)
}

// Add writes a version.
func (a *API) Add(w http.ResponseWriter, r *http.Request) {
	v, err := a.add(w, r)
	if err == nil {
		w.Header().Set("ETag", request.ETag(v.Version.Version))
	}
	reply(w, r, http.StatusCreated, shown(v), err)
}

func (a *API) add(w http.ResponseWriter, r *http.Request) (policies.Version, error) {
	newest, err := request.IfMatch(r, "Send the ETag of GET /api/policies as If-Match, or * to write whatever there is.")
	if err != nil {
		return policies.Version{}, err
	}
	ask, err := request.Read[policy.Draft](w, r, request.Body{
		Limit: maxDraftBytes, Strict: true, Example: `{"host_group": null, "policy": {"titles": false}}`,
		TooLarge: problem.New(api.CodePolicyTooLarge, fmt.Sprintf("policy: it has at most %d bytes", policy.MaxDocumentBytes)),
	})
	if err != nil {
		return policies.Version{}, err
	}
	if ask.Policy == nil {
		return policies.Version{}, problem.BadRequest("policy is missing; {} is one that narrows nothing.")
	}
	draft := policies.Draft{HostGroup: ask.HostGroup, Author: author(r)}
	if ask.ValidFrom != nil {
		draft.ValidFrom = *ask.ValidFrom
	}
	if draft.Policy, err = policy.ParseFor(ask.HostGroup, ask.Policy); err != nil {
		return policies.Version{}, err
	}
	v, err := a.policies.Add(r.Context(), draft, newest)
	if errors.Is(err, policies.ErrNoHostGroup) {
		err = problem.BadRequest("host_group: there is no host group of that name.")
	}
	return v, err
}
