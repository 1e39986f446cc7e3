package people

import (
	_ "embed" // for the page's template
	"errors"
	"fmt"
	"net/http"
	"strings"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/assign"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/ui/frame"
)

//go:embed many.html
var importHTML string

// maxCSV bounds a form: as many lines as the API takes at once, with names of usual length.
const maxCSV = 512 << 10

// importing is what the page of many at once shows.
type importing struct {
	// CSV is what was typed.
	CSV string
	// Lines are what each would do; nil: nothing was read yet.
	Lines []line
	Moves int
	Aside []api.PersonAside
}

// line is what a line of a file would do.
type line struct {
	Line              int
	MachineID, Person string
	// Moved is nil where it is so already.
	Moved *api.AccountMoved
}

// showImport shows what was typed, and what it would do.
func showImport(v *frame.Visit) (*importing, error) {
	if v.Caller.Role != directory.RoleAdmin {
		return nil, problem.New(api.CodeForbidden, "")
	}
	if s, ok := v.Shown.(*importing); ok {
		return s, nil
	}
	return &importing{CSV: v.Form.Get("csv")}, nil
}

// actImport shows what a file would do, or does it.
func actImport(v *frame.Visit) (frame.Done, error) {
	s := &importing{CSV: strings.TrimSpace(v.Form.Get("csv"))}
	rows, err := assign.FromCSV([]byte(s.CSV))
	if err != nil {
		return frame.Done{}, problem.BadRequest(err.Error())
	}
	draft := api.PeopleImport{Accounts: []api.AccountOwner{}}
	for _, row := range rows {
		draft.Accounts = append(draft.Accounts, row.AccountOwner)
	}
	if v.Form.Get("do") == "import" {
		_, err := v.Do(frame.Call{Method: http.MethodPost, Path: frame.Path("people", "import"), Body: draft})
		return frame.Done{To: frame.Said("people", "imported")}, err
	}
	if _, err := assign.Assignments(rows); err != nil {
		var wrong assign.RowError
		if errors.As(err, &wrong) {
			return frame.Done{}, problem.BadRequest(fmt.Sprintf("line %d: %v", rows[wrong.At].Line, wrong))
		}
		return frame.Done{}, problem.BadRequest(err.Error())
	}
	p, err := preview(v, draft)
	if err != nil {
		return frame.Done{}, err
	}
	s.Aside, s.Moves = p.Aside, len(p.Accounts)
	moved := map[string]*api.AccountMoved{}
	for i := range p.Accounts {
		moved[p.Accounts[i].MachineID] = &p.Accounts[i]
	}
	for _, row := range rows {
		s.Lines = append(s.Lines, line{row.Line, row.MachineID, row.Person, moved[row.MachineID]})
	}
	return frame.Done{Show: s}, nil
}
