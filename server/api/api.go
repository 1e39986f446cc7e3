// Package api is the REST contract in Go: requests, replies, limits and error
// codes, shared by the server and by what speaks to it. It uses only the
// standard library and holds no behaviour beyond its types.
package api

import "time"

// Limits of an event and a batch. The server rejects what is beyond them; the
// host stays within them.
const (
	// MaxBatchEvents is how many events one POST /api/events may carry.
	MaxBatchEvents = 5000
	// MaxBodyBytes bounds a request body as sent (possibly compressed).
	MaxBodyBytes = 4 << 20
	// MaxInflatedBytes bounds a request body once inflated.
	MaxInflatedBytes = 16 << 20
	// MaxMachineIDBytes bounds a machine_id, in bytes of UTF-8.
	MaxMachineIDBytes = 255
	// MaxTextBytes bounds a window title, in bytes of UTF-8.
	MaxTextBytes = 4096
	// MaxAppBytes bounds an application name and a user name.
	MaxAppBytes = 512
	// MaxFocus bounds the focus list of an event.
	MaxFocus = 64
	// MaxIntervalSec bounds an event's interval: the longest
	// collect_interval_sec.
	MaxIntervalSec = 3600
	// MaxHostIDBytes bounds a host_id, which is ASCII.
	MaxHostIDBytes = 128
	// MaxHostnameBytes bounds a host name: the longest that DNS allows.
	MaxHostnameBytes = 253
	// MaxLabelBytes bounds a machine's label, in bytes of UTF-8.
	MaxLabelBytes = 256
	// MaxGroupBytes bounds a group's name, in bytes of UTF-8.
	MaxGroupBytes = 128
	// MaxGroupMembers bounds the list that sets a group's machines: a whole
	// fleet.
	MaxGroupMembers = 100_000
	// MaxCount bounds every count of an event: no hand or wheel reaches it in
	// an hour, and a day of them still fits 64 bits.
	MaxCount = 1_000_000_000
)

// SessionKind is where a session's user sits.
type SessionKind string

// The kinds of session.
const (
	SessionRDP   SessionKind = "rdp"
	SessionLocal SessionKind = "local"
	SessionTTY   SessionKind = "tty"
	// SessionVirtual is a display without a screen that is reached by other
	// means than RDP, as by VNC.
	SessionVirtual SessionKind = "virtual"
)

// DistanceUnit is what the distance of a pointer is measured in.
type DistanceUnit string

// The units of distance. An event without one is in pixels, and so is one that
// is read back.
const (
	UnitPixels DistanceUnit = "px"
	// UnitDevice is the device's own steps, where what they make of the screen's
	// pixels cannot be seen.
	UnitDevice DistanceUnit = "device"
)

