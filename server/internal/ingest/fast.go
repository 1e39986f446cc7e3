package ingest

import (
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"activity-tracker.example/server/api"
)

// decode reads a body, fast where it can. cut is why the body could not be read
// whole, if it could not.
func decode(whole string, cut error, now time.Time) (*batch, error) {
	if cut == nil {
		if b, ok := decodeFast(whole, now); ok {
			return b, nil
		}
		return decodeBatch(strings.NewReader(whole), now)
	}
	// What is no JSON before that is no JSON.
	return decodeBatch(io.MultiReader(strings.NewReader(whole), failing{cut}), now)
}

// failing is the end of a body that could not be read whole.
type failing struct{ err error }

// Read fails.
func (f failing) Read([]byte) (int, error) { return 0, f.err }

// decodeFast reads a body as trackerd writes it, several times as fast as
// encoding/json, which takes most of the time of taking in events otherwise. At
// anything that it does not expect (an unknown, repeated or null field, a wrong
// type, a broken body) it says false, and decodeBatch reads the body from the
// start: whatever it does accept decodeBatch accepts, with the same result.
func decodeFast(body string, now time.Time) (*batch, bool) {
	s := &scanner{text: body}
	if !s.take('{') || s.key() != "events" || !s.take('[') {
		return nil, false
	}
	b := &batch{rejected: []api.Rejection{}}
	for first := true; !s.take(']'); first = false {
		if !first && !s.take(',') || b.sent == api.MaxBatchEvents {
			return nil, false
		}
		if !s.event(b, now) {
			return nil, false
		}
		b.sent++
	}
	if !s.take('}') {
		return nil, false
	}
	s.space()
	return b, s.at == len(s.text) && !s.bad
}

// scanner reads JSON from a text. Once bad, it stays bad.
type scanner struct {
	text string
	at   int
	bad  bool
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// take skips that character, if it is next.
func (s *scanner) take(c byte) bool {
	s.space()
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	return false
}

// key reads a field's name and the colon.
func (s *scanner) key() string {
	k := s.string()
	if !s.take(':') {
		s.bad = true
	}
	return k
}

// string reads a string as encoding/json does, which makes invalid UTF-8 and half
// surrogates the replacement character.
func (s *scanner) string() string {
	if !s.take('"') {
		s.bad = true
		return ""
	}
	start := s.at
	plain := true
	for ; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; {
		case c == '"':
			text := s.text[start:s.at]
			s.at++
			if plain && utf8.ValidString(text) {
				return text
			}
			var unquoted string
			if err := json.Unmarshal([]byte(s.text[start-1:s.at]), &unquoted); err != nil {
				s.bad = true
			}
			return unquoted
		case c == '\\':
			plain = false
			s.at++
		case c < ' ':
			s.bad = true
			return ""
		}
	}
	s.bad = true
	return ""
}

func (s *scanner) bool() bool {
	s.space()
	for _, word := range [...]string{"true", "false"} {
		if strings.HasPrefix(s.text[s.at:], word) {
			s.at += len(word)
			return word == "true"
		}
	}
	s.bad = true
	return false
}

// digits skips digits and gives how many.
func (s *scanner) digits() int {
	start := s.at
	for s.at < len(s.text) && s.text[s.at] >= '0' && s.text[s.at] <= '9' {
		s.at++
	}
	return s.at - start
}

// number reads a number of JSON's grammar.
func (s *scanner) number() (text string, whole bool) {
	s.space()
	start := s.at
	if s.next("-") {
		s.at++
	}
	leadingZero := s.next("0")
	if n := s.digits(); n == 0 || leadingZero && n > 1 {
		s.bad = true
	}
	whole = true
	if s.next(".") {
		whole = false
		s.at++
		s.bad = s.digits() == 0 || s.bad
	}
	if s.next("eE") {
		whole = false
		s.at++
		if s.next("+-") {
			s.at++
		}
		s.bad = s.digits() == 0 || s.bad
	}
	return s.text[start:s.at], whole
}

// next says whether one of these characters is next.
func (s *scanner) next(chars string) bool {
	return s.at < len(s.text) && strings.IndexByte(chars, s.text[s.at]) >= 0
}

func (s *scanner) int() int64 {
	text, whole := s.number()
	n, err := strconv.ParseInt(text, 10, 64)
	s.bad = s.bad || err != nil || !whole
	return n
}

func (s *scanner) float() float64 {
	text, _ := s.number()
	v, err := strconv.ParseFloat(text, 64)
	s.bad = s.bad || err != nil
	return v
}

// optionals are the values that an event points to: one block of memory for all.
type optionals struct {
	cpu, ram, disk, active, userCPU float64
	interval, synthetic, userRAM    int64
	connected, locked               bool
}

