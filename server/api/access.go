package api

import "time"

// The kinds of answers that show somebody's data, as the access log names them.
const (
	LookedMachines = "machines"
	LookedLive     = "live"
	LookedEvents   = "events"
	LookedSummary  = "summary"
	LookedTimeline = "timeline"
	LookedDay      = "day"
	LookedActivity = "activity"
	LookedApps     = "apps"
	LookedRhythm   = "rhythm"
	LookedReceipts = "receipts"
	LookedAccess   = "access"
	LookedExport   = "export"
	LookedPreview  = "preview"
	LookedMonth    = "month"
)

// AccessList answers GET /api/machines/{machine_id}/access.
type AccessList struct {
	MachineID  string   `json:"machine_id"`
	Access     []Access `json:"access"`
	NextCursor string   `json:"next_cursor,omitempty"`
}

// PersonAccessList answers GET /api/people/{person}/access.
type PersonAccessList struct {
	Person     string   `json:"person"`
	Access     []Access `json:"access"`
	NextCursor string   `json:"next_cursor,omitempty"`
}

// Access is one reader's looks at data of one kind, each at most 15 minutes after the
// one before.
type Access struct {
	// FirstAt and LastAt are when they looked, in whole minutes.
	FirstAt time.Time `json:"first_at"`
	LastAt  time.Time `json:"last_at"`
	// ReaderKind is user, token, self or command; ReaderID names it for good.
	ReaderKind string `json:"reader_kind"`
	ReaderID   string `json:"reader_id"`
	ReaderName string `json:"reader_name"`
	// What is the kind of answer.
	What string `json:"what"`
	// From and To are the span of time that was looked at, in whole hours; absent: of
	// none in particular.
	From *time.Time `json:"from,omitempty"`
	To   *time.Time `json:"to,omitempty"`
	// Machines is how many machines they looked at together.
	Machines int64 `json:"machines"`
}

// ChangeList answers GET /api/audit.
type ChangeList struct {
	Changes    []Change `json:"changes"`
	NextCursor string   `json:"next_cursor,omitempty"`
}

// Change is what somebody, a command or the server changed.
type Change struct {
	// Seq is its place in the chain, from 1 on.
	Seq int64     `json:"seq"`
	At  time.Time `json:"at"`
	// What is its kind, such as token.created.
	What string `json:"what"`
	// ActorKind is user, token, enrollment, command or server; ActorID names the actor for
	// good.
	ActorKind string `json:"actor_kind"`
	ActorID   string `json:"actor_id"`
	// ActorName, Subject and Details are absent or empty where they were erased.
	ActorName *string `json:"actor_name,omitempty"`
	// SubjectID names what was changed for good, where such a name names nobody.
	SubjectID string            `json:"subject_id"`
	Subject   *string           `json:"subject,omitempty"`
	Details   map[string]string `json:"details"`
	// Erased is how many of the three were erased.
	Erased int64 `json:"erased"`
}
