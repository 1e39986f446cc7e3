package report

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/text"
)

// A cursor is opaque to callers: a letter for what it pages through and a
// position, in base64url. It holds nothing secret and grants nothing, so it is
// validated but not signed.
const (
	cursorEvents   = "e"
	cursorMachines = "m"
	// maxCursorBytes bounds a cursor: the longest machine_id, encoded.
	maxCursorBytes = 2 * api.MaxMachineIDBytes
)

const errCursor = InvalidError("cursor: not one that this list gave")

func encodeCursor(kind, position string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(kind + position))
}

func decodeCursor(kind, cursor string) (string, error) {
	if len(cursor) > maxCursorBytes {
		return "", errCursor
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil {
		return "", errCursor
	}
	position, ok := strings.CutPrefix(string(raw), kind)
	if !ok {
		return "", errCursor
	}
	return position, nil
}

// eventsCursor continues after an event's timestamp.
func eventsCursor(last time.Time) string {
	return encodeCursor(cursorEvents, strconv.FormatInt(last.UnixMicro(), 10))
}

// parseEventsCursor returns the first timestamp after the cursor's, which must
// lie within what is asked for.
func parseEventsCursor(cursor string, from, to time.Time) (time.Time, error) {
	position, err := decodeCursor(cursorEvents, cursor)
	if err != nil {
		return time.Time{}, err
	}
	micros, err := strconv.ParseInt(position, 10, 64)
	if err != nil {
		return time.Time{}, errCursor
	}
	last := time.UnixMicro(micros).UTC()
	if last.Before(from) || !last.Before(to) {
		return time.Time{}, InvalidError("cursor: from a list with another start and end")
	}
	return last.Add(time.Microsecond), nil
}

func parseMachinesCursor(cursor string) (string, error) {
	position, err := decodeCursor(cursorMachines, cursor)
	if err != nil || position == "" || len(position) > api.MaxMachineIDBytes || !text.Printable(position) {
		return "", errCursor
	}
	return position, nil
}