// event reads one event and judges it.
func (s *scanner) event(b *batch, now time.Time) bool {
	if !s.take('{') {
		return false
	}
	var e sentEvent
	// opt stays nil in an event without optional fields.
	var opt *optionals
	var seen uint32
	for first := true; !s.take('}'); first = false {
		if !first && !s.take(',') {
			return false
		}
		field := s.key()
		bit := s.required(&e, field)
		if bit == 0 {
			if opt == nil {
				opt = &optionals{}
			}
			bit = s.optional(&e.Event, opt, field)
		}
		// 0: an unknown field; a bit that is set: a field that comes twice.
		if s.bad || bit == 0 || seen&bit != 0 {
			return false
		}
		seen |= bit
	}
	b.judge(&e, now)
	return true
}

// required reads the fields that every event has, and gives each its own bit.
func (s *scanner) required(e *sentEvent, field string) uint32 {
	switch field {
	case "machine_id":
		e.MachineID = s.string()
		return 1 << 0
	case "timestamp":
		text := s.string()
		e.Timestamp = &text
		return 1 << 1
	case "key_count":
		e.KeyCount = s.int()
		return 1 << 2
	case "mouse_clicks":
		e.MouseClicks = s.int()
		return 1 << 3
	case "mouse_distance_px":
		e.MouseDistancePx = s.int()
		return 1 << 4
	case "scroll_count":
		e.ScrollCount = s.int()
		return 1 << 5
	case "active_window":
		e.ActiveWindow = s.string()
		return 1 << 6
	case "active_app":
		e.ActiveApp = s.string()
		return 1 << 7
	case "is_idle":
		e.IsIdle = s.bool()
		return 1 << 8
	case "username":
		e.Username = s.string()
		return 1 << 9
	case "session_kind":
		e.SessionKind = api.SessionKind(s.string())
		return 1 << 10
	case "focus":
		e.Focus = s.focus()
		return 1 << 11
	case "distance_unit":
		e.DistanceUnit = api.DistanceUnit(s.string())
		return 1 << 21
	}
	return 0
}

// optional reads the fields that an event points to.
func (s *scanner) optional(e *api.Event, o *optionals, field string) uint32 {
	switch field {
	case "cpu_percent":
		o.cpu, e.CPUPercent = s.float(), &o.cpu
		return 1 << 12
	case "ram_used_percent":
		o.ram, e.RAMUsedPercent = s.float(), &o.ram
		return 1 << 13
	case "disk_used_percent":
		o.disk, e.DiskUsedPercent = s.float(), &o.disk
		return 1 << 14
	case "interval_sec":
		o.interval, e.IntervalSec = s.int(), &o.interval
		return 1 << 15
	case "active_seconds":
		o.active, e.ActiveSeconds = s.float(), &o.active
		return 1 << 16
	case "connected":
		o.connected, e.Connected = s.bool(), &o.connected
		return 1 << 17
	case "locked":
		o.locked, e.Locked = s.bool(), &o.locked
		return 1 << 22
	case "synthetic_count":
		o.synthetic, e.SyntheticCount = s.int(), &o.synthetic
		return 1 << 18
	case "user_cpu_percent":
		o.userCPU, e.UserCPUPercent = s.float(), &o.userCPU
		return 1 << 19
	case "user_ram_bytes":
		o.userRAM, e.UserRAMBytes = s.int(), &o.userRAM
		return 1 << 20
	}
	return 0
}

func (s *scanner) focus() []api.Focus {
	if !s.take('[') {
		s.bad = true
		return nil
	}
	list := []api.Focus{}
	for first := true; !s.bad && !s.take(']'); first = false {
		// Beyond the limit the event is rejected whatever follows.
		if !first && !s.take(',') || !s.take('{') || len(list) > api.MaxFocus {
			s.bad = true
			return nil
		}
		var f api.Focus
		var seen uint32
		for first := true; !s.bad && !s.take('}'); first = false {
			if !first && !s.take(',') {
				s.bad = true
				return nil
			}
			bit := s.focusField(&f)
			s.bad = s.bad || bit == 0 || seen&bit != 0
			seen |= bit
		}
		list = append(list, f)
	}
	return list
}

func (s *scanner) focusField(f *api.Focus) uint32 {
	switch s.key() {
	case "app":
		f.App = s.string()
		return 1
	case "title":
		f.Title = s.string()
		return 2
	case "seconds":
		f.Seconds = s.float()
		return 4
	case "active_seconds":
		active := s.float()
		f.ActiveSeconds = &active
		return 8
	}
	return 0
}
