package httpapi

import (
	"encoding/json"
	"errors"
	"net/http"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/report"
)

// maxMembersBytes bounds the body that sets a group's machines: as many as there
// may be, with names of twice the usual length.
const maxMembersBytes = 8 << 20

func (s *server) groups(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	list, err := s.Reports.Groups(r.Context(), auth.Scope(r.Context()), q.Get("limit"), q.Get("cursor"))
	s.reply(w, list, err)
}

func (s *server) groupsTable(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("limit") == "" {
		sendTable(w, "groups", s.Reports.EachGroup(r.Context(), auth.Scope(r.Context()), q.Get("cursor")))
		return
	}
	list, err := s.Reports.Groups(r.Context(), auth.Scope(r.Context()), q.Get("limit"), q.Get("cursor"))
	sendPage(w, r, "groups", list.Groups, list.NextCursor, err)
}

func (s *server) group(w http.ResponseWriter, r *http.Request) {
	g, err := s.Reports.Group(r.Context(), auth.Scope(r.Context()), pathValue(r, "group"))
	s.reply(w, g, err)
}

func (s *server) groupTable(w http.ResponseWriter, r *http.Request) {
	g, err := s.Reports.Group(r.Context(), auth.Scope(r.Context()), pathValue(r, "group"))
	sendPage(w, r, "group-"+pathValue(r, "group"), []api.Group{g}, "", err)
}

func (s *server) putGroup(w http.ResponseWriter, r *http.Request) {
	g, made, err := s.Reports.AddGroup(r.Context(), pathValue(r, "group"))
	if err == nil && made {
		s.replyWith(w, http.StatusCreated, g)
		return
	}
	s.reply(w, g, err)
}

func (s *server) patchGroup(w http.ResponseWriter, r *http.Request) {
	var patch api.GroupPatch
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxPatchBytes)).Decode(&patch); err != nil {
		problem.Write(w, problem.BadRequest(`The body must be JSON such as {"name": "Reception"}.`))
		return
	}
	g, err := s.Reports.RenameGroup(r.Context(), pathValue(r, "group"), patch)
	s.reply(w, g, err)
}

func (s *server) deleteGroup(w http.ResponseWriter, r *http.Request) {
	s.done(w, s.Reports.RemoveGroup(r.Context(), pathValue(r, "group")))
}

// memberQuestion asks for the machines of the path's group.
func memberQuestion(r *http.Request) report.MachinesQuestion {
	q := machinesQuestion(r)
	q.Group, q.OfGroup = pathValue(r, "group"), true
	return q
}

func (s *server) members(w http.ResponseWriter, r *http.Request) {
	list, err := s.Reports.Machines(r.Context(), auth.Scope(r.Context()), memberQuestion(r))
	s.reply(w, list, err)
}

func (s *server) membersTable(w http.ResponseWriter, r *http.Request) {
	q := memberQuestion(r)
	s.sendMachines(w, r, "machines-"+q.Group, q)
}

func (s *server) putMembers(w http.ResponseWriter, r *http.Request) {
	var members api.GroupMembers
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxMembersBytes)).Decode(&members); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			problem.Write(w, problem.New(http.StatusRequestEntityTooLarge, api.CodeTooLarge, "The body is larger than 8 MiB; put so many machines in one by one."))
			return
		}
		problem.Write(w, problem.BadRequest(`The body must be JSON such as {"machines": ["vm-abc123-user1"]}.`))
		return
	}
	reply, err := s.Reports.SetMembers(r.Context(), pathValue(r, "group"), members)
	s.reply(w, reply, err)
}

func (s *server) putMember(w http.ResponseWriter, r *http.Request) {
	s.done(w, s.Reports.SetMember(r.Context(), pathValue(r, "group"), machineID(r), true))
}

func (s *server) deleteMember(w http.ResponseWriter, r *http.Request) {
	s.done(w, s.Reports.SetMember(r.Context(), pathValue(r, "group"), machineID(r), false))
}

// done answers that something was done, or with what err means.
func (s *server) done(w http.ResponseWriter, err error) {
	if err != nil {
		problem.Write(w, asProblem(err))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
