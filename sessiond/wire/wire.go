// Package wire is what a session's helper (sessiond) and the host daemon (trackerd)
// send each other, and nothing else: the messages, their limits and their encoding.
//
// One message travels in one packet of an AF_UNIX SOCK_SEQPACKET socket, from
// the helper to the daemon. Counters are cumulative since the helper started, as
// a network interface's are: a lost, late or repeated message changes no total.
// The other way go a single byte, the newest version that the daemon reads (Ceiling),
// and what may be reported of titles (Rules). The package uses only the standard
// library and avoids reflection, since the helper's memory is counted in hundreds of
// kilobytes.
package wire

import (
	"encoding/binary"
	"errors"
	"math"
	"unicode/utf8"
)

// Versions of a message, its first byte. An upgraded daemon reads on from
// helpers that its predecessor started, and after a downgrade an older daemon
// reads on from newer helpers.
const (
	// Version is the newest.
	Version = 4
	// Baseline is what a helper writes until the daemon has sent a Ceiling:
	// daemons that read no more send none.
	Baseline = 2
	// oldest is the earliest that Decode reads: it ends after the focus entries.
	oldest = 1
	// withPresence is the first that has the active part of each focus entry,
	// whether the screen is locked, and how often held keys repeated.
	withPresence = 3
	// WithRules is the first version that names the rules by which its titles were filtered.
	WithRules = 4
)

// Limits of a message. Encode keeps them, Decode enforces them.
const (
	// MaxFocus is how many (application, title) pairs one interval keeps; time
	// beyond them is reported under OtherApp.
	MaxFocus = 32
	// MaxAppBytes bounds an application name, in bytes of UTF-8.
	MaxAppBytes = 256
	// MaxTitleBytes bounds a window title, in bytes of UTF-8: no screen shows
	// more of one.
	MaxTitleBytes = 1024
	// MaxMessageBytes bounds a packet: MaxFocus full entries and the counters
	// are below 42 KiB.
	MaxMessageBytes = 48 << 10
	// MaxCounter bounds every counter: what a double holds exactly.
	MaxCounter = 1 << 53
)

// OtherApp is the application name under which an interval's focus time is
// reported once MaxFocus pairs are in use.
const OtherApp = "(other)"

// UnknownApp is the application name of a window that does not name its class.
const UnknownApp = "(unknown)"

// Counters are totals since the helper started. They never decrease while
// Report.StartedUnixNano stays the same.
type Counters struct {
	// Keys is how many key presses arrived from real devices.
	Keys uint64
	// Clicks is how many pointer button presses other than scrolling.
	Clicks uint64
	// ScrollSteps is how many wheel steps, in any direction.
	ScrollSteps uint64
	// DistancePx is how far the pointer travelled, in Report.DistanceUnit.
	DistancePx uint64
	// Synthetic is how many presses (keys, clicks and scroll steps) came from
	// XTEST, that is from programs; they are in none of the other counters.
	Synthetic uint64
	// ActiveMS is for how many milliseconds the last real input was less than
	// the idle threshold ago.
	ActiveMS uint64
	// Repeats is how often keys that were held repeated, where a client sends its
	// own repeats; they are in none of the other counters.
	Repeats uint64
}

// DistanceUnit is what Counters.DistancePx is counted in.
type DistanceUnit uint8

// The units of a distance.
const (
	UnitPixels DistanceUnit = iota // of the screen
	UnitDevice                     // steps of the device, where no screen can be asked
)

// Trouble is what keeps a helper from seeing all that it should. The daemon
// takes one that it does not know for some trouble.
type Trouble uint8

// The kinds of trouble.
const (
	TroubleNone             Trouble = iota
	TroubleNoWindowManager          // no EWMH window manager: the focus is a guess
	TroubleNoFocus                  // the compositor has no way to ask for the focus
	TroubleNoGNOMEExtension         // GNOME's focus needs the extension
	TroubleNoDevices                // no input device belongs to the seat
	TroubleNoAccess                 // the seat's input devices cannot be opened
)

// IdleUnknown is the IdleMS of a helper that sees no input.
const IdleUnknown = MaxCounter

