package query

// For tests.
const (
	MaxPageBytes = maxPageBytes
	StreamEvents = streamEvents
)
