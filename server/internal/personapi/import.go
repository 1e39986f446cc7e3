package personapi

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/assign"
	"activity-tracker.example/server/internal/looked"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/report"
	"activity-tracker.example/server/internal/request"
	"activity-tracker.example/server/internal/store/people"
)

// maxImportBytes bounds the body that names whose accounts are: as many as may be, with names
// of usual length.
const maxImportBytes = 512 << 10

// Import gives accounts to people, all or none, or answers what that would do.
func (a *API) Import(w http.ResponseWriter, r *http.Request) {
	done, err := a.imported(w, r)
	problem.Reply(w, r, http.StatusOK, done, err, asProblem)
}

func (a *API) imported(w http.ResponseWriter, r *http.Request) (told api.PeopleImported, err error) {
	ask, err := request.Read[api.PeopleImport](w, r, request.Body{Limit: maxImportBytes, Strict: true, Example: `{"accounts": [{"machine_id": "vm-abc123-user1", "person": "Anna"}]}`})
	if err != nil {
		return told, err
	}
	if len(ask.Accounts) == 0 || len(ask.Accounts) > api.MaxImport {
		return told, problem.BadRequest(fmt.Sprintf("accounts: want 1 to %d of them", api.MaxImport))
	}
	rows := make([]assign.Row, len(ask.Accounts))
	for i, row := range ask.Accounts {
		rows[i].AccountOwner = row
	}
	list, err := assign.Assignments(rows)
	var wrong assign.RowError
	if errors.As(err, &wrong) {
		return told, problem.BadRequest(fmt.Sprintf("accounts[%d]: %v", wrong.At, wrong.Err))
	}
	ctx, look := looked.Begin(r.Context(), a.access, looked.At{What: api.LookedPreview})
	do := a.exports.People.Import
	if ask.Preview {
		do = a.exports.People.PreviewImport
	}
	done, err := do(ctx, list)
	if err != nil {
		return told, err
	}
	return toldImport(done, ask.Preview), look.Keep(ctx)
}

func toldImport(done people.Imported, preview bool) api.PeopleImported {
	told := api.PeopleImported{People: int64(done.People), Joined: int64(done.Joined), Accounts: []api.AccountMoved{}, Aside: []api.PersonAside{}}
	for i := range done.Moved {
		m := &done.Moved[i]
		moved := api.AccountMoved{
			MachineID: m.MachineID, From: report.PersonID(m.From.Person).String(), FromLabel: m.From.Label,
			Person: report.PersonID(m.To.Person).String(), Label: m.To.Label,
			GroupsJoined: without(m.To.Groups, m.From.Groups), GroupsLeft: without(m.From.Groups, m.To.Groups),
		}
		if preview && m.New {
			moved.Person = "" // whoever is made gets another number
		}
		told.Accounts = append(told.Accounts, moved)
	}
	for _, s := range done.Aside {
		told.Aside = append(told.Aside, api.PersonAside{Person: report.PersonID(s.Person).String(), Label: s.Label, Groups: s.Groups, Users: s.Users})
	}
	return told
}

// without returns those of a list that are not in another.
func without(list, other []string) []string {
	left := []string{}
	for _, one := range list {
		if !slices.Contains(other, one) {
			left = append(left, one)
		}
	}
	return left
}
