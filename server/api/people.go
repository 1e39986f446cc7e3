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
	// Label is their name for people; empty where nobody set one.
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

// MaxImport bounds the accounts that are given to people at once.
const MaxImport = 1000

// PeopleImport is the body of POST /api/people/import.
type PeopleImport struct {
	// Preview changes nothing, and answers what it would.
	Preview  bool           `json:"preview,omitempty"`
	Accounts []AccountOwner `json:"accounts"`
}

// AccountOwner is whose an account is to be.
type AccountOwner struct {
	MachineID string `json:"machine_id"`
	// Person is an id, or a name: all accounts with one name are one person's, who is called
	// so from then on. Whoever is called so already is meant.
	Person string `json:"person"`
}

// PeopleImported answers it.
type PeopleImported struct {
	// People is how many were named, Joined how many accounts came to them.
	People int64 `json:"people"`
	Joined int64 `json:"joined"`
	// Accounts are those that came to another person.
	Accounts []AccountMoved `json:"accounts"`
	// Aside are people of whom no account is left, and something that rests.
	Aside []PersonAside `json:"aside"`
}

// AccountMoved is an account that came to another person.
type AccountMoved struct {
	MachineID string `json:"machine_id"`
	From      string `json:"from"`
	FromLabel string `json:"from_label"`
	// Person is whose it is now; empty in a preview that would make one.
	Person string `json:"person"`
	Label  string `json:"label"`
	// GroupsJoined and GroupsLeft are those that hold it from then on, and no more.
	GroupsJoined []string `json:"groups_joined"`
	GroupsLeft   []string `json:"groups_left"`
}

// PersonSummary answers GET /api/people/{person}/summary: as Summary, of all accounts
// that the caller may see. Time that several share counts once; counts and the times of
// applications add up.
type PersonSummary struct {
	Person string `json:"person"`
	// Partial means that there are accounts that the caller may not see, and that are
	// not in here.
	Partial bool   `json:"partial"`
	Date    string `json:"date"`
	TZ      string `json:"tz"`

	Totals

	ActiveMinutes int64        `json:"active_minutes"`
	IdleMinutes   int64        `json:"idle_minutes"`
	ActiveSeconds float64      `json:"active_seconds"`
	IdleSeconds   float64      `json:"idle_seconds"`
	FirstActivity *time.Time   `json:"first_activity"`
	LastActivity  *time.Time   `json:"last_activity"`
	TopApps       []AppMinutes `json:"top_apps"`
	// Estimated means that not all of it is known by the minute.
	Estimated bool `json:"estimated"`
}

// PersonTimeline answers GET /api/people/{person}/timeline.
type PersonTimeline struct {
	Person    string `json:"person"`
	Partial   bool   `json:"partial"`
	Date      string `json:"date"`
	TZ        string `json:"tz"`
	Hours     []Hour `json:"hours"`
	Estimated bool   `json:"estimated"`
}

// PersonEvents answers GET /api/people/{person}/events.
type PersonEvents struct {
	Person     string  `json:"person"`
	Partial    bool    `json:"partial"`
	Events     []Event `json:"events"`
	NextCursor string  `json:"next_cursor,omitempty"`
}

// PersonDay answers GET /api/people/{person}/day.
type PersonDay struct {
	Person  string `json:"person"`
	Partial bool   `json:"partial"`
	Date    string `json:"date"`
	TZ      string `json:"tz"`
	// Segments follow each other from the day's beginning to its end or to now.
	Segments  []Segment `json:"segments"`
	Estimated bool      `json:"estimated"`
	// Notes are what the person wrote about that day. They change nothing else.
	Notes []Note `json:"notes"`
}

// DayReport answers GET /api/reports/day.
type DayReport struct {
	Date       string           `json:"date"`
	TZ         string           `json:"tz"`
	People     []PersonSegments `json:"people"`
	NextCursor string           `json:"next_cursor,omitempty"`
}

// DayOf is whose day a part of a report is of.
type DayOf struct {
	Person string `json:"person"`
	Label  string `json:"label"`
	// Partial and Estimated are as in PersonDay.
	Partial   bool `json:"partial"`
	Estimated bool `json:"estimated"`
}

// PersonSegments are the segments of one person's day, as in PersonDay.
type PersonSegments struct {
	DayOf

	Segments []Segment `json:"segments"`
}

// DaySegment is a row of a table of days.
type DaySegment struct {
	DayOf
	Segment
}

// RhythmReport answers GET /api/reports/rhythm.
type RhythmReport struct {
	// From and To are local dates in TZ, both included.
	From string `json:"from"`
	To   string `json:"to"`
	TZ   string `json:"tz"`
	// Person and Group are those that were asked for, or empty.
	Person string `json:"person"`
	Group  string `json:"group"`
	// People is how many it adds up.
	People    int64 `json:"people"`
	Partial   bool  `json:"partial"`
	Estimated bool  `json:"estimated"`
	// Hours are the 168 of a week, from Monday at midnight.
	Hours []RhythmHour `json:"hours"`
}

