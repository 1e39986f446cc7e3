package report

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/people"
)

const (
	// personPrefix begins a person's id, so that it is not taken for another number.
	personPrefix = "p"
	// cursorPeople is the kind of cursor that pages through people.
	cursorPeople = "p"
	// PeopleMax bounds a page of people.
	PeopleMax     = 1000
	peopleDefault = 100
	// personDaysAtOnce bounds the days of people that are read at once: 1,000 people's
	// week, some 50 MB.
	personDaysAtOnce = 10_000
)

// PeopleAtOnce bounds how many people of so many days are read at once.
func PeopleAtOnce(days int) int { return max(1, min(PeopleMax, personDaysAtOnce/max(1, days))) }

// PersonID is the id of a person, as callers write it.
type PersonID int64

// ParsePersonID reads a person's id; one that nobody can have is people.ErrNone.
func ParsePersonID(given string) (PersonID, error) {
	digits, ok := strings.CutPrefix(given, personPrefix)
	id, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || id < 1 || strconv.FormatInt(id, 10) != digits {
		return 0, people.ErrNone
	}
	return PersonID(id), nil
}

// String returns the id as callers write it.
func (id PersonID) String() string { return personPrefix + strconv.FormatInt(int64(id), 10) }

// PeopleQuestion asks for people. Empty fields ask for nothing.
type PeopleQuestion struct {
	// Group is one in which they have an account; MachineID is one of their accounts.
	Group     GroupName
	MachineID MachineID
	// Search is a part of what they are called.
	Search string
	// InGroup means that they were put into Group themselves.
	InGroup bool
	Page    PeoplePage
}

// PeoplePage is a part of a list of people.
type PeoplePage struct {
	// Limit is how many at most; 0 where the caller has no wish.
	Limit int
	// After is the last one of the page before.
	After int64
}

// ParsePeoplePage reads limit, of at most so many, and cursor of a list of people.
func ParsePeoplePage(limit, cursor string, most int) (PeoplePage, error) {
	n, err := parseLimit(limit, most)
	if err != nil || cursor == "" {
		return PeoplePage{Limit: n}, err
	}
	position, err := decodeCursor(cursorPeople, cursor)
	if err != nil {
		return PeoplePage{}, err
	}
	after, err := strconv.ParseInt(position, 10, 64)
	if err != nil || after < 1 {
		return PeoplePage{}, errCursor
	}
	return PeoplePage{Limit: n, After: after}, nil
}

// People returns a page of the people of whom an account is in scope.
func (r *Reports) People(ctx context.Context, scope directory.Scope, q PeopleQuestion) (api.PersonList, error) {
	q.Page.Limit = cmp.Or(q.Page.Limit, peopleDefault)
	list, next, err := r.peoplePage(ctx, scope, q)
	return api.PersonList{People: list, NextCursor: PeopleCursor(next)}, err
}

// NameOf is what a person is called: by their label, or by the first of their accounts.
func NameOf(p *api.Person) string {
	if p.Label != "" || len(p.Accounts) == 0 {
		return cmp.Or(p.Label, p.ID)
	}
	return cmp.Or(p.Accounts[0].UserLabel, p.Accounts[0].Username, p.Accounts[0].MachineID)
}

// PeopleCursor returns the cursor of the page after that person; none after nobody.
func PeopleCursor(after int64) string {
	if after == 0 {
		return ""
	}
	return encodeCursor(cursorPeople, placeOf(after))
}

// placeOf is a person's place among others; empty: before all.
func placeOf(id int64) string {
	if id == 0 {
		return ""
	}
	return strconv.FormatInt(id, 10)
}

// peoplePage returns a page, and after whom the next begins, if any.
func (r *Reports) peoplePage(ctx context.Context, scope directory.Scope, q PeopleQuestion) (page []api.Person, next int64, err error) {
	n := q.Page.Limit
	var list []people.Person
	if q.InGroup {
		list, err = r.people.GroupPeople(ctx, scope, string(q.Group), q.Page.After, n+1)
	} else {
		list, err = r.people.List(ctx, people.Filter{
			Scope: scope, Group: string(q.Group), MachineID: string(q.MachineID), Search: q.Search, After: q.Page.After, Limit: n + 1,
		})
	}
	if len(list) > n {
		list = list[:n]
		next = list[n-1].ID
	}
	page = make([]api.Person, 0, len(list))
	for _, p := range list {
		page = append(page, r.person(ctx, p))
	}
	return page, next, err
}

