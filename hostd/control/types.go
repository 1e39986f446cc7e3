// Package control is the local socket between trackerd and the people on its
// host: what trackctl asks, what trackerd answers, and who may see what. Who
// asks is known from the kernel (SO_PEERCRED); only the uid decides. The answers
// are also what trackctl prints with --json, so their fields are kept.
package control

import (
	"fmt"
	"path/filepath"
	"time"
)

// DefaultSocket is where trackerd listens.
const DefaultSocket = "/run/trackerd/control.sock"

// UserSocket returns where the daemon that one person runs listens, below their
// XDG_RUNTIME_DIR.
func UserSocket(runtimeDir string) (string, error) {
	if !filepath.IsAbs(runtimeDir) {
		return "", fmt.Errorf("XDG_RUNTIME_DIR is %q and names no folder; log in as that user instead of using su or sudo", runtimeDir)
	}
	return filepath.Join(runtimeDir, "trackerd", "control.sock"), nil
}

// Status answers GET /v1/status.
type Status struct {
	// Version is trackerd's.
	Version string `json:"version"`
	// StartedAt is when this trackerd started.
	StartedAt time.Time `json:"started_at"`
	Hostname  string    `json:"hostname"`
	// User is set when this is no host's daemon, but one that a person runs for
	// themselves.
	User   bool        `json:"user,omitempty"`
	Server Destination `json:"server"`
	Upload Upload      `json:"upload"`
	// CollectIntervalSec is the length of one record, SendIntervalSec the time
	// between two uploads, IdleAfterSec how long without input counts as idle.
	CollectIntervalSec int `json:"collect_interval_sec"`
	SendIntervalSec    int `json:"send_interval_sec"`
	IdleAfterSec       int `json:"idle_after_sec"`
	// Measured is what is recorded about whoever asks.
	Measured Measured `json:"measured"`
	// Rules are those that hold here now; absent where an older trackerd runs.
	Rules []Rule `json:"rules,omitempty"`
	// Sessions are those that the asker may see: all for root, else their own.
	Sessions []Session `json:"sessions"`
	// Paused are the pauses that are on, of whom the asker may see.
	Paused []Pause `json:"paused,omitempty"`
	// Notice is that about this, for whoever asks; absent where an older trackerd runs.
	Notice *NoticeRead `json:"notice,omitempty"`
	// Host is what only root sees; null for others.
	Host *Host `json:"host"`
}

// Destination is where this host reports to.
type Destination struct {
	// URL is empty where none is configured.
	URL      string `json:"url"`
	Enrolled bool   `json:"enrolled"`
	// Problem is why the host is not enrolled any more, and what to do.
	Problem string `json:"problem,omitempty"`
}

// Upload is how the last uploads went.
type Upload struct {
	// LastSuccess is when the server last acknowledged events; null if it has
	// not since trackerd started.
	LastSuccess *time.Time `json:"last_success"`
	// LastError is why the last attempt failed; empty if it did not.
	LastError string `json:"last_error,omitempty"`
}

// Measured is what is recorded and what never is, in words for the person it
// is about.
type Measured struct {
	Counted []string `json:"counted"`
	Never   []string `json:"never"`
	// Handling is where it goes, who can read it and how long it is kept.
	Handling []string `json:"handling"`
}

// Rule is one rule of what is measured, who and when.
type Rule struct {
	// Name is the key of the configuration, such as work_hours.
	Name string `json:"name"`
	// Holds is what holds, in words.
	Holds string `json:"holds"`
	// From is where that comes from, such as file; empty for the default.
	From []string `json:"from"`
}

// Host is the part of a status that is about everybody on it.
type Host struct {
	// HostID is how the server knows this host: 32 hexadecimal digits.
	HostID string `json:"host_id"`
	// EventsWaiting is how many records the server has not yet acknowledged.
	EventsWaiting int64 `json:"events_waiting"`
	// DeadLetters counts the records that the server rejected for good, by
	// its code.
	DeadLetters map[string]int64 `json:"dead_letters"`
	// Later are the records that it may take later.
	Later []Postponed `json:"later"`
	// Forgotten is how many records of people who were erased on the server were
	// forgotten here.
	Forgotten int64 `json:"forgotten,omitempty"`
	// Screenshots are how it goes with pictures; absent where none are taken.
	Screenshots *Screenshots `json:"screenshots,omitempty"`
	// Problems are what is wrong now, each with what to do.
	Problems []string `json:"problems"`
}