// RhythmHour is what people did in one hour of the week, in all weeks together.
type RhythmHour struct {
	// Weekday is 1 for Monday; Hour is what the local clock shows.
	Weekday int64 `json:"weekday"`
	Hour    int64 `json:"hour"`
	// Times is how often the range had that hour so far.
	Times         int64   `json:"times"`
	ActiveMinutes int64   `json:"active_minutes"`
	IdleMinutes   int64   `json:"idle_minutes"`
	ActiveSeconds float64 `json:"active_seconds"`
	IdleSeconds   float64 `json:"idle_seconds"`
}

// Segment is a run of minutes of one state.
type Segment struct {
	State string    `json:"state"`
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	// ActiveSeconds is for how long somebody was there.
	ActiveSeconds float64 `json:"active_seconds"`
	// Reason is why nothing was collected; absent of other states.
	Reason NotCollectedReason `json:"reason,omitempty"`
}

// LookedScreenshots is the access log's name of pictures of screens.
const LookedScreenshots = "screenshots"

// MaxScreenshotBytes bounds a picture as it is sent.
const MaxScreenshotBytes = 512 << 10

// What is refused about pictures of screens.
const (
	CodeScreenshotsOff  Code = "screenshots_off"  // policy in force allows none on that host, or only blurred ones
	CodeBadPicture      Code = "bad_picture"      // no plain baseline JPEG, or one of too many pixels
	CodeScreenshotsFull Code = "screenshots_full" // no room for more; later there may be
	CodeTooLate         Code = "too_late"         // one's own can be deleted only for a while
)

// Screenshot is what is known of a picture of a screen.
type Screenshot struct {
	ID        string `json:"id"`
	MachineID string `json:"machine_id"`
	// TakenAt is when the host took it, ReceivedAt when the server got it.
	TakenAt    time.Time `json:"taken_at"`
	ReceivedAt time.Time `json:"received_at"`
	// Kind is blurred or readable.
	Kind   string `json:"kind"`
	Width  int64  `json:"width"`
	Height int64  `json:"height"`
	Bytes  int64  `json:"bytes"`
	// DeletedAt and DeletedBy are when and by whom the picture was deleted; absent: it is
	// there.
	DeletedAt *time.Time `json:"deleted_at,omitempty"`
	DeletedBy *string    `json:"deleted_by,omitempty"`
}

// ScreenshotAdded answers POST /api/screenshots.
type ScreenshotAdded struct {
	ID string `json:"id"`
}

// ScreenshotList answers GET /api/people/{person}/screenshots.
type ScreenshotList struct {
	Person      string       `json:"person"`
	Screenshots []Screenshot `json:"screenshots"`
	NextCursor  string       `json:"next_cursor,omitempty"`
}

// LookedNotes is the access log's name of notes.
const LookedNotes = "notes"

const (
	// MaxNoteChars bounds a note's text, and its answer's.
	MaxNoteChars = 500
	// MaxNoteHours is how long the span of a note may be.
	MaxNoteHours = 24
)

// What is refused about notes.
const (
	CodeTooManyNotes Code = "too_many_notes" // the account has as many as there may be, of that day or in all
	CodeNoteAnswered Code = "note_answered"  // it was answered, and stays as it is
)

// Note is what a person wrote to explain a span of their time. It is shown beside what was
// measured, and changes none of it.
type Note struct {
	ID        string    `json:"id"`
	MachineID string    `json:"machine_id"`
	Start     time.Time `json:"start"`
	End       time.Time `json:"end"`
	Text      string    `json:"text"`
	MadeAt    time.Time `json:"made_at"`
	// MadeBy is the user who wrote it, as "user usr_…", or "self": a link of the account.
	MadeBy string `json:"made_by"`
	// The answer, when and by whom it was given, as "user usr_…" or "token tok_…", and what
	// that is called; absent where there is none.
	Answer         *string    `json:"answer,omitempty"`
	AnsweredAt     *time.Time `json:"answered_at,omitempty"`
	AnsweredBy     *string    `json:"answered_by,omitempty"`
	AnsweredByName *string    `json:"answered_by_name,omitempty"`
}

// NoteList answers GET /api/people/{person}/notes.
type NoteList struct {
	Person string `json:"person"`
	// Partial means that there are accounts that the caller may not see.
	Partial    bool   `json:"partial"`
	Notes      []Note `json:"notes"`
	NextCursor string `json:"next_cursor,omitempty"`
}

// NoteDraft is the body of POST /api/me/notes.
type NoteDraft struct {
	// MachineID is the account that it is kept with; it may be left out by who has one.
	MachineID string    `json:"machine_id,omitempty"`
	Start     time.Time `json:"start"`
	End       time.Time `json:"end"`
	Text      string    `json:"text"`
}

// NoteAnswer is the body of PUT /api/people/{person}/notes/{note}/answer.
type NoteAnswer struct {
	Text string `json:"text"`
}