// Focus is for how long one window's application and title had the focus.
type Focus struct {
	// App is the window's class (WM_CLASS), at most MaxAppBytes.
	App string
	// Title is the window's title, at most MaxTitleBytes; empty where titles
	// are left out by policy.
	Title string
	// DurationMS is cumulative within Report.IntervalStartUnix's interval.
	DurationMS uint64
	// ActiveMS is the part of DurationMS in which the user was active;
	// ActiveUnknown where the helper sees no input.
	ActiveMS uint64
}

// ActiveUnknown is the ActiveMS of a helper that sees no input.
const ActiveUnknown = MaxCounter

// Report is the one kind of message: everything that the helper knows.
type Report struct {
	// Version is in which version it was written, or is to be; 0 is the newest.
	Version byte
	// StartedUnixNano is when the helper started: another value means other
	// counters, starting from zero.
	StartedUnixNano int64
	// TimeUnixMilli is when the counters were read, by the wall clock.
	TimeUnixMilli int64
	// IntervalStartUnix is the start (seconds, UTC) of the interval to which
	// belong Focus and whatever the counters grew by since the last report.
	IntervalStartUnix int64
	// Counters are the totals at that time.
	Counters Counters
	// IdleMS is how long ago the last real input was; IdleUnknown where the
	// helper sees none.
	IdleMS uint64
	// Focus is the interval's focus time so far; a later report for the same
	// interval replaces it. At most MaxFocus entries.
	Focus []Focus
	// DistanceUnit is what Counters.DistancePx counts.
	DistanceUnit DistanceUnit
	// Trouble is what the helper cannot see; TroubleNone if all is well.
	Trouble Trouble
	// Locked is true while the helper sees that the screen is locked. Most lockers
	// show it nothing, so false is unknown.
	Locked bool
	// Rules is the Rules.ID by which the titles were filtered; 0 where none had come
	// or could be used, and the titles are empty.
	Rules uint64
}

// ErrMalformed is wrapped by every error of Decode.
var ErrMalformed = errors.New("malformed helper message")

// malformedError reports what was wrong with a message. It is a type of its own so that
// the helper, which imports this package, need not link fmt.
type malformedError string

func (m malformedError) Error() string { return ErrMalformed.Error() + ": " + string(m) }

// Unwrap makes errors.Is(err, ErrMalformed) true.
func (m malformedError) Unwrap() error { return ErrMalformed }

// Append appends the encoded report to dst. Strings beyond their limit are cut
// on a rune, entries beyond MaxFocus are left out, and counters beyond
// MaxCounter saturate, so that the result always decodes.
func Append(dst []byte, r *Report) []byte {
	version := max(r.Version, Baseline)
	if r.Version == 0 || r.Version > Version {
		version = Version
	}
	dst = append(dst, version)
	dst = binary.AppendVarint(dst, r.StartedUnixNano)
	dst = binary.AppendVarint(dst, r.TimeUnixMilli)
	dst = binary.AppendVarint(dst, r.IntervalStartUnix)
	for _, n := range travelling(&r.Counters, version) {
		dst = binary.AppendUvarint(dst, min(*n, MaxCounter))
	}
	dst = binary.AppendUvarint(dst, min(r.IdleMS, MaxCounter))
	focus := r.Focus[:min(len(r.Focus), MaxFocus)]
	dst = binary.AppendUvarint(dst, uint64(len(focus)))
	for i := range focus {
		dst = appendString(dst, Cut(focus[i].App, MaxAppBytes))
		dst = appendString(dst, Cut(focus[i].Title, MaxTitleBytes))
		dst = binary.AppendUvarint(dst, min(focus[i].DurationMS, MaxCounter))
		if version >= withPresence {
			dst = binary.AppendUvarint(dst, min(focus[i].ActiveMS, ActiveUnknown))
		}
	}
	dst = append(dst, byte(min(r.DistanceUnit, UnitDevice)), byte(r.Trouble))
	if version >= withPresence {
		dst = append(dst, flag(r.Locked))
	}
	if version >= WithRules {
		dst = binary.AppendUvarint(dst, r.Rules)
	}
	return dst
}

// Ceiling is the packet that names the newest version that the daemon reads.
func Ceiling(version byte) []byte { return []byte{version} }

