package api

import "time"

// MaxJoin bounds the accounts that are joined to a person at once.
const MaxJoin = 100

// Codes of refused changes of people.
const (
	CodeTooManyAccounts Code = "too_many_accounts" // a person would have more than there may be
	CodeOfPerson        Code = "of_person"         // a person in the group brings the machine
)

// Person is somebody with their accounts.
type Person struct {
	ID string `json:"id"`
	// Label is their name for people; empty where nobody gave one.
	Label string `json:"label"`
	// Accounts are those that the caller may see, by machine_id.
	Accounts []Account `json:"accounts"`
	// Partial means that there are others, which the caller may not see.
	Partial   bool      `json:"partial"`
	CreatedAt time.Time `json:"created_at"`
}

// Account is one user on one host, as part of a person.
type Account struct {
	MachineID string        `json:"machine_id"`
	UserLabel string        `json:"user_label"`
	Hostname  string        `json:"hostname"`
	Username  string        `json:"username"`
	LastSeen  time.Time     `json:"last_seen"`
	Status    MachineStatus `json:"status"`
}

// PersonList answers GET /api/people.
type PersonList struct {
	People     []Person `json:"people"`
	NextCursor string   `json:"next_cursor,omitempty"`
}

// PersonPatch is the body of PATCH /api/people/{person}.
type PersonPatch struct {
	Label *string `json:"label"`
}

// PersonJoin is the body of POST /api/people/{person}/accounts.
type PersonJoin struct {
	MachineIDs []string `json:"machine_ids"`
}
