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

// fault is why an event is rejected.
type fault struct {
	code    api.Code
	message string
}

func checkTimestamp(sent *string, now time.Time) (time.Time, *fault) {
	if sent == nil {
		return time.Time{}, &fault{api.CodeBadTimestamp, "timestamp is missing"}
	}
	ts, err := timestamp.Parse(*sent)
	if err != nil {
		return time.Time{}, &fault{api.CodeBadTimestamp, "timestamp: want an RFC 3339 time"}
	}
	// PostgreSQL keeps microseconds; cutting here keeps identities equal.
	ts = ts.Truncate(time.Microsecond)
	switch {
	case ts.Year() < api.FirstYear:
		return ts, &fault{api.CodeBadTimestamp, "timestamp is before 2000-01-01"}
	case ts.After(now.Add(maxAhead)):
		return ts, &fault{api.CodeBadTimestamp, "timestamp is more than 24 hours ahead of the server's clock"}
	}
	return ts, nil
}

// checkEvent judges everything but the timestamp. What passes never makes a
// statement fail.
func checkEvent(e *api.Event) *fault {
	if f := checkMachineID(e.MachineID); f != nil {
		return f
	}
	for _, check := range []func(*api.Event) *fault{checkCounts, checkShares, checkTexts, checkFocus, checkWords} {
		if f := check(e); f != nil {
			return f
		}
	}
	return nil
}

// checkWords refuses words that this server does not know: stored as something
// else they would be wrong.
func checkWords(e *api.Event) *fault {
	switch e.SessionKind {
	case "", api.SessionRDP, api.SessionLocal, api.SessionTTY, api.SessionVirtual:
	default:
		return &fault{api.CodeBadEvent, "session_kind: want rdp, local, tty or virtual"}
	}
	switch e.DistanceUnit {
	case "", api.UnitPixels, api.UnitDevice:
		return nil
	}
	return &fault{api.CodeBadEvent, "distance_unit: want px or device"}
}

func checkMachineID(id string) *fault {
	switch {
	case id == "":
		return &fault{api.CodeBadMachineID, "machine_id is missing"}
	case len(id) > api.MaxMachineIDBytes:
		return &fault{api.CodeBadMachineID, fmt.Sprintf("machine_id: at most %d bytes", api.MaxMachineIDBytes)}
	case !text.Visible(id) || strings.TrimSpace(id) != id:
		return &fault{api.CodeBadMachineID, "machine_id: want printable characters, without spaces around"}
	}
	return nil
}

func checkCounts(e *api.Event) *fault {
	counts := e.Counts()
	for i, c := range api.Counters() {
		if counts[i] < 0 || counts[i] > api.MaxCount {
			return outOfRange(c.Name, 0, api.MaxCount)
		}
	}
	if e.IntervalSec != nil && (*e.IntervalSec < 1 || *e.IntervalSec > api.MaxIntervalSec) {
		return outOfRange("interval_sec", 1, api.MaxIntervalSec)
	}
	if ram := value(e.UserRAMBytes); ram < 0 || ram > maxRAMBytes {
		return outOfRange("user_ram_bytes", 0, maxRAMBytes)
	}
	return nil
}

func checkShares(e *api.Event) *fault {
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

func outOfRange[T int | int64 | float64](name string, from int, to T) *fault {
	return &fault{api.CodeOutOfRange, fmt.Sprintf("%s: want %d to %v", name, from, to)}
}

func checkTexts(e *api.Event) *fault {
	if f := checkText("active_window", &e.ActiveWindow, api.MaxTextBytes); f != nil {
		return f
	}
	if f := checkText("active_app", &e.ActiveApp, api.MaxAppBytes); f != nil {
		return f
	}
	return checkText("username", &e.Username, api.MaxAppBytes)
}

// checkText judges a text, and takes out of it what makes it read otherwise than it
// is.
func checkText(name string, s *string, limit int) *fault {
	switch {
	case len(*s) > limit:
		return &fault{api.CodeTooLong, fmt.Sprintf("%s: at most %d bytes", name, limit)}
	case strings.ContainsRune(*s, 0):
		return &fault{api.CodeBadText, name + ": has a NUL character"}
	}
	*s = text.WithoutBidi(*s)
	return nil
}

func checkFocus(e *api.Event) *fault {
	if len(e.Focus) > api.MaxFocus {
		return &fault{api.CodeTooLong, fmt.Sprintf("focus: at most %d entries", api.MaxFocus)}
	}
	for i := range e.Focus {
		f := &e.Focus[i]
		if bad := checkText("focus.app", &f.App, api.MaxAppBytes); bad != nil {
			return bad
		}
		if bad := checkText("focus.title", &f.Title, api.MaxTextBytes); bad != nil {
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
