package api

import "time"

const (
	// MaxNotCollected is how many spans one POST /api/events may carry beside its events.
	MaxNotCollected = 1000
	// MaxNotCollectedHours is how long a span is at most: a longer time is sent in
	// several, so that whoever reads a day knows how far back to look.
	MaxNotCollectedHours = 24
)

// NotCollectedReason is why nothing was collected.
type NotCollectedReason string

// The reasons.
const (
	NotCollectedHours NotCollectedReason = "hours" // it was outside work hours
	NotCollectedPause NotCollectedReason = "pause" // the person had paused it
)

// NotCollected is a time in which nothing of a machine_id was collected, by rule:
// Start ≤ t < End. It is no event, and shows nothing of whether anybody was there. All four
// together are its identity. Start is the first field, by which trackerd knows a span from
// an event where both wait to be sent.
type NotCollected struct {
	Start     time.Time          `json:"start"`
	End       time.Time          `json:"end"`
	MachineID string             `json:"machine_id"`
	Reason    NotCollectedReason `json:"reason"`
}

// NotCollectedReply is what became of the spans of a request, as IngestReply has it of
// events.
type NotCollectedReply struct {
	Accepted   int         `json:"accepted"`
	Duplicates int         `json:"duplicates"`
	Rejected   []Rejection `json:"rejected"`
}
