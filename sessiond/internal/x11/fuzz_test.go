package x11

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"unicode/utf8"

	"activity-tracker.example/sessiond/internal/counting"
	"activity-tracker.example/sessiond/wire"
)

// rawEvent is a raw event of the kind that a real server sends.
func rawEvent(kind uint16, detail uint32, source uint16, values ...int32) []byte {
	b := make([]byte, headerBytes, 128)
	b[0], b[1] = kindGeneric, 131
	binary.LittleEndian.PutUint16(b[rawTypeAt:], kind)
	binary.LittleEndian.PutUint32(b[rawDetailAt:], detail)
	binary.LittleEndian.PutUint16(b[rawSourceAt:], source)
	if len(values) > 0 {
		binary.LittleEndian.PutUint16(b[rawMaskWordsAt:], 1)
		b = binary.LittleEndian.AppendUint32(b, 1<<len(values)-1)
		for _, v := range append(values, values...) {
			b = binary.LittleEndian.AppendUint32(b, uint32(v))
			b = binary.LittleEndian.AppendUint32(b, 0)
		}
	}
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-headerBytes)/4)
	return b
}

// FuzzStream feeds the message splitter whatever bytes: it may neither panic nor
// lose or repeat a byte, and what it takes for an event is counted or ignored.
func FuzzStream(f *testing.F) {
	f.Add(rawEvent(xiRawKeyPress, 38, 9))
	f.Add(append(rawEvent(xiRawMotion, 0, 8, 100, 200), rawEvent(xiRawButtonPress, 4, 8)...))
	f.Add(bytes.Repeat([]byte{kindReply, 0xff}, 40))
	f.Fuzz(func(t *testing.T, b []byte) {
		in := counting.NewInput(counting.NewActivity(1000, 0))
		rest, taken := b, 0
		for {
			m, after, want, err := nextMessage(rest)
			if err != nil {
				if !errors.Is(err, ErrNonsense) {
					t.Fatalf("error %v", err)
				}
				break
			}
			if m == nil {
				if want <= len(rest) || want > maxMessageBytes {
					t.Fatalf("wants %d bytes, has %d", want, len(rest))
				}
				break
			}
			if m[0] == kindGeneric {
				countRaw(&strokes{in: in}, m, 0)
			}
			taken += len(m)
			rest = after
		}
		if taken+len(rest) != len(b) {
			t.Fatalf("%d bytes became %d", len(b), taken+len(rest))
		}
		in.CommitBlind()
		if c := in.Counters(); c.Keys+c.Clicks+c.ScrollSteps+c.DistancePx != 0 {
			t.Fatalf("unknown devices counted as real: %+v", c)
		}
	})
}

// FuzzText: whatever a window is called, wire.Decode accepts it.
func FuzzText(f *testing.F) {
	for _, s := range []string{"title", "a\xffb", "a\nb", "\x1b%G\xe2\x80\x94\x1b%@", "caf\xe9", "\x1b-L\xbf\xf0\xfd", "\x1b"} {
		f.Add([]byte(s), 0, 16)
		f.Add([]byte(s), 2, 3)
	}
	f.Fuzz(func(t *testing.T, b []byte, written, limit int) {
		if limit < 0 || limit > wire.MaxTitleBytes {
			return
		}
		s := cleanText(wholeRunes(b), encoding(written), limit)
		if len(s) > limit || !utf8.ValidString(s) {
			t.Fatalf("%q of at most %d bytes", s, limit)
		}
		r := wire.Report{Focus: []wire.Focus{{Title: s}}}
		if _, err := wire.Decode(wire.Append(nil, &r)); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
	})
}

// FuzzReplies: no answer of a server makes its reader panic.
func FuzzReplies(f *testing.F) {
	f.Add(make([]byte, 64))
	f.Add(bytes.Repeat([]byte{1, 0}, 100))
	f.Fuzz(func(_ *testing.T, b []byte) {
		if len(b) < headerBytes {
			return
		}
		_, _ = parseDevices(b)
		_ = parseCounters(b)
		_, _ = parseSetup(b)
		_ = isProperty(b)
		_ = isTree(b)
		_ = parseClientPID(b)
		_ = findCookie(b, "10", "host")
	})
}