// Event is one record: what one machine_id did in one interval.
type Event struct {
	// MachineID names the user on the host; with Timestamp it is the event's
	// identity.
	MachineID string `json:"machine_id"`
	// Timestamp is the start of the interval, UTC.
	Timestamp       time.Time `json:"timestamp"`
	KeyCount        int64     `json:"key_count"`
	MouseClicks     int64     `json:"mouse_clicks"`
	MouseDistancePx int64     `json:"mouse_distance_px"`
	ScrollCount     int64     `json:"scroll_count"`
	// ActiveWindow and ActiveApp are the title and application that had the
	// focus longest in the interval.
	ActiveWindow string `json:"active_window"`
	ActiveApp    string `json:"active_app"`
	// IsIdle is true where at the interval's end there had been no real input for
	// the host's idle_after_sec.
	IsIdle bool `json:"is_idle"`
	// Percentages are of the host, 0 to 100; absent where not measured.
	CPUPercent      *float64 `json:"cpu_percent,omitempty"`
	RAMUsedPercent  *float64 `json:"ram_used_percent,omitempty"`
	DiskUsedPercent *float64 `json:"disk_used_percent,omitempty"`

	// IntervalSec is the interval's length in seconds; absent means 60.
	IntervalSec *int64 `json:"interval_sec,omitempty"`
	// CollectedSeconds is in how many of them anything was collected, where work hours
	// or a pause cut the interval; absent means in all.
	CollectedSeconds *int64 `json:"collected_seconds,omitempty"`
	// ActiveSeconds is how many of them the user was active in.
	ActiveSeconds *float64 `json:"active_seconds,omitempty"`
	// Connected is whether a client was connected at the interval's end.
	Connected *bool `json:"connected,omitempty"`
	// Locked is whether the screen was locked then; absent where no locker reports it.
	Locked      *bool       `json:"locked,omitempty"`
	SessionKind SessionKind `json:"session_kind,omitempty"`
	// Focus is the exact focus time of each application and title.
	Focus []Focus `json:"focus,omitempty"`
	// SyntheticCount is how many presses came from programs, not hands.
	SyntheticCount *int64 `json:"synthetic_count,omitempty"`
	// RepeatCount is how often keys that were held repeated, where a client sends its
	// own repeats; they are in no other count. Absent where none were seen.
	RepeatCount *int64 `json:"repeat_count,omitempty"`
	Username    string `json:"username,omitempty"`
	// SystemUser means that the user's number is one that the host keeps for its own
	// (below 1000 on Debian): no rule makes them one person with a namesake. It is not
	// sent back, and in no table.
	SystemUser bool `json:"system_user,omitempty" table:"-"`
	// UserCPUPercent and UserRAMBytes are what this user's processes used.
	UserCPUPercent *float64 `json:"user_cpu_percent,omitempty"`
	UserRAMBytes   *int64   `json:"user_ram_bytes,omitempty"`
	// DistanceUnit is what MouseDistancePx is measured in; absent means pixels.
	DistanceUnit DistanceUnit `json:"distance_unit,omitempty"`
}

// defaultIntervalSec is an event's interval where it states none: the contract's
// default of collect_interval_sec.
const defaultIntervalSec = 60

// Interval is the event's length in seconds: what it states, else the default.
func (e *Event) Interval() int64 {
	if e.IntervalSec != nil {
		return *e.IntervalSec
	}
	return defaultIntervalSec
}

// Collected is in how many seconds of the interval anything was collected.
func (e *Event) Collected() int64 {
	if e.CollectedSeconds != nil {
		return min(*e.CollectedSeconds, e.Interval())
	}
	return e.Interval()
}

// Focus is for how many seconds a window had the focus.
type Focus struct {
	App     string  `json:"app"`
	Title   string  `json:"title,omitempty"`
	Seconds float64 `json:"seconds"`
	// ActiveSeconds is how many of them the user was active in; absent where that
	// was not measured.
	ActiveSeconds *float64 `json:"active_seconds,omitempty"`
}

// HostnameHeader is a header of POST /api/events: the host's name now, where it was
// renamed since it enrolled.
const HostnameHeader = "Tracker-Hostname"

// EventBatch is the body of POST /api/events.
type EventBatch struct {
	Events []Event `json:"events"`
	// NotCollected is when nothing was collected, MaxNotCollected spans at most.
	NotCollected []NotCollected `json:"not_collected,omitempty"`
}

// IngestReply answers POST /api/events. Accepted + Duplicates +
// len(Rejected) is the number of events sent.
type IngestReply struct {
	Accepted   int         `json:"accepted"`
	Duplicates int         `json:"duplicates"`
	Rejected   []Rejection `json:"rejected"`
	// NotCollected answers the spans; nil where the request had none, or the server is
	// older than they are.
	NotCollected *NotCollectedReply `json:"not_collected,omitempty"`
	// PolicyRevision is the revision of GET /api/policy, so that hosts ask for it only
	// when it changed. It is nil where no policy was ever written, or none is known.
	PolicyRevision *int64 `json:"policy_revision,omitempty"`
}

// Rejection names one event that was not stored, by its place in the batch.
type Rejection struct {
	Index   int    `json:"index"`
	Code    Code   `json:"code"`
	Message string `json:"message"`
}

