package api

import (
	"strings"
	"time"
)

// Limits of what administrators make.
const (
	// MaxTokenNameBytes bounds a token's name, which people read in a list.
	MaxTokenNameBytes = 100
	// MaxEnrollmentUses bounds an enrolment token for a whole fleet.
	MaxEnrollmentUses = 100_000
	// MaxMove bounds the machine_ids that are moved at once.
	MaxMove = 1000
)

// CodeHostFull means that a host has as many machine_ids as there may be.
const CodeHostFull Code = "host_full"

// TokenDraft is the body of POST /api/tokens.
type TokenDraft struct {
	Name string `json:"name"`
	Role string `json:"role"`
	// Groups are those whose machines alone it sees; null: all machines. Only a viewer
	// can be limited.
	Groups []string `json:"groups"`
}

// Token is an API token without its secret.
type Token struct {
	ID string `json:"id"`
	TokenDraft

	CreatedAt time.Time `json:"created_at"`
}

// TokenList answers GET /api/tokens.
type TokenList struct {
	Tokens []Token `json:"tokens"`
}

// TokenMade answers POST /api/tokens. The secret is shown this once.
type TokenMade struct {
	Token  Token  `json:"token"`
	Secret string `json:"secret"`
}

// EnrollmentDraft is the body of POST /api/enrollments; what is absent is as usual.
type EnrollmentDraft struct {
	// Kind is what it enrols: a host, or one person without root.
	Kind EnrollKind `json:"kind"`
	// Uses is how many it enrols, ExpiresInSec for how long it is good.
	Uses         *int   `json:"uses"`
	ExpiresInSec *int64 `json:"expires_in_sec"`
	// ForHost is the only host_id that it enrols, which may be enrolled already.
	ForHost string `json:"for_host"`
}

// EnrollmentState is whether an enrolment token enrols.
type EnrollmentState string

// The states of an enrolment token.
const (
	EnrollmentGood    EnrollmentState = "good"
	EnrollmentExpired EnrollmentState = "expired"
	EnrollmentUsedUp  EnrollmentState = "used_up"
)

// Enrollment is an enrolment token without its secret.
type Enrollment struct {
	ID        string          `json:"id"`
	Kind      EnrollKind      `json:"kind"`
	State     EnrollmentState `json:"state"`
	UsesLeft  int             `json:"uses_left"`
	ForHost   string          `json:"for_host,omitempty"`
	CreatedAt time.Time       `json:"created_at"`
	ExpiresAt time.Time       `json:"expires_at"`
}

// EnrollmentList answers GET /api/enrollments.
type EnrollmentList struct {
	Enrollments []Enrollment `json:"enrollments"`
}

// EnrollmentMade answers POST /api/enrollments. The secret is shown this once.
type EnrollmentMade struct {
	Enrollment Enrollment `json:"enrollment"`
	Secret     string     `json:"secret"`
}

// HostCredential is the state of a host's credential.
type HostCredential string

// The states of a host's credential.
const (
	HostCredentialUnused  HostCredential = "unused" // never used yet
	HostCredentialUsed    HostCredential = "used"
	HostCredentialRevoked HostCredential = "revoked"
)

// EnrolledHost is a host that was enrolled.
type EnrolledHost struct {
	HostID   string `json:"host_id"`
	Hostname string `json:"hostname"`
	// Label is what an administrator calls it; empty where nobody does.
	Label      string     `json:"label"`
	Kind       EnrollKind `json:"kind"`
	EnrolledAt time.Time  `json:"enrolled_at"`
	// Machines is how many machine_ids it owns.
	Machines int64 `json:"machines"`
	// LastSeen is when the newest of its events ended; null before the first.
	LastSeen   *time.Time     `json:"last_seen"`
	Credential HostCredential `json:"credential"`
	// LastUpload is when it last sent events or spans, LastContact when it last asked or
	// sent anything; nil: not since the server keeps that.
	LastUpload  *time.Time `json:"last_upload,omitempty"`
	LastContact *time.Time `json:"last_contact,omitempty"`
	// AgentVersion is its agent's; empty where it reports none, as older agents do, of
	// which nothing of the rest is known either. AgentOutdated means that another host has
	// a newer one.
	AgentVersion  string `json:"agent_version,omitempty"`
	AgentOutdated bool   `json:"agent_outdated,omitempty"`
	// ClockOffsetSeconds is by how much its clock is ahead of the server's; negative: behind.
	ClockOffsetSeconds *int64 `json:"clock_offset_seconds,omitempty"`
	// Unseen is what cannot be seen there; nil where that is not known, empty: all is seen.
	Unseen []Unseen `json:"unseen,omitzero"`
}

