package api

import (
	"encoding/json"
	"time"
)

// CodePolicyTooLarge is the code of a policy that has more than it may: rules, patterns,
// names or bytes.
const CodePolicyTooLarge Code = "policy_too_large"

// HostGroup is a group of hosts, which a policy can be for.
type HostGroup struct {
	Name string `json:"name"`
	// Hosts are host_ids.
	Hosts []string `json:"hosts"`
	// SameDirectory means that equal user names on its hosts are one person: an
	// administrator has confirmed that they share one directory. ConfirmedAt is when,
	// ConfirmedBy who: a user, a token, or a command on the server.
	SameDirectory bool       `json:"same_directory"`
	ConfirmedAt   *time.Time `json:"confirmed_at,omitempty"`
	ConfirmedBy   string     `json:"confirmed_by,omitempty"`
	// Version is of its hosts and its rule, for If-Match.
	Version string `json:"version"`
}

// NoHostGroupVersion is the version of a host group that does not exist.
const NoHostGroupVersion = "0"

// HostGroupList answers GET /api/host-groups.
type HostGroupList struct {
	HostGroups []HostGroup `json:"host_groups"`
}

// HostGroupMembers is the body of PUT /api/host-groups/{host_group}.
type HostGroupMembers struct {
	Hosts []string `json:"hosts"`
	// SameDirectory confirms that all these hosts share one directory, so that equal user
	// names on them are one person, or takes it back. Absent leaves it as it is; then no
	// hosts may come to a group where it was confirmed.
	SameDirectory *bool `json:"same_directory,omitempty"`
}

// NamesPreview answers POST /api/host-groups/{host_group}/preview: what confirming that these
// hosts share one directory would do to their accounts.
type NamesPreview struct {
	// People is how many would have several accounts by the rule, Accounts how many of
	// these would come to another person than they have now.
	People   int64 `json:"people"`
	Accounts int64 `json:"accounts"`
	// Names are the user names that several accounts have, first those that most have.
	Names []NamePreview `json:"names"`
	// NamesLeftOff is how many follow.
	NamesLeftOff int64 `json:"names_left_off"`
}

// NamePreview is what would become of the accounts of one user name. Each is in one list.
type NamePreview struct {
	Username string `json:"username"`
	// Person is whose they would be; empty where all stay apart.
	Person string `json:"person,omitempty"`
	// Label is what that person is called.
	Label string `json:"label,omitempty"`
	// Joined are machine_ids that would be that person's.
	Joined []string `json:"joined"`
	// Apart are those that would not: an administrator joined or parted them, or that
	// person has as many accounts as one may have.
	Apart []string `json:"apart"`
	// AccountsLeftOff is how many more stay apart.
	AccountsLeftOff int64 `json:"accounts_left_off"`
	// Aside are people who would have no account any more.
	Aside []PersonAside `json:"aside"`
}

// PersonAside is somebody whose accounts would all be another's. What they have rests until
// the rule is taken back.
type PersonAside struct {
	Person string `json:"person"`
	// Label is what they are called; Groups are those they are in; Users are the logins of
	// those who are tied to them.
	Label  string   `json:"label,omitempty"`
	Groups []string `json:"groups"`
	Users  []string `json:"users"`
}

// Receipt is the body of POST /api/receipts: a program of that account confirmed that
// the notice was read.
type Receipt struct {
	MachineID string `json:"machine_id"`
	// Notice is the version of the notice: the hash of its text.
	Notice string    `json:"notice"`
	ReadAt time.Time `json:"read_at"`
}

// ReceiptRow is a receipt as it is kept.
type ReceiptRow struct {
	MachineID  string    `json:"machine_id"`
	Hostname   string    `json:"hostname"`
	Username   string    `json:"username"`
	Notice     string    `json:"notice"`
	ReadAt     time.Time `json:"read_at"`
	ReceivedAt time.Time `json:"received_at"`
	// HostID is the host that sent it.
	HostID string `json:"host_id"`
}

// ReceiptList answers GET /api/receipts.
type ReceiptList struct {
	Receipts   []ReceiptRow `json:"receipts"`
	NextCursor string       `json:"next_cursor,omitempty"`
}

// PolicyPreviewDraft is the body of POST /api/policies/preview.
type PolicyPreviewDraft struct {
	Policy json.RawMessage `json:"policy"`
}

// TitlePreview answers POST /api/policies/preview: what a policy would do to titles as they
// were recorded, from ≤ time < to.
type TitlePreview struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Machines is how many were looked at.
	Machines int64 `json:"machines"`
	// Cut means that it took too long, or there were too many titles: others are left out.
	Cut  bool              `json:"cut"`
	Apps []TitlePreviewApp `json:"apps"`
	// AppsLeftOff is how many applications follow.
	AppsLeftOff int64 `json:"apps_left_off"`
}

// TitlePreviewApp is what becomes of an application's titles.
type TitlePreviewApp struct {
	App      string     `json:"app"`
	Kept     TitleShare `json:"kept"`
	Replaced TitleShare `json:"replaced"`
	Dropped  TitleShare `json:"dropped"`
	// Examples are some of those that would not be kept.
	Examples []TitleExample `json:"examples"`
}

// TitleShare is a part of an application's titles.
type TitleShare struct {
	// Titles counts different ones.
	Titles int64 `json:"titles"`
	// FocusSeconds is for how long their windows were in front.
	FocusSeconds int64 `json:"focus_seconds"`
}

// TitleExample is a title, and what would become of it: nothing where With is empty.
type TitleExample struct {
	Title string `json:"title"`
	With  string `json:"with"`
}

// CategoryPreview answers POST /api/categories/preview: where time would count that counts
// elsewhere now.
type CategoryPreview struct {
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Machines int64     `json:"machines"`
	Cut      bool      `json:"cut"`
	// Categories are those of now and of the draft; the empty name is none.
	Categories []CategoryShift `json:"categories"`
	// Moved are the uses whose category would be another, longest first.
	Moved []MovedUse `json:"moved"`
	// MovedLeftOff is how many follow.
	MovedLeftOff int64 `json:"moved_left_off"`
}

// CategoryShift is a category's time now and by the draft.
type CategoryShift struct {
	Category    string `json:"category"`
	NowSeconds  int64  `json:"now_seconds"`
	ThenSeconds int64  `json:"then_seconds"`
}

// MovedUse is for how long an application was in front whose category would be another.
type MovedUse struct {
	App          string `json:"app"`
	Now          string `json:"now"`
	Then         string `json:"then"`
	FocusSeconds int64  `json:"focus_seconds"`
}
