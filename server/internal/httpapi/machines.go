package httpapi

import (
	"net/http"
	"net/url"

	"github.com/go-chi/chi/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/report"
)

// maxPatchBytes bounds the body of a PATCH: one label or name.
const maxPatchBytes = 8 << 10

// pathValue returns a parameter of the path. Routing is done on the escaped path, so
// that it may hold a slash; it is unescaped once, here. What can't be read is empty.
func pathValue(r *http.Request, name string) string {
	value, err := url.PathUnescape(chi.URLParam(r, name))
	if err != nil {
		return ""
	}
	return value
}

func machineID(r *http.Request) (report.MachineID, error) {
	return report.ParseMachineID(pathValue(r, "machine_id"))
}

func machinesPage(r *http.Request) (report.Page, error) {
	q := r.URL.Query()
	return report.ParseMachinesPage(q.Get("limit"), q.Get("cursor"))
}

// machinesAnswer is a list of machines; ask and file are the caller's.
func (s *server) machinesAnswer() answer[report.MachinesQuestion, api.MachineList, api.Machine] {
	return answer[report.MachinesQuestion, api.MachineList, api.Machine]{
		get:     s.Reports.Machines,
		rows:    func(l api.MachineList) ([]api.Machine, string) { return l.Machines, l.NextCursor },
		each:    s.Reports.EachMachine,
		limited: func(q report.MachinesQuestion) bool { return q.Page.Limit > 0 },
	}
}

// machines lists all machines, or those of the group that is asked for.
func (s *server) machines() http.HandlerFunc {
	a := s.machinesAnswer()
	a.ask = func(r *http.Request) (q report.MachinesQuestion, err error) {
		if q.Page, err = machinesPage(r); err != nil {
			return q, err
		}
		if group := r.URL.Query().Get("group"); group != "" {
			q.Group, err = report.ParseGroupName(group)
		}
		return q, err
	}
	a.file = func(report.MachinesQuestion) string { return "machines" }
	return render(s, a)
}

// machine answers with one machine.
func (s *server) machine() http.HandlerFunc {
	return render(s, answer[report.MachineID, api.Machine, api.Machine]{
		ask:  machineID,
		get:  s.Reports.Machine,
		file: func(id report.MachineID) string { return "machine-" + string(id) },
		rows: one[api.Machine],
	})
}

// one returns a value as the only row.
func one[T any](v T) ([]T, string) { return []T{v}, "" }

// patchMachine returns a machine a label.
func (s *server) patchMachine(_ http.ResponseWriter, r *http.Request, patch api.MachinePatch) (int, any, error) {
	id, err := machineID(r)
	if err != nil {
		return 0, nil, err
	}
	m, err := s.Reports.Label(r.Context(), auth.Caller(r.Context()).Scope, id, patch)
	return http.StatusOK, m, err
}
