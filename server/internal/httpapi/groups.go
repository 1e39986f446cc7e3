package httpapi

import (
	"net/http"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/request"
)

// maxMembersBytes bounds the body that sets a group's machines: as many as there
// may be, with names of twice the usual length.
const maxMembersBytes = 8 << 20

func groupName(r *http.Request) (report.GroupName, error) {
	return report.ParseGroupName(request.PathValue(r, "group"))
}

// member reads which machine's place in which group the path names.
func member(r *http.Request) (m report.Member, err error) {
	if m.Group, err = groupName(r); err != nil {
		return m, err
	}
	m.MachineID, err = machineID(r)
	return m, err
}

// groups lists the groups.
func (s *server) groups() http.HandlerFunc {
	return render(s, answer[report.Page, api.GroupList, api.Group]{
		ask: func(r *http.Request) (report.Page, error) {
			q := r.URL.Query()
			return report.ParseGroupsPage(q.Get("limit"), q.Get("cursor"))
		},
		get:     s.Reports.Groups,
		file:    func(report.Page) string { return "groups" },
		rows:    func(l api.GroupList) ([]api.Group, string) { return l.Groups, l.NextCursor },
		each:    s.Reports.EachGroup,
		limited: func(p report.Page) bool { return p.Limit > 0 },
	})
}

// group answers with one group.
func (s *server) group() http.HandlerFunc {
	return render(s, answer[report.GroupName, api.Group, api.Group]{
		ask:  groupName,
		get:  s.Reports.Group,
		file: func(name report.GroupName) string { return "group-" + string(name) },
		rows: one[api.Group],
	})
}

// members lists the machines of a group.
func (s *server) members() http.HandlerFunc {
	a := s.machinesAnswer()
	a.ask = func(r *http.Request) (q report.MachinesQuestion, err error) {
		if q.Page, err = machinesPage(r); err != nil {
			return q, err
		}
		q.Group, err = groupName(r)
		return q, err
	}
	a.file = func(q report.MachinesQuestion) string { return "machines-" + string(q.Group) }
	return render(s, a)
}

// putGroup creates a group unless it exists.
func (s *server) putGroup(w http.ResponseWriter, r *http.Request) {
	g, made, err := s.Reports.AddGroup(r.Context(), request.PathValue(r, "group"))
	status := http.StatusOK
	if made {
		status = http.StatusCreated
	}
	reply(w, r, status, g, err)
}

// patchGroup renames a group.
func (s *server) patchGroup(_ http.ResponseWriter, r *http.Request, patch api.GroupPatch) (int, any, error) {
	name, err := groupName(r)
	if err != nil {
		return 0, nil, err
	}
	g, err := s.Reports.RenameGroup(r.Context(), name, patch)
	return http.StatusOK, g, err
}

// putMembers sets the machines of a group.
func (s *server) putMembers(_ http.ResponseWriter, r *http.Request, members api.GroupMembers) (int, any, error) {
	name, err := groupName(r)
	if err != nil {
		return 0, nil, err
	}
	set, err := s.Reports.SetMembers(r.Context(), name, members)
	return http.StatusOK, set, err
}