// EachPerson returns all people that are asked for as EachMachine returns machines.
func (r *Reports) EachPerson(ctx context.Context, scope directory.Scope, q PeopleQuestion) iter.Seq2[api.Person, error] {
	return Pages(ctx, pageTimeout, q.Page.After, func(ctx context.Context, after int64) ([]api.Person, int64, error) {
		q.Page = PeoplePage{Limit: PeopleMax, After: after}
		return r.peoplePage(ctx, scope, q)
	})
}

// Person returns one person.
func (r *Reports) Person(ctx context.Context, scope directory.Scope, id PersonID) (api.Person, error) {
	p, err := r.people.ByID(ctx, scope, int64(id))
	if p.Partial && len(scope.Machines) > 0 {
		p.Label = "" // who sees a part of oneself learns nothing of the whole
	}
	return r.person(ctx, p), err
}

// LabelPerson names a person; an empty label takes the name away.
func (r *Reports) LabelPerson(ctx context.Context, scope directory.Scope, id PersonID, patch api.PersonPatch) (api.Person, error) {
	label, err := parseLabel("label", patch.Label)
	if err != nil {
		return api.Person{}, err
	}
	p, err := r.people.SetLabel(ctx, scope, int64(id), label)
	return r.person(ctx, p), err
}

// Join makes accounts a person's.
func (r *Reports) Join(ctx context.Context, id PersonID, join api.PersonJoin) (api.Person, error) {
	if len(join.MachineIDs) == 0 || len(join.MachineIDs) > api.MaxJoin {
		return api.Person{}, InvalidError(fmt.Sprintf("machine_ids: want 1 to %d of them", api.MaxJoin))
	}
	for i, machineID := range join.MachineIDs {
		if !plausible(machineID) {
			return api.Person{}, InvalidError(fmt.Sprintf("machine_ids[%d]: no machine_id", i))
		}
	}
	p, err := r.people.Join(ctx, int64(id), join.MachineIDs)
	return r.person(ctx, p), err
}

// Part takes an account from a person, and returns the one whose it is then.
func (r *Reports) Part(ctx context.Context, id PersonID, machineID MachineID) (api.Person, error) {
	p, err := r.people.Part(ctx, int64(id), string(machineID))
	return r.person(ctx, p), err
}

// PersonMember is a person's place in a group.
type PersonMember struct {
	Group  GroupName
	Person PersonID
}

// AddPerson puts a person into a group, with all accounts of theirs.
func (r *Reports) AddPerson(ctx context.Context, m PersonMember) error {
	return r.people.AddToGroup(ctx, string(m.Group), int64(m.Person))
}

// RemovePerson takes a person out of a group.
func (r *Reports) RemovePerson(ctx context.Context, m PersonMember) error {
	return r.people.RemoveFromGroup(ctx, string(m.Group), int64(m.Person))
}

// person returns a person as the API shows one, and notes whose data that is.
func (r *Reports) person(ctx context.Context, p people.Person) api.Person {
	reply := api.Person{
		ID: PersonID(p.ID).String(), Label: p.Label, Accounts: make([]api.Account, 0, len(p.Accounts)), Partial: p.Partial, CreatedAt: p.CreatedAt.UTC(),
	}
	for i := range p.Accounts {
		m := &p.Accounts[i]
		access.See(ctx, m.Key)
		reply.Accounts = append(reply.Accounts, api.Account{
			MachineID: m.MachineID, UserLabel: m.UserLabel, Hostname: m.Hostname, Username: m.Username,
			LastSeen: m.LastSeen.UTC(), Status: Status(m, r.now()),
		})
	}
	return reply
}
