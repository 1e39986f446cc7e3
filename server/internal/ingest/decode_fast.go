package ingest

import (
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"activity-tracker.example/server/api"
)

// decoders read bodies. They keep those of jsontext that nobody uses: what one reads into
// is larger than a usual request.
type decoders struct{ unused sync.Pool }

// decode reads a body, fast where it can. cut is why the body could not be read
// whole, if it could not.
func (all *decoders) decode(whole string, cut error, now time.Time) (*batch, error) {
	if cut == nil {
		if b, ok := all.decodeFast(whole, now); ok {
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

// usualBytes is what an event takes in a body, rather less than more.
const usualBytes = 400

// keptBytes is up to which length of a body its decoder is kept: it holds an event, which
// may be as long as the body.
const keptBytes = 1 << 20

// decodeFast reads a body as trackerd writes it, several times as fast as
// encoding/json, which would take most of the time of taking in events otherwise. At
// anything that it does not expect (an unknown, repeated or null field, a wrong
// type, a broken body, invalid UTF-8) it returns false, and decodeBatch reads the body
// from the start: whatever it does accept decodeBatch accepts, with the same result.
func (all *decoders) decodeFast(body string, now time.Time) (*batch, bool) {
	d, kept := all.unused.Get().(*jsontext.Decoder)
	if !kept {
		d = new(jsontext.Decoder)
	}
	// Repeated names are noticed by event, and elsewhere there is one alone.
	d.Reset(strings.NewReader(body), jsontext.AllowDuplicateNames(true))
	if len(body) <= keptBytes {
		defer all.unused.Put(d)
	}
	name, err := "", error(nil)
	if skip(d, '{') {
		name, err = next(d, body)
	}
	if name != `"events"` || err != nil || !skip(d, '[') {
		return nil, false
	}
	f := &fields{}
	b := &batch{rejected: []api.Rejection{}, likely: min(len(body)/usualBytes+1, api.MaxBatchEvents)}
	for !skip(d, ']') {
		f.at = 0
		if f.text, err = next(d, body); err != nil || b.sent == api.MaxBatchEvents || !f.event(b, now) {
			return nil, false
		}
		b.sent++
	}
	if d.PeekKind() == '"' && !decodeSpans(d, body, &b.spans, now) {
		return nil, false
	}
	if !skip(d, '}') {
		return nil, false
	}
	_, err = d.ReadToken()
	return b, errors.Is(err, io.EOF)
}

// decodeSpans reads not_collected, which follows the events where there is one.
func decodeSpans(d *jsontext.Decoder, body string, s *spans, now time.Time) bool {
	name, err := next(d, body)
	if err != nil || name != `"not_collected"` {
		return false
	}
	list, err := next(d, body)
	return err == nil && s.decode(json.NewDecoder(strings.NewReader(list)), now) == nil
}

// skip skips that brace or bracket, if it is next.
func skip(d *jsontext.Decoder, kind jsontext.Kind) bool {
	if d.PeekKind() != kind {
		return false
	}
	_, err := d.ReadToken()
	return err == nil
}

// next returns the part of the body that is the next value, which is valid.
func next(d *jsontext.Decoder, body string) (string, error) {
	v, err := d.ReadValue()
	end := int(d.InputOffset())
	return body[end-len(v) : end], err
}

// fields reads the fields of an event. That it is valid JSON is known, so that what is
// left of it is only cut into parts: each byte is looked at once more, which takes a
// quarter of the time of reading it token by token. Once bad, it stays bad.
type fields struct {
	text string
	// at is the place of what is left. A shorter text each time would be a pointer for
	// the collector to note.
	at  int
	bad bool
	// timestamp is that of the event which is being read, and list its focus so far.
	timestamp string
	list      []api.Focus
	// What events point to.
	optionals slab[optionals]
	focuses   slab[api.Focus]
	actives   slab[float64]
}

// slab hands out values from blocks of them: one by one they would take a sixth of
// the time of decoding.
type slab[T any] struct{ free []T }

// take returns n zero values, which nothing else has. Blocks hold what some ten
// events need, as many requests have no more.
func (s *slab[T]) take(n int) []T {
	const block = 16
	if n > len(s.free) {
		s.free = make([]T, max(n, block))
	}
	taken := s.free[:n:n]
	s.free = s.free[n:]
	return taken
}

// next skips white space and returns the character after it; 0 at the end.
func (f *fields) next() byte {
	for ; f.at < len(f.text); f.at++ {
		switch c := f.text[f.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// take skips that character, if it is next.
func (f *fields) take(c byte) bool {
	if f.next() != c {
		return false
	}
	f.at++
	return true
}

// more reports whether an object or list goes on, which ends with that character; n is
// how many members were read.
func (f *fields) more(n int, end byte) bool {
	return !f.bad && !f.take(end) && (n == 0 || f.take(','))
}

// quoted reads a text as it is written, and whether that has escapes.
func (f *fields) quoted() (raw string, escaped bool) {
	if f.take('"') {
		rest := f.text[f.at:]
		for i := 0; i < len(rest); i++ {
			switch rest[i] {
			case '"':
				f.at += i + 1
				return rest[:i], escaped
			case '\\':
				escaped = true
				i++
			}
		}
	}
	f.bad = true
	return "", false
}

// name reads a field's name as it is written, which with escapes is none that there
// is.
func (f *fields) name() string {
	name, _ := f.quoted()
	f.bad = f.bad || !f.take(':')
	return name
}

// string reads a text. What has no escapes is a part of the body, not a copy.
func (f *fields) string() string {
	raw, escaped := f.quoted()
	if !escaped {
		return raw
	}
	text, err := jsontext.AppendUnquote(nil, `"`+raw+`"`)
	f.bad = f.bad || err != nil
	return string(text)
}

// literal reads what has no quotes, up to what ends it.
func (f *fields) literal() string {
	f.next()
	rest := f.text[f.at:]
	for i := range len(rest) {
		switch rest[i] {
		case ',', '}', ']', ' ', '\t', '\n', '\r':
			f.at += i
			return rest[:i]
		}
	}
	f.bad = true
	return ""
}

func (f *fields) bool() bool {
	v := f.literal()
	f.bad = f.bad || v != "true" && v != "false"
	return v == "true"
}

func (f *fields) int() int64 {
	n, err := strconv.ParseInt(f.literal(), 10, 64)
	f.bad = f.bad || err != nil
	return n
}

func (f *fields) float() float64 {
	v, err := strconv.ParseFloat(f.literal(), 64)
	f.bad = f.bad || err != nil
	return v
}

// optionals are the values that an event points to: one block of memory for all.
type optionals struct {
	cpu, ram, disk, active, userCPU float64
	interval, synthetic, userRAM    int64
	repeats, collected              int64
	connected, locked               bool
}

// sawTimestamp is the bit of that field.
const sawTimestamp = 1 << 1

// event reads one event and validates it.
func (f *fields) event(b *batch, now time.Time) bool {
	if !f.take('{') {
		return false
	}
	e := b.next()
	// opt stays nil in an event without optional fields.
	var opt *optionals
	var seen uint32
	for n := 0; f.more(n, '}'); n++ {
		name := f.name()
		bit := f.required(e, name)
		if bit == 0 {
			if opt == nil {
				opt = &f.optionals.take(1)[0]
			}
			bit = f.optional(e, opt, name)
		}
		// 0: an unknown field; a bit that is set: a field that comes twice.
		if f.bad || bit == 0 || seen&bit != 0 {
			return false
		}
		seen |= bit
	}
	if f.bad {
		return false
	}
	if seen&sawTimestamp == 0 {
		b.validate(nil, now)
	} else {
		b.validate(&f.timestamp, now)
	}
	return true
}

// required reads the fields that every event has, and returns the bit of each.
func (f *fields) required(e *api.Event, name string) uint32 {
	switch name {
	case "machine_id":
		e.MachineID = f.string()
		return 1 << 0
	case "timestamp":
		f.timestamp = f.string()
		return sawTimestamp
	case "key_count":
		e.KeyCount = f.int()
		return 1 << 2
	case "mouse_clicks":
		e.MouseClicks = f.int()
		return 1 << 3
	case "mouse_distance_px":
		e.MouseDistancePx = f.int()
		return 1 << 4
	case "scroll_count":
		e.ScrollCount = f.int()
		return 1 << 5
	case "active_window":
		e.ActiveWindow = f.string()
		return 1 << 6
	case "active_app":
		e.ActiveApp = f.string()
		return 1 << 7
	case "is_idle":
		e.IsIdle = f.bool()
		return 1 << 8
	case "username":
		e.Username = f.string()
		return 1 << 9
	case "system_user":
		e.SystemUser = f.bool()
		return 1 << 25
	case "session_kind":
		e.SessionKind = api.SessionKind(f.string())
		return 1 << 10
	case "focus":
		e.Focus = f.focus()
		return 1 << 11
	case "distance_unit":
		e.DistanceUnit = api.DistanceUnit(f.string())
		return 1 << 21
	}
	return 0
}

// optional reads the fields that an event points to.
func (f *fields) optional(e *api.Event, o *optionals, name string) uint32 {
	switch name {
	case "cpu_percent":
		o.cpu, e.CPUPercent = f.float(), &o.cpu
		return 1 << 12
	case "ram_used_percent":
		o.ram, e.RAMUsedPercent = f.float(), &o.ram
		return 1 << 13
	case "disk_used_percent":
		o.disk, e.DiskUsedPercent = f.float(), &o.disk
		return 1 << 14
	case "interval_sec":
		o.interval, e.IntervalSec = f.int(), &o.interval
		return 1 << 15
	case "collected_seconds":
		o.collected, e.CollectedSeconds = f.int(), &o.collected
		return 1 << 24
	case "active_seconds":
		o.active, e.ActiveSeconds = f.float(), &o.active
		return 1 << 16
	case "connected":
		o.connected, e.Connected = f.bool(), &o.connected
		return 1 << 17
	case "locked":
		o.locked, e.Locked = f.bool(), &o.locked
		return 1 << 22
	case "synthetic_count":
		o.synthetic, e.SyntheticCount = f.int(), &o.synthetic
		return 1 << 18
	case "repeat_count":
		o.repeats, e.RepeatCount = f.int(), &o.repeats
		return 1 << 23
	case "user_cpu_percent":
		o.userCPU, e.UserCPUPercent = f.float(), &o.userCPU
		return 1 << 19
	case "user_ram_bytes":
		o.userRAM, e.UserRAMBytes = f.int(), &o.userRAM
		return 1 << 20
	}
	return 0
}

func (f *fields) focus() []api.Focus {
	if !f.take('[') {
		f.bad = true
		return nil
	}
	f.list = f.list[:0]
	for f.more(len(f.list), ']') {
		// Beyond the limit the event is rejected whatever follows.
		if !f.take('{') || len(f.list) > api.MaxFocus {
			f.bad = true
			return nil
		}
		var one api.Focus
		var seen uint32
		for n := 0; f.more(n, '}'); n++ {
			bit := f.focusField(&one)
			f.bad = f.bad || bit == 0 || seen&bit != 0
			seen |= bit
		}
		f.list = append(f.list, one)
	}
	list := f.focuses.take(len(f.list))
	copy(list, f.list)
	return list
}

func (f *fields) focusField(one *api.Focus) uint32 {
	switch f.name() {
	case "app":
		one.App = f.string()
		return 1
	case "title":
		one.Title = f.string()
		return 2
	case "seconds":
		one.Seconds = f.float()
		return 4
	case "active_seconds":
		active := &f.actives.take(1)[0]
		*active, one.ActiveSeconds = f.float(), active
		return 8
	}
	return 0
}