// What a host reports of itself, and of nobody on it, in headers of GET /api/policy: each
// host asks for that once a send period, whether or not anybody is logged in. Its User-Agent
// is AgentProduct and its version.
const (
	AgentProduct = "trackerd/"
	// ClockHeader is its clock when it asks, RFC 3339 with fractions of a second.
	ClockHeader = "Tracker-Clock"
	// UnseenHeader is what cannot be seen there: codes with commas between, UnseenNothing
	// where there is none. It is left out while no session is measured; what was reported
	// before holds on.
	UnseenHeader  = "Tracker-Unseen"
	UnseenNothing = "none"

	// MaxAgentVersionBytes, MaxUnseen and MaxUnseenBytes bound a version, how many codes
	// there are, and one of them.
	MaxAgentVersionBytes = 64
	MaxUnseen            = 16
	MaxUnseenBytes       = 40

	// ClockNoise is from how many seconds on a clock's difference is shown: less is the
	// network's. ClockWrong is from when somebody should set it.
	ClockNoise = 2
	ClockWrong = 60
)

// Unseen is a code of what an agent cannot see on its host, for one session or several. It
// has small letters and "_".
type Unseen string

// What an agent cannot see.
const (
	UnseenSessions   Unseen = "sessions_unlisted" // logind does not answer
	UnseenUsers      Unseen = "users_left_out"    // somebody is not measured by mistake
	UnseenHelper     Unseen = "session_unread"    // a helper does not report
	UnseenConnected  Unseen = "connected_unknown" // whether somebody is connected
	UnseenLock       Unseen = "lock_unknown"      // no locker has reported yet
	UnseenFocus      Unseen = "focus_missing"     // the compositor names no window in front
	UnseenExtension  Unseen = "focus_no_extension"
	UnseenFocusGuess Unseen = "focus_guessed"  // no window manager names it
	UnseenDevices    Unseen = "no_devices"     // the seat has nothing that counts
	UnseenCounts     Unseen = "counts_missing" // its devices cannot be opened
	UnseenOther      Unseen = "partly_seen"
)

// UnseenCodes returns all of them.
func UnseenCodes() []Unseen {
	return []Unseen{
		UnseenSessions, UnseenUsers, UnseenHelper, UnseenConnected, UnseenLock, UnseenFocus, UnseenExtension, UnseenFocusGuess,
		UnseenDevices, UnseenCounts, UnseenOther,
	}
}

// ValidUnseen reports whether a code is one, known or not.
func ValidUnseen(code Unseen) bool {
	return code != "" && len(code) <= MaxUnseenBytes && strings.Trim(string(code), "abcdefghijklmnopqrstuvwxyz_") == ""
}

// HostPatch is the body of PATCH /api/hosts/{host_id}.
type HostPatch struct {
	Label *string `json:"label"`
}

// EnrolledHostList answers GET /api/hosts.
type EnrolledHostList struct {
	Hosts      []EnrolledHost `json:"hosts"`
	NextCursor string         `json:"next_cursor,omitempty"`
}

// MachineMove is the body of POST /api/hosts/{host_id}/machines.
type MachineMove struct {
	MachineIDs []string `json:"machine_ids"`
}

// MovedMachine is a machine_id that was given to another host; From and To are the same
// where it was that host's already.
type MovedMachine struct {
	MachineID string `json:"machine_id"`
	From      string `json:"from"`
	To        string `json:"to"`
}

// MovedMachines answers POST /api/hosts/{host_id}/machines.
type MovedMachines struct {
	Machines []MovedMachine `json:"machines"`
}
