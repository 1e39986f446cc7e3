package interval

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"

	"activity-tracker.example/sessiond/wire"
)

// FocusTable is the focus time already counted of one helper's interval.
type FocusTable struct {
	StartUnix int64
	// Rules is by which rules the titles were filtered.
	Rules uint64
	// windows are few, and an account, which is written each second, has several such
	// lists: maps would take most of the time that it takes to write.
	windows []windowTime
}

// windowTime is what was counted of one window: of its time, and of the active part of it,
// as far as the helper sees input.
type windowTime struct {
	// hash is FNV-1a of application and title: the names themselves would make the
	// account thirty times as large.
	hash       uint64
	ms, active uint64
}

// take raises what was counted of a window to what is reported now, and returns by how
// much.
func (t *FocusTable) take(f wire.Focus) wire.Focus {
	hash := hashFocus(f.App, f.Title)
	i := slices.IndexFunc(t.windows, func(c windowTime) bool { return c.hash == hash })
	if i < 0 {
		i = len(t.windows)
		t.windows = append(t.windows, windowTime{hash: hash})
	}
	c := &t.windows[i]
	more := wire.Focus{App: f.App, Title: f.Title, DurationMS: grow(&c.ms, f.DurationMS), ActiveMS: wire.ActiveUnknown}
	if f.ActiveMS != wire.ActiveUnknown {
		more.ActiveMS = grow(&c.active, f.ActiveMS)
	}
	return more
}

// grow raises a total to what is reported now, and returns by how much.
func grow(total *uint64, now uint64) uint64 {
	was := *total
	*total = max(was, now)
	return *total - was
}

func hashFocus(app, title string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(app)) // a hash never fails
	_, _ = h.Write([]byte{0})   // no name holds a NUL: the pair stays two
	_, _ = h.Write([]byte(title))
	return h.Sum64()
}

// storedFocus is a table as it is stored, in which windows are maps by hash.
type storedFocus struct {
	StartUnix int64             `json:"start"`
	MS        map[uint64]uint64 `json:"ms"`
	Active    map[uint64]uint64 `json:"active"`
	Rules     uint64            `json:"rules"`
}

// MarshalJSON writes a storedFocus, without making one.
func (t FocusTable) MarshalJSON() ([]byte, error) {
	b := make([]byte, 0, 64+64*len(t.windows))
	b = strconv.AppendInt(append(b, `{"start":`...), t.StartUnix, 10)
	b = t.appendMap(append(b, `,"ms":`...), func(c windowTime) uint64 { return c.ms })
	b = t.appendMap(append(b, `,"active":`...), func(c windowTime) uint64 { return c.active })
	b = strconv.AppendUint(append(b, `,"rules":`...), t.Rules, 10)
	return append(b, '}'), nil
}

// appendMap writes one total of each window that has some of it.
func (t FocusTable) appendMap(b []byte, total func(windowTime) uint64) []byte {
	b = append(b, '{')
	for _, c := range t.windows {
		n := total(c)
		if n == 0 {
			continue
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = append(strconv.AppendUint(append(b, '"'), c.hash, 10), '"', ':')
		b = strconv.AppendUint(b, n, 10)
	}
	return append(b, '}')
}

// UnmarshalJSON reads a storedFocus.
func (t *FocusTable) UnmarshalJSON(b []byte) error {
	var s storedFocus
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("read what was counted of windows: %w", err)
	}
	*t = FocusTable{StartUnix: s.StartUnix, Rules: s.Rules}
	for hash, ms := range s.MS {
		t.windows = append(t.windows, windowTime{hash, ms, s.Active[hash]})
	}
	for hash, active := range s.Active {
		if _, both := s.MS[hash]; !both {
			t.windows = append(t.windows, windowTime{hash, 0, active})
		}
	}
	return nil
}
