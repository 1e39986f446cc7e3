package api

import "time"

// MaxLinkBytes bounds a link to one's own account, as a person may paste it.
const MaxLinkBytes = 1024

// Codes of refusals about oneself.
const (
	CodeBadLink     Code = "bad_link"     // unknown, used or over
	CodeSelfOff     Code = "self_off"     // policy switches such links off
	CodeNoBaseURL   Code = "no_base_url"  // the server does not know its public address
	CodeLoggedIn    Code = "logged_in"    // somebody has logged in, who is to say what they want
	CodeOtherPerson Code = "other_person" // the user is somebody else among those who are measured
)

// SelfLinkRequest is the body of POST /api/self-links.
type SelfLinkRequest struct {
	MachineID string `json:"machine_id"`
}

// SelfLink answers it with a link that opens that account, once.
type SelfLink struct {
	URL       string    `json:"url"`
	ExpiresAt time.Time `json:"expires_at"`
}

// SelfSessionRequest is the body of POST /api/self-sessions.
type SelfSessionRequest struct {
	// Link is the whole link, or what stands behind its #.
	Link string `json:"link"`
	// Tie has whoever is logged in see the account as their own.
	Tie bool `json:"tie,omitempty"`
}

// SelfSession answers it.
type SelfSession struct {
	MachineID string `json:"machine_id"`
	// Tied means that it is the user's own now, to whom the login stays.
	Tied bool `json:"tied"`
	// EndsAt is when the login ends; null where it is a user's.
	EndsAt *time.Time `json:"ends_at"`
}

// UserPerson is the body of PUT /api/users/{user}/person: who the user is among those who
// are measured.
type UserPerson struct {
	Person string `json:"person"`
}
