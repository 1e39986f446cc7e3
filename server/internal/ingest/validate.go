package ingest

import (
	"fmt"
	"math"
	"strings"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/text"
	"activity-tracker.example/server/internal/timestamp"
)

const (
	// maxAhead is how far a host's clock may be ahead of the server's.
	maxAhead = 24 * time.Hour
	// maxRAMBytes bounds a user's memory: more than any machine has, and exact
	// in a double.
	maxRAMBytes = 1 << 50
	// maxUserCPU bounds a user's share of all processors together, in percent
	// of one: 1,024 processors.
	maxUserCPU = 102_400
)

// violation is why an event is rejected.
type violation struct {
	code    api.Code
	message string
}

func validateTimestamp(sent *string, now time.Time) (time.Time, *violation) {
	if sent == nil {
		return time.Time{}, &violation{api.CodeBadTimestamp, "timestamp is missing"}
	}
	ts, err := timestamp.Parse(*sent)
	if err != nil {
		return time.Time{}, &violation{api.CodeBadTimestamp, "timestamp: want an RFC 3339 time"}
	}
	// PostgreSQL keeps microseconds; cutting here keeps identities equal.
	ts = ts.Truncate(time.Microsecond)
	switch {
	case ts.Year() < api.FirstYear:
		return ts, &violation{api.CodeBadTimestamp, "timestamp is before 2000-01-01"}
	case ts.After(now.Add(maxAhead)):
		return ts, &violation{api.CodeBadTimestamp, "timestamp is more than 24 hours ahead of the server's clock"}
	}
	return ts, nil
}

// validateEvent validates everything but the timestamp. What passes never makes a
// statement fail.
func validateEvent(e *api.Event) *violation {
	if f := validateMachineID(e.MachineID); f != nil {
		return f
	}
	for _, check := range []func(*api.Event) *violation{validateCounts, validateShares, validateTexts, validateFocus, validateWords} {
		if f := check(e); f != nil {
			return f
		}
	}
	return nil
}

// validateWords refuses words that this server does not know: stored as something
// else they would be wrong.
func validateWords(e *api.Event) *violation {
	switch e.SessionKind {
	case "", api.SessionRDP, api.SessionLocal, api.SessionTTY, api.SessionVirtual:
	default:
		return &violation{api.CodeBadEvent, "session_kind: want rdp, local, tty or virtual"}
	}
	switch e.DistanceUnit {
	case "", api.UnitPixels, api.UnitDevice:
		return nil
	}
	return &violation{api.CodeBadEvent, "distance_unit: want px or device"}
}

func validateMachineID(id string) *violation {
	switch {
	case id == "":
		return &violation{api.CodeBadMachineID, "machine_id is missing"}
	case len(id) > api.MaxMachineIDBytes:
		return &violation{api.CodeBadMachineID, fmt.Sprintf("machine_id: at most %d bytes", api.MaxMachineIDBytes)}
	case !text.Visible(id) || strings.TrimSpace(id) != id:
		return &violation{api.CodeBadMachineID, "machine_id: want printable characters, without spaces around"}
	}
	return nil
}

func validateCounts(e *api.Event) *violation {
	counts := e.Counts()
	for i, c := range api.Counters() {
		if counts[i] < 0 || counts[i] > api.MaxCount {
			return outOfRange(c.Name, 0, api.MaxCount)
		}
	}
	if e.IntervalSec != nil && (*e.IntervalSec < 1 || *e.IntervalSec > api.MaxIntervalSec) {
		return outOfRange("interval_sec", 1, api.MaxIntervalSec)
	}
	if collected := value(e.CollectedSeconds); collected < 0 || collected > e.Interval() {
		return outOfRange("collected_seconds", 0, e.Interval())
	}
	if ram := value(e.UserRAMBytes); ram < 0 || ram > maxRAMBytes {
		return outOfRange("user_ram_bytes", 0, maxRAMBytes)
	}
	return nil
}

func validateShares(e *api.Event) *violation {
	shares := []struct {
		name  string
		value *float64
		limit float64
	}{
		{"cpu_percent", e.CPUPercent, 100},
		{"ram_used_percent", e.RAMUsedPercent, 100},
		{"disk_used_percent", e.DiskUsedPercent, 100},
		{"user_cpu_percent", e.UserCPUPercent, maxUserCPU},
		{"active_seconds", e.ActiveSeconds, api.MaxIntervalSec},
	}
	for _, s := range shares {
		if s.value != nil && !within(*s.value, s.limit) {
			return outOfRange(s.name, 0, s.limit)
		}
	}
	return nil
}

func within(v, limit float64) bool { return !math.IsNaN(v) && v >= 0 && v <= limit }

func value(p *int64) int64 {
	if p == nil {
		return 0
	}
	return *p
}

func outOfRange[T int | int64 | float64](name string, from int, to T) *violation {
	return &violation{api.CodeOutOfRange, fmt.Sprintf("%s: want %d to %v", name, from, to)}
}

func validateTexts(e *api.Event) *violation {
	if f := validateText("active_window", &e.ActiveWindow, api.MaxTextBytes); f != nil {
		return f
	}
	if f := validateText("active_app", &e.ActiveApp, api.MaxAppBytes); f != nil {
		return f
	}
	return validateText("username", &e.Username, api.MaxAppBytes)
}

// validateText validates a text, and takes out of it what makes it read otherwise than it
// is.
func validateText(name string, s *string, limit int) *violation {
	switch {
	case len(*s) > limit:
		return &violation{api.CodeTooLong, fmt.Sprintf("%s: at most %d bytes", name, limit)}
	case strings.ContainsRune(*s, 0):
		return &violation{api.CodeBadText, name + ": has a NUL character"}
	}
	*s = text.WithoutBidi(*s)
	return nil
}

func validateFocus(e *api.Event) *violation {
	if len(e.Focus) > api.MaxFocus {
		return &violation{api.CodeTooLong, fmt.Sprintf("focus: at most %d entries", api.MaxFocus)}
	}
	for i := range e.Focus {
		f := &e.Focus[i]
		if bad := validateText("focus.app", &f.App, api.MaxAppBytes); bad != nil {
			return bad
		}
		if bad := validateText("focus.title", &f.Title, api.MaxTextBytes); bad != nil {
			return bad
		}
		if !within(f.Seconds, api.MaxIntervalSec) {
			return outOfRange("focus.seconds", 0, api.MaxIntervalSec)
		}
		if f.ActiveSeconds != nil && !within(*f.ActiveSeconds, api.MaxIntervalSec) {
			return outOfRange("focus.active_seconds", 0, api.MaxIntervalSec)
		}
	}
	return nil
}