// Screenshots are how it goes with pictures of screens, in numbers since trackerd started.
type Screenshots struct {
	// Waiting is how many the server has not yet.
	Waiting int `json:"waiting"`
	// Taken and Sent count pictures, Dropped those that no longer found room or were too
	// old, Refused those that the server does not take, and Forgotten those of people who
	// were erased there.
	Taken     int64 `json:"taken"`
	Sent      int64 `json:"sent"`
	Dropped   int64 `json:"dropped"`
	Refused   int64 `json:"refused"`
	Forgotten int64 `json:"forgotten"`
	// LastSent is when the server last took one; null if it has not since trackerd started.
	LastSent *time.Time `json:"last_sent"`
	// LastError is why the last one was not sent or kept; empty if it was.
	LastError string `json:"last_error,omitempty"`
}

// Pictures are how it goes with those of one session.
type Pictures struct {
	// WhyNot is why none may be taken at this moment; empty: one may.
	WhyNot string `json:"why_not,omitempty"`
	// LastTaken is when the last one was taken; null if none was since trackerd started.
	LastTaken *time.Time `json:"last_taken"`
	// LastFailed is why none was taken the last time that one was to be.
	LastFailed string `json:"last_failed,omitempty"`
}

// SessionState is how well a session is measured.
type SessionState string

// The states of a session.
const (
	SessionStarting  SessionState = "starting"  // its helper has not reported yet
	SessionReporting SessionState = "reporting" // its helper reports
	SessionSilent    SessionState = "silent"    // its helper has not reported for several intervals
	SessionRetrying  SessionState = "retrying"  // its helper ended and is started again after a while
)

// Session is one session that trackerd measures.
type Session struct {
	// ID is logind's.
	ID        string       `json:"id"`
	MachineID string       `json:"machine_id"`
	User      string       `json:"user"`
	UID       uint32       `json:"uid"`
	Kind      string       `json:"kind"`
	Display   string       `json:"display"`
	State     SessionState `json:"state"`
	// Connected is whether somebody can be at it: whether an RDP client is
	// connected, or a local session is in front; null where that is unknown.
	Connected *bool `json:"connected"`
	// Reads is by what it is read: x11, or wayland (what is in focus) and seat
	// (the input of its seat, while it is in front and not locked).
	Reads []string `json:"reads"`
	// Seat is where a local session is; empty for others.
	Seat string `json:"seat,omitempty"`
	// Locked is true while its screen locker reports so; absent where none does.
	Locked bool `json:"locked,omitempty"`
	// LastReport is when its helper last reported; null if it has not since
	// trackerd started.
	LastReport *time.Time `json:"last_report"`
	// Problem is what is wrong with it; empty if nothing is.
	Problem string `json:"problem,omitempty"`
	// Screenshots are how it goes with its pictures; absent where none are taken.
	Screenshots *Pictures `json:"screenshots,omitempty"`
}

// SessionList answers GET /v1/sessions.
type SessionList struct {
	Sessions []Session `json:"sessions"`
}

// Moment returns a time for JSON: null where it never came.
func Moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}

// EnrollRequest is the body of POST /v1/enroll.
type EnrollRequest struct {
	URL   string `json:"url"`
	Token string `json:"token"`
	// AllowHTTP permits plain http to a server that is not loopback.
	AllowHTTP bool `json:"allow_http"`
}

// EnrollReply answers POST /v1/enroll.
type EnrollReply struct {
	// ServerURL is the server that the host now reports to.
	ServerURL string `json:"server_url"`
	// HostID is how that server knows this host.
	HostID string `json:"host_id"`
}

// Code is a stable name of why a request was refused.
type Code string

// The codes of refused requests.
const (
	CodeForbidden  Code = "forbidden"
	CodeBadRequest Code = "bad_request"
	CodeNotFound   Code = "not_found"
	CodeFailed     Code = "failed" // tried, and did not work; the message holds why
)

// RefusalError is the body of every reply that is not 200.
type RefusalError struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
}

// Error returns the message.
func (r *RefusalError) Error() string { return r.Message }