// EnrollRequest is the body of POST /api/enroll.
type EnrollRequest struct {
	EnrollmentToken string `json:"enrollment_token"`
	HostID          string `json:"host_id"`
	Hostname        string `json:"hostname"`
	// Kind is what enrols; empty means EnrollHost.
	Kind EnrollKind `json:"kind,omitempty"`
}

// EnrollKind is what enrols. A token of one kind enrols none of the other.
type EnrollKind string

// The kinds of enrolment.
const (
	EnrollHost EnrollKind = "host" // a whole host, by its administrator
	EnrollUser EnrollKind = "user" // one person without root, by themselves
)

// EnrollReply answers POST /api/enroll with the host's credential, which is
// shown this once.
type EnrollReply struct {
	HostID     string `json:"host_id"`
	Credential string `json:"credential"`
}

// MachineStatus is what a machine was last seen doing.
type MachineStatus string

// The states of a machine.
const (
	MachineActive  MachineStatus = "active"
	MachineIdle    MachineStatus = "idle"
	MachineOffline MachineStatus = "offline"
	// MachineDisconnected is a session that goes on without a client, MachineLocked one
	// whose screen is locked, MachineNotCollected one of which, outside the work hours of
	// policy, nothing is collected; only GET /api/live has them.
	MachineDisconnected MachineStatus = "disconnected"
	MachineLocked       MachineStatus = "locked"
	MachineNotCollected MachineStatus = "not_collected"
)

// Machine is one user on one host.
type Machine struct {
	MachineID string        `json:"machine_id"`
	UserLabel string        `json:"user_label"`
	Hostname  string        `json:"hostname"`
	Username  string        `json:"username"`
	FirstSeen time.Time     `json:"first_seen"`
	LastSeen  time.Time     `json:"last_seen"`
	Status    MachineStatus `json:"status"`
	// Groups are the groups that it is in and that the caller may see, by name
	// and at most 100 of them.
	Groups []string `json:"groups"`
}

// LiveMachine is what a machine does now. LastSeen is as of the last change.
type LiveMachine struct {
	MachineID string        `json:"machine_id"`
	UserLabel string        `json:"user_label"`
	Hostname  string        `json:"hostname"`
	Username  string        `json:"username"`
	LastSeen  time.Time     `json:"last_seen"`
	Status    MachineStatus `json:"status"`
}

// LiveMachines is the data of the events snapshot and change of GET /api/live.
type LiveMachines struct {
	Machines []LiveMachine `json:"machines"`
	// More is true where the snapshot goes on in the next event.
	More bool `json:"more"`
}

// MachinePatch is the body of PATCH /api/machines/{machine_id}.
type MachinePatch struct {
	UserLabel *string `json:"user_label"`
}

// MachineList answers GET /api/machines.
type MachineList struct {
	Machines   []Machine `json:"machines"`
	NextCursor string    `json:"next_cursor,omitempty"`
}

// Group is a group of machines.
type Group struct {
	Name string `json:"name"`
	// Machines is how many it has.
	Machines  int64     `json:"machines"`
	CreatedAt time.Time `json:"created_at"`
}

// GroupList answers GET /api/groups.
type GroupList struct {
	Groups     []Group `json:"groups"`
	NextCursor string  `json:"next_cursor,omitempty"`
}

// GroupPatch is the body of PATCH /api/groups/{group}.
type GroupPatch struct {
	Name *string `json:"name"`
}

// GroupMembers is the body of PUT /api/groups/{group}/machines.
type GroupMembers struct {
	Machines []string `json:"machines"`
}

// GroupMembersReply answers it: how many machines the group has now, and those
// that do not exist and were left out.
type GroupMembersReply struct {
	Machines int64    `json:"machines"`
	Unknown  []string `json:"unknown"`
}

// EventList answers GET /api/activity/{machine_id}/events.
type EventList struct {
	MachineID  string  `json:"machine_id"`
	Events     []Event `json:"events"`
	NextCursor string  `json:"next_cursor,omitempty"`
}

