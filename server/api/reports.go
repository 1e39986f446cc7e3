package api

import "time"

// Limits of the categories: more than anyone keeps by hand, and few enough to ask
// each application and title for all of them.
const (
	MaxCategories = 100
	// MaxPatterns bounds the patterns of all categories together.
	MaxPatterns = 1000
	// MaxCategoryBytes and MaxPatternBytes bound a category's name and a
	// pattern, in bytes of UTF-8.
	MaxCategoryBytes = 64
	MaxPatternBytes  = 256
)

// Rating is what an organisation thinks of the time spent in a category.
type Rating string

// The ratings.
const (
	RatingProductive   Rating = "productive"
	RatingNeutral      Rating = "neutral"
	RatingUnproductive Rating = "unproductive"
)

// Category is a name for uses of applications, as an administrator sees them.
type Category struct {
	Name string `json:"name"`
	// Colour is # and six hexadecimal digits.
	Colour   string    `json:"colour"`
	Rating   Rating    `json:"rating"`
	Patterns []Pattern `json:"patterns"`
}

// Pattern matches uses of applications: App the application's name and Title the
// window's title, as a whole and whatever the case; * stands for any characters,
// also none. What is empty asks for nothing; where both are given both must match.
type Pattern struct {
	App   string `json:"app,omitempty"`
	Title string `json:"title,omitempty"`
}

// CategoryList answers GET and PUT /api/categories and is the body of the latter.
// The first category of which a pattern matches is the one.
type CategoryList struct {
	Categories []Category `json:"categories"`
	// Version counts the changes. It is the reply's ETag; a body's is not
	// looked at.
	Version int64 `json:"version"`
}

// ActivityReport answers GET /api/reports/activity.
type ActivityReport struct {
	// From and To are local dates in TZ, both included.
	From string `json:"from"`
	To   string `json:"to"`
	TZ   string `json:"tz"`
	// By is day, week or month; Per is machine, person, group or all.
	By         string        `json:"by"`
	Per        string        `json:"per"`
	Rows       []ActivityRow `json:"rows"`
	NextCursor string        `json:"next_cursor,omitempty"`
}

// ActivityRow is what one machine, person or group did in one period. Minutes are the
// seconds beside them, rounded.
type ActivityRow struct {
	// MachineID and the three after it are empty unless the row is of one
	// machine.
	MachineID string `json:"machine_id"`
	UserLabel string `json:"user_label"`
	Username  string `json:"username"`
	Hostname  string `json:"hostname"`
	// Group is the group that the row is of, or that was asked for.
	Group string `json:"group"`
	// Machines is how many the row adds up.
	Machines int64 `json:"machines"`
	// PeriodStart and PeriodEnd are the period's first and last local date.
	PeriodStart string `json:"period_start"`
	PeriodEnd   string `json:"period_end"`
	// ActiveMinutes is the host's measure: from any input to its idle_after_sec after the
	// last one. Idle is the rest of what was recorded, Untracked the part of the
	// period that has passed and of which there is no record.
	ActiveMinutes    int64      `json:"active_minutes"`
	IdleMinutes      int64      `json:"idle_minutes"`
	UntrackedMinutes int64      `json:"untracked_minutes"`
	ActiveSeconds    float64    `json:"active_seconds"`
	IdleSeconds      float64    `json:"idle_seconds"`
	UntrackedSeconds float64    `json:"untracked_seconds"`
	FirstActivity    *time.Time `json:"first_activity"`
	LastActivity     *time.Time `json:"last_activity"`

	Totals

	// Events is how many records there are.
	Events int64 `json:"events"`

	// Person and PersonLabel are empty unless the row is of one person, of whose
	// accounts time that several share counts once. Partial means that there are accounts
	// that the caller may not see or has not asked for, Estimated that not all of it is
	// known by the minute.
	Person      string `json:"person"`
	PersonLabel string `json:"person_label"`
	Partial     bool   `json:"partial"`
	Estimated   bool   `json:"estimated"`
}

// AppsReport answers GET /api/reports/apps.
type AppsReport struct {
	From string `json:"from"`
	To   string `json:"to"`
	TZ   string `json:"tz"`
	// By is app or category; Per is machine, person, group or all.
	By         string   `json:"by"`
	Per        string   `json:"per"`
	Rows       []AppRow `json:"rows"`
	NextCursor string   `json:"next_cursor,omitempty"`
}

