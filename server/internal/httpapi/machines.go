package httpapi

import (
	"context"
	"net/http"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/request"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/text"
)

const (
	// maxPatchBytes bounds the body of a PATCH: one label or name.
	maxPatchBytes = 8 << 10
	// maxJoinBytes bounds the body that joins accounts: as many as may be, with the
	// longest names.
	maxJoinBytes = 64 << 10
)

func machineID(r *http.Request) (report.MachineID, error) {
	return report.ParseMachineID(request.PathValue(r, "machine_id"))
}

func machinesPage(r *http.Request) (report.Page, error) {
	q := r.URL.Query()
	return report.ParseMachinesPage(q.Get("limit"), q.Get("cursor"))
}

// machinesAnswer is a list of machines; ask and file are the caller's.
func (s *server) machinesAnswer() answer[report.MachinesQuestion, api.MachineList, api.Machine] {
	return answer[report.MachinesQuestion, api.MachineList, api.Machine]{
		at:      func(report.MachinesQuestion) looked.At { return looked.At{What: api.LookedMachines} },
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
		at:   func(report.MachineID) looked.At { return looked.At{What: api.LookedMachines} },
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
	m, err := shown(s, r, func(ctx context.Context) (api.Machine, error) {
		return s.Reports.Label(ctx, auth.Caller(ctx).Scope, id, patch)
	})
	return http.StatusOK, m, err
}

// shown does a change, and writes down who is shown what it is about.
func shown[T any](s *server, r *http.Request, do func(context.Context) (T, error)) (T, error) {
	ctx, look := looked.Begin(r.Context(), s.Access, looked.At{What: api.LookedMachines})
	v, err := do(ctx)
	if err == nil {
		err = look.Keep(ctx)
	}
	return v, err
}

func personID(r *http.Request) (report.PersonID, error) {
	return report.ParsePersonID(request.PathValue(r, "person"))
}

// peopleAnswer is a list of people; ask and file are the caller's.
func (s *server) peopleAnswer() answer[report.PeopleQuestion, api.PersonList, api.Person] {
	return answer[report.PeopleQuestion, api.PersonList, api.Person]{
		at:      func(report.PeopleQuestion) looked.At { return looked.At{What: api.LookedMachines} },
		get:     s.Reports.People,
		rows:    func(l api.PersonList) ([]api.Person, string) { return l.People, l.NextCursor },
		each:    s.Reports.EachPerson,
		limited: func(q report.PeopleQuestion) bool { return q.Page.Limit > 0 },
	}
}

func peopleQuestion(r *http.Request) (q report.PeopleQuestion, err error) {
	query := r.URL.Query()
	if q.Page, err = report.ParsePeoplePage(query.Get("limit"), query.Get("cursor"), report.PeopleMax); err != nil {
		return q, err
	}
	if q.Search = query.Get("q"); len(q.Search) > api.MaxLabelBytes || !text.Visible(q.Search) {
		return q, problem.BadRequest("q: want a part of a name, in printable characters")
	}
	if given := query.Get("machine_id"); given != "" {
		if q.MachineID, err = report.ParseMachineID(given); err != nil {
			return q, err
		}
	}
	if group := query.Get("group"); group != "" {
		q.Group, err = report.ParseGroupName(group)
	}
	return q, err
}

// people lists people, those of a group or of an account if asked to.
func (s *server) people() http.HandlerFunc {
	a := s.peopleAnswer()
	a.ask = peopleQuestion
	a.file = func(report.PeopleQuestion) string { return "people" }
	return render(s, a)
}

// groupPeople lists the people who were put into a group.
func (s *server) groupPeople() http.HandlerFunc {
	a := s.peopleAnswer()
	a.ask = func(r *http.Request) (q report.PeopleQuestion, err error) {
		if q, err = peopleQuestion(r); err != nil {
			return q, err
		}
		q.InGroup = true
		q.Group, err = groupName(r)
		return q, err
	}
	a.file = func(q report.PeopleQuestion) string { return "people-" + string(q.Group) }
	return render(s, a)
}

// person answers with one person.
func (s *server) person() http.HandlerFunc {
	return render(s, answer[report.PersonID, api.Person, api.Person]{
		ask:  personID,
		at:   func(report.PersonID) looked.At { return looked.At{What: api.LookedMachines} },
		get:  s.Reports.Person,
		file: func(id report.PersonID) string { return "person-" + id.String() },
		rows: one[api.Person],
	})
}

// patchPerson labels a person.
func (s *server) patchPerson(_ http.ResponseWriter, r *http.Request, patch api.PersonPatch) (int, any, error) {
	id, err := personID(r)
	if err != nil {
		return 0, nil, err
	}
	p, err := shown(s, r, func(ctx context.Context) (api.Person, error) {
		return s.Reports.LabelPerson(ctx, auth.Caller(ctx).Scope, id, patch)
	})
	return http.StatusOK, p, err
}

// joinAccounts makes accounts a person's.
func (s *server) joinAccounts(_ http.ResponseWriter, r *http.Request, join api.PersonJoin) (int, any, error) {
	id, err := personID(r)
	if err != nil {
		return 0, nil, err
	}
	p, err := shown(s, r, func(ctx context.Context) (api.Person, error) { return s.Reports.Join(ctx, id, join) })
	return http.StatusOK, p, err
}

// partAccount takes an account from a person, and answers with whose it is then.
func (s *server) partAccount(w http.ResponseWriter, r *http.Request) {
	var p api.Person
	id, err := personID(r)
	if err == nil {
		var account report.MachineID
		if account, err = machineID(r); err == nil {
			p, err = shown(s, r, func(ctx context.Context) (api.Person, error) { return s.Reports.Part(ctx, id, account) })
		}
	}
	reply(w, r, http.StatusOK, p, err)
}

// personMember reads which person's place in which group the path names.
func personMember(r *http.Request) (m report.PersonMember, err error) {
	if m.Group, err = groupName(r); err != nil {
		return m, err
	}
	m.Person, err = personID(r)
	return m, err
}

// audit answers who changed what.
func (s *server) audit() http.HandlerFunc {
	return render(s, answer[looked.Page, api.ChangeList, api.Change]{
		ask: func(r *http.Request) (looked.Page, error) {
			q := r.URL.Query()
			return looked.ParsePage(q.Get("limit"), q.Get("cursor"))
		},
		get:     s.Looked.Changes,
		file:    func(looked.Page) string { return "audit" },
		rows:    func(l api.ChangeList) ([]api.Change, string) { return l.Changes, l.NextCursor },
		each:    s.Looked.EachChange,
		limited: func(p looked.Page) bool { return p.Limit > 0 },
	})
}

// personAccess answers who looked at a person's data.
func (s *server) personAccess() http.HandlerFunc {
	return s.accessOf(func(*http.Request) directory.Scope { return directory.Scope{} })
}

// ownAccess answers who looked at the caller's own data.
func (s *server) ownAccess() http.HandlerFunc {
	return s.accessOf(func(r *http.Request) directory.Scope { return auth.Caller(r.Context()).Scope })
}

func (s *server) accessOf(within func(*http.Request) directory.Scope) http.HandlerFunc {
	return render(s, answer[looked.PersonQuestion, api.PersonAccessList, api.Access]{
		ask: func(r *http.Request) (looked.PersonQuestion, error) {
			query := r.URL.Query()
			q, err := looked.ParsePersonQuestion(request.PathValue(r, "person"), query.Get("limit"), query.Get("cursor"))
			q.Within = within(r)
			return q, err
		},
		at:      func(looked.PersonQuestion) looked.At { return looked.At{What: api.LookedAccess} },
		get:     s.Looked.PersonAccess,
		file:    func(q looked.PersonQuestion) string { return "access-" + q.Person.String() },
		rows:    func(l api.PersonAccessList) ([]api.Access, string) { return l.Access, l.NextCursor },
		each:    s.Looked.EachOfPerson,
		limited: func(q looked.PersonQuestion) bool { return q.Limit > 0 },
	})
}

// access answers who looked at a machine's data.
func (s *server) access() http.HandlerFunc {
	return render(s, answer[looked.Question, api.AccessList, api.Access]{
		ask: func(r *http.Request) (looked.Question, error) {
			q := r.URL.Query()
			return looked.ParseQuestion(request.PathValue(r, "machine_id"), q.Get("limit"), q.Get("cursor"))
		},
		at:      func(looked.Question) looked.At { return looked.At{What: api.LookedAccess} },
		get:     s.Looked.Access,
		file:    func(q looked.Question) string { return "access-" + string(q.MachineID) },
		rows:    func(l api.AccessList) ([]api.Access, string) { return l.Access, l.NextCursor },
		each:    s.Looked.Each,
		limited: func(q looked.Question) bool { return q.Limit > 0 },
	})
}
