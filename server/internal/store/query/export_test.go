package query

// For tests.
const MaxPageBytes = maxPageBytes
const StreamEvents = streamEvents
