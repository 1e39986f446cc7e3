package api

import "time"

// Erasure is the certificate that a person was erased: nothing of who it was.
type Erasure struct {
	ID int64 `json:"id"`
	// UnreadableSince is since when nothing of the person can be read, GoneSince since when
	// nothing is left in the database; null: some is.
	UnreadableSince time.Time  `json:"unreadable_since"`
	GoneSince       *time.Time `json:"gone_since"`
	// BackupsUntil is until when backups that were made before still hold it; null: until
	// they are deleted, as far as the server knows.
	BackupsUntil *time.Time `json:"backups_until"`
	// Accounts is how many the person had.
	Accounts int64  `json:"accounts"`
	Deleted  Erased `json:"deleted"`
	// PoliciesLeft is how many versions of policy, which hold or will hold, still name a
	// user name as not measured: without it that account would be measured.
	PoliciesLeft int64 `json:"policies_left"`
}

// Erased is how much was deleted so far.
type Erased struct {
	// Records and Hours are rows of records, as they came and packed by the hour.
	Records int64 `json:"records"`
	Hours   int64 `json:"hours"`
	// Sums and Days are rows of sums, of quarters of an hour and packed by the day.
	Sums int64 `json:"sums"`
	Days int64 `json:"days"`
	// NotCollected are times in which nothing was collected.
	NotCollected int64 `json:"not_collected"`
	Receipts     int64 `json:"receipts"`
	// Screenshots are pictures of screens, and marks of deleted ones.
	Screenshots int64 `json:"screenshots"`
	// Notes are what the person wrote, with answers.
	Notes int64 `json:"notes"`
	// Titles are those that nobody else had in their month.
	Titles int64 `json:"titles"`
	// Looks are entries of who looked, Names texts of who changed what, Policies versions
	// of policy that named a user name.
	Looks    int64 `json:"looks"`
	Names    int64 `json:"names"`
	Policies int64 `json:"policies"`
	// Months are closed months with figures of the person's accounts.
	Months int64 `json:"months"`
}

// ErasureList answers GET /api/erasures.
type ErasureList struct {
	Erasures   []Erasure `json:"erasures"`
	NextCursor string    `json:"next_cursor,omitempty"`
}