// AppRow is for how long an application, or all of a category, had the focus on
// one machine or in a group. Minutes is Seconds rounded.
type AppRow struct {
	MachineID string `json:"machine_id"`
	UserLabel string `json:"user_label"`
	Username  string `json:"username"`
	Hostname  string `json:"hostname"`
	Group     string `json:"group"`
	Machines  int64  `json:"machines"`
	// App is empty in a report by category, and for the applications together
	// that were in focus least.
	App string `json:"app"`
	// Category is empty for what is in none.
	Category string `json:"category"`
	Rating   Rating `json:"rating"`
	// Minutes and Seconds are for how long it had the focus while somebody was there,
	// Open for how long it had it and nobody was.
	Minutes     int64   `json:"minutes"`
	Seconds     float64 `json:"seconds"`
	OpenMinutes int64   `json:"open_minutes"`
	OpenSeconds float64 `json:"open_seconds"`
	// Estimated means that for some of the time it is only estimated how it divides
	// into these two.
	Estimated bool `json:"estimated"`

	// Person, PersonLabel and Partial are as in ActivityRow; times of a person's accounts
	// add up.
	Person      string `json:"person"`
	PersonLabel string `json:"person_label"`
	Partial     bool   `json:"partial"`
}

// Codes of refused changes of the categories.
const (
	CodeVersionMissing   Code = "version_missing"   // the change does not name the version that it changes
	CodeChangedMeanwhile Code = "changed_meanwhile" // it is of another version than there is
)

// Codes of refused closings of months.
const (
	CodeMonthClosed  Code = "month_closed"   // it is closed, or the group has closed months
	CodeMonthNotOver Code = "month_not_over" // some of it is still to come in that time zone
)

// MonthDraft is the body of POST /api/months/{month}: which group's, and in which time zone its
// days are. Without a group it is everybody's.
type MonthDraft struct {
	Group string `json:"group,omitempty"`
	TZ    string `json:"tz"`
}

// ClosedMonth is a month that was closed.
type ClosedMonth struct {
	// Month is as 2026-03; Group is empty where it is everybody's.
	Month string `json:"month"`
	Group string `json:"group"`
	TZ    string `json:"tz"`
	// ClosedAt is when, the others by whom: user, token, command or server, with its id, and what it is
	// called now.
	ClosedAt     time.Time `json:"closed_at"`
	ClosedByKind string    `json:"closed_by_kind"`
	ClosedByID   string    `json:"closed_by_id"`
	ClosedByName string    `json:"closed_by_name"`
	// People is of how many there are figures, without those who were erased since.
	People int64 `json:"people"`
	// Digest is SHA-256 of all figures with their salts, as the audit log has it.
	Digest string `json:"digest"`
}

// ClosedMonthList answers GET /api/months.
type ClosedMonthList struct {
	Months     []ClosedMonth `json:"months"`
	NextCursor string        `json:"next_cursor,omitempty"`
}

// MonthReport answers GET /api/months/{month}.
type MonthReport struct {
	ClosedMonth

	// Intact is whether the rows are as they were when the month was closed.
	Intact     bool       `json:"intact"`
	Rows       []MonthDay `json:"rows"`
	NextCursor string     `json:"next_cursor,omitempty"`
}

// MonthDay is what a person did on one day of a closed month, as it stood then. Seconds add up
// to the day's length.
type MonthDay struct {
	DayOf

	Date                string     `json:"date"`
	FirstActivity       *time.Time `json:"first_activity"`
	LastActivity        *time.Time `json:"last_activity"`
	ActiveSeconds       float64    `json:"active_seconds"`
	NoInputSeconds      float64    `json:"no_input_seconds"`
	LockedSeconds       float64    `json:"locked_seconds"`
	DisconnectedSeconds float64    `json:"disconnected_seconds"`
	NotCollectedSeconds float64    `json:"not_collected_seconds"`
	UnknownSeconds      float64    `json:"unknown_seconds"`
	// Changed is whether the same accounts' figures are others now, as where records came
	// late; absent where not all is kept that this would be made of.
	Changed *bool `json:"changed,omitempty"`
}