// ParseCeiling returns the version in which a helper writes after a packet from
// its daemon; ok is false if that is no Ceiling.
func ParseCeiling(b []byte) (version byte, ok bool) {
	if len(b) != 1 || b[0] < Baseline {
		return 0, false
	}
	return min(b[0], Version), true
}

// Decode reads one packet. It never keeps a reference to b, and returns an
// error that wraps ErrMalformed for anything that Append would not have made.
func Decode(b []byte) (Report, error) {
	var r Report
	if len(b) > MaxMessageBytes {
		return r, malformedError("longer than a message can be")
	}
	if len(b) == 0 || b[0] < oldest || b[0] > Version {
		return r, malformedError("another version")
	}
	r.Version = b[0]
	d := decoder{rest: b[1:]}
	r.StartedUnixNano = d.varint()
	r.TimeUnixMilli = d.varint()
	r.IntervalStartUnix = d.varint()
	for _, n := range travelling(&r.Counters, r.Version) {
		*n = d.counter()
	}
	r.IdleMS = d.counter()
	if n := d.uvarint(MaxFocus); n > 0 && d.err == nil {
		r.Focus = make([]Focus, 0, n)
		for range n {
			f := Focus{App: d.string(MaxAppBytes), Title: d.string(MaxTitleBytes), DurationMS: d.counter(), ActiveMS: ActiveUnknown}
			if r.Version >= withPresence {
				f.ActiveMS = d.counter()
			}
			r.Focus = append(r.Focus, f)
		}
	}
	if b[0] > oldest {
		r.DistanceUnit = DistanceUnit(d.byte(byte(UnitDevice)))
		r.Trouble = Trouble(d.byte(math.MaxUint8))
	}
	if r.Version >= withPresence {
		r.Locked = d.byte(1) == 1
	}
	if r.Version >= WithRules {
		r.Rules = d.uvarint(math.MaxUint64)
	}
	if d.err == nil && len(d.rest) > 0 {
		d.fail("bytes after the end")
	}
	if d.err != nil {
		return Report{}, d.err
	}
	return r, nil
}

// Cut returns s, or its longest start of at most limit bytes that does not end
// within a rune.
func Cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// List returns the counters in the order in which they travel.
func (c *Counters) List() [7]*uint64 {
	return [...]*uint64{&c.Keys, &c.Clicks, &c.ScrollSteps, &c.DistancePx, &c.Synthetic, &c.ActiveMS, &c.Repeats}
}

// countersBefore is how many counters versions before withPresence have.
const countersBefore = 6

// travelling returns the counters that a version has.
func travelling(c *Counters, version byte) []*uint64 {
	list := c.List()
	if version < withPresence {
		return list[:countersBefore]
	}
	return list[:]
}

func appendString(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// decoder takes fields off the front of rest until the first error.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) fail(what string) {
	if d.err == nil {
		d.err = malformedError(what)
	}
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		d.fail("bad number")
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) uvarint(limit uint64) uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 || v > limit {
		d.fail("bad number")
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// byte reads one byte of at most limit.
func (d *decoder) byte(limit byte) byte {
	if d.err != nil {
		return 0
	}
	if len(d.rest) == 0 || d.rest[0] > limit {
		d.fail("bad number")
		return 0
	}
	v := d.rest[0]
	d.rest = d.rest[1:]
	return v
}

func (d *decoder) counter() uint64 { return d.uvarint(MaxCounter) }

// cut takes a text as it is.
func (d *decoder) cut(limit uint64) string {
	n := d.uvarint(limit)
	if d.err != nil {
		return ""
	}
	if n > uint64(len(d.rest)) {
		d.fail("text is cut off")
		return ""
	}
	s := string(d.rest[:n])
	d.rest = d.rest[n:]
	return s
}

// string takes a text that a helper may report.
func (d *decoder) string(limit uint64) string {
	s := d.cut(limit)
	if !validText(s) {
		d.fail("text is not printable UTF-8")
		return ""
	}
	return s
}

// validText reports whether s is UTF-8 without control characters: the helper
// cleans what it reads, so anything else was not written by it.
func validText(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, c := range s {
		if c < 0x20 || c >= 0x7f && c < 0xa0 {
			return false
		}
	}
	return true
}
