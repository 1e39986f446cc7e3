package people

import (
	"net/http"
	"net/url"
	"strings"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/ui/frame"
)

// accountsRead is of how many accounts a page reads the groups.
const accountsRead = 60

// one is what the page of one person shows.
type one struct {
	person

	Search string
	Found  []person
	// Join is what joining these accounts would do; Part is the account that is to be parted.
	Join     *joining
	Joinable []string
	Part     string
	// Erase means that erasing is to be confirmed.
	Erase bool
}

// joining is what giving accounts to people would do.
type joining struct {
	Accounts []api.AccountMoved
	Aside    []api.PersonAside
}

func readPerson(v *frame.Visit, id string) (*api.Person, error) {
	var p api.Person
	_, err := v.Do(frame.Call{Method: http.MethodGet, Path: frame.Path("people", id), Into: &p})
	return &p, err
}

func showOne(v *frame.Visit, admin bool) (*one, error) {
	q := v.Query
	p, err := readPerson(v, q.Get("person"))
	if err != nil {
		return nil, err
	}
	s := &one{person: shown(v, p), Search: strings.TrimSpace(q.Get("q"))}
	for i := range s.Accounts[:min(len(s.Accounts), accountsRead)] {
		var m api.Machine
		if _, err := v.Do(frame.Call{Method: http.MethodGet, Path: frame.Path("machines", s.Accounts[i].MachineID), Into: &m}); err != nil {
			return nil, err
		}
		s.Accounts[i].Groups = m.Groups
	}
	if !admin {
		return s, nil
	}
	s.Part, s.Erase, s.Joinable = q.Get("part"), q.Has("erase"), q["join"]
	if len(s.Joinable) > 0 {
		draft := api.PeopleImport{}
		for _, account := range s.Joinable {
			draft.Accounts = append(draft.Accounts, api.AccountOwner{MachineID: account, Person: s.ID})
		}
		s.Join, err = preview(v, draft)
		return s, err
	}
	if s.Search != "" {
		err = s.find(v)
	}
	return s, err
}

// find looks for people with accounts to join.
func (s *one) find(v *frame.Visit) error {
	var found api.PersonList
	query := url.Values{"q": {s.Search}, "limit": {foundShown}}
	_, err := v.Do(frame.Call{Method: http.MethodGet, Path: frame.Path("people"), Query: query, Into: &found})
	for i := range found.People {
		if found.People[i].ID != s.ID {
			s.Found = append(s.Found, shown(v, &found.People[i]))
		}
	}
	return err
}

// preview finds out what giving accounts to people would do, and changes nothing.
func preview(v *frame.Visit, draft api.PeopleImport) (*joining, error) {
	draft.Preview = true
	var told api.PeopleImported
	if _, err := v.Do(frame.Call{Method: http.MethodPost, Path: frame.Path("people", "import"), Body: draft, Into: &told}); err != nil {
		return nil, err
	}
	return &joining{Accounts: told.Accounts, Aside: told.Aside}, nil
}
