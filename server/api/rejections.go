package api

import "time"

// CodeErased is the code of an event whose person was erased. The server keeps
// nothing of it, and neither does the host.
const CodeErased Code = "erased"

// FirstYear is the oldest year that an event may be from: a clock that shows an
// older one was never set.
const FirstYear = 2000

// Fate is what a host does with an event that the server rejected.
type Fate string

// The fates of a rejected event.
const (
	// FateLater keeps the event and sends it again: what stands against it can
	// pass.
	FateLater Fate = "later"
	// FateNever makes the event a dead letter, which a person may look at, send
	// again or drop: it can never be stored as it is.
	FateNever Fate = "never"
	// FateForget drops the event and counts it, and keeps nothing else of it.
	FateForget Fate = "forget"
)

// RejectionRow is one row of the table of codes.
type RejectionRow struct {
	Code Code
	Fate Fate
	// Cause is what the code means, in a few words.
	Cause string
}

// Rejections returns the table of the codes of rejected events and what a host
// does with each. It holds every code that this version of the server sends, and
// CodeErased.
func Rejections() []RejectionRow {
	return []RejectionRow{
		{CodeBadEvent, FateNever, "no object, a field of the wrong type, or a word that the server does not know"},
		{CodeBadMachineID, FateNever, "machine_id is missing, too long or not printable"},
		// RejectionFate looks at the timestamp too.
		{CodeBadTimestamp, FateLater, "the timestamp is more than 24 hours ahead of the server's clock; or (never) missing, not RFC 3339 or before 2000"},
		{CodeOutOfRange, FateNever, "a number is negative or too large"},
		{CodeBadText, FateNever, "a text has a NUL character"},
		{CodeTooLong, FateNever, "a text or list is over its limit"},
		{CodeForeignMachine, FateLater, "another host reported this machine_id first"},
		{CodeTooManyMachines, FateLater, "the host has as many machine_ids as there may be"},
		{CodeUnknownMachine, FateLater, "a time in which nothing was collected, of a machine_id of which no event has come yet"},
		{CodeErased, FateForget, "the person whose event it is was erased"},
	}
}

// RejectionFate returns what a host does with an event of that timestamp which
// the server rejected with that code. The zero time stands for a timestamp that
// cannot be read. A code that is not in the table comes from a newer server, and
// waits until the host is newer too.
func RejectionFate(code Code, timestamp time.Time) Fate {
	// An old timestamp stays old; one that is ahead comes true.
	if code == CodeBadTimestamp && timestamp.UTC().Year() < FirstYear {
		return FateNever
	}
	for _, row := range Rejections() {
		if row.Code == code {
			return row.Fate
		}
	}
	return FateLater
}