// AppMinutes is how long an application had the focus while somebody was there.
// Minutes is Seconds rounded.
type AppMinutes struct {
	App     string  `json:"app"`
	Minutes int64   `json:"minutes"`
	Seconds float64 `json:"seconds"`
	// OpenMinutes is for how long it had the focus and nobody was there.
	OpenMinutes int64   `json:"open_minutes"`
	OpenSeconds float64 `json:"open_seconds"`
}

// Summary answers GET /api/activity/{machine_id}/summary. Minutes are the
// seconds beside them, rounded.
type Summary struct {
	MachineID string `json:"machine_id"`
	Date      string `json:"date"`
	TZ        string `json:"tz"`

	Totals

	ActiveMinutes int64        `json:"active_minutes"`
	IdleMinutes   int64        `json:"idle_minutes"`
	ActiveSeconds float64      `json:"active_seconds"`
	IdleSeconds   float64      `json:"idle_seconds"`
	FirstActivity *time.Time   `json:"first_activity"`
	LastActivity  *time.Time   `json:"last_activity"`
	TopApps       []AppMinutes `json:"top_apps"`
	// Estimated means that some of the day was stored before it was known how much
	// of an application's time somebody was there.
	Estimated bool `json:"estimated"`
}

// Hour is one entry of a timeline.
type Hour struct {
	// Hour is the local clock's hour, 0 to 23; it repeats or is missing where
	// the clocks change. Start is exact.
	Hour  int       `json:"hour"`
	Start time.Time `json:"start"`

	InputTotals

	ActiveMinutes int64  `json:"active_minutes"`
	IdleMinutes   int64  `json:"idle_minutes"`
	TopApp        string `json:"top_app"`
}

// Timeline answers GET /api/activity/{machine_id}/timeline.
type Timeline struct {
	MachineID string `json:"machine_id"`
	Date      string `json:"date"`
	TZ        string `json:"tz"`
	Hours     []Hour `json:"hours"`
}

// Problem is an error reply, RFC 9457 application/problem+json.
type Problem struct {
	Type   string `json:"type,omitempty"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Code   Code   `json:"code"`
}

// Code is a stable name of what was wrong, for programs.
type Code string

// Codes of rejected events; Rejections returns what a host does with each.
const (
	CodeBadEvent       Code = "bad_event"       // no object, or a field of the wrong type
	CodeBadMachineID   Code = "bad_machine_id"  // missing, too long or not printable
	CodeBadTimestamp   Code = "bad_timestamp"   // missing, not RFC 3339, before 2000 or over 24 h ahead
	CodeOutOfRange     Code = "out_of_range"    // a number that is negative or too large
	CodeBadText        Code = "bad_text"        // a NUL character in a text
	CodeTooLong        Code = "too_long"        // a text or list over its limit
	CodeForeignMachine Code = "foreign_machine" // another host reported this machine_id first

	CodeTooManyMachines Code = "too_many_machines" // the host has as many machine_ids as there may be
	CodeUnknownMachine  Code = "unknown_machine"   // of a span: no event of this machine_id has come yet
)

// Codes of refused requests.
const (
	CodeBadRequest      Code = "bad_request"
	CodeUnauthorized    Code = "unauthorized"
	CodeForbidden       Code = "forbidden"
	CodeNotFound        Code = "not_found"
	CodeNotAllowed      Code = "method_not_allowed"
	CodeTooLarge        Code = "too_large"
	CodeUnsupported     Code = "unsupported_encoding"
	CodeUnsupportedType Code = "unsupported_type" // a body that is declared as no JSON, or not in UTF-8
	CodeNotAcceptable   Code = "not_acceptable"   // none of the formats that Accept allows
	CodeRateLimited     Code = "rate_limited"
	CodeUnavailable     Code = "unavailable"
	CodeStopping        Code = "stopping" // of /readyz: it was asked to stop and still answers all else
	CodeInternal        Code = "internal"
	CodeBadToken        Code = "bad_enrollment_token" // unknown, expired or used up
	CodeHostEnrolled    Code = "host_enrolled"        // the host_id has an owner already

	CodeGroupExists   Code = "group_exists"    // another group has that name
	CodeTooManyGroups Code = "too_many_groups" // as many groups as there may be
)
