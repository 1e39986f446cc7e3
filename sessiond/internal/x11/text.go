package x11

import (
	"unicode/utf8"

	"activity-tracker.example/sessiond/wire"
)

// encoding is how a text property says that it is written.
type encoding int

const (
	utf8Text encoding = iota
	latin1Text
	compoundText
)

// cleanText makes a window's text fit to be sent: valid UTF-8 of at most limit
// bytes in which every control character and every broken byte is a space or
// U+FFFD. Texts come from any program that the user runs.
func cleanText(b []byte, written encoding, limit int) string {
	switch written {
	case compoundText:
		b = decodeCompound(b)
	case latin1Text:
		b = latin1(b)
	case utf8Text:
	}
	if isClean(b) && len(b) <= limit {
		return string(b)
	}
	out := make([]byte, 0, min(len(b), limit)+utf8.UTFMax)
	for len(b) > 0 && len(out) < limit {
		r, n := utf8.DecodeRune(b)
		b = b[n:]
		if isControl(r) {
			r = ' '
		}
		out = utf8.AppendRune(out, r)
	}
	return wire.Cut(string(out), limit)
}

// wholeRunes leaves out a rune at the end that asking for a part of the text cut
// through.
func wholeRunes(b []byte) []byte {
	for i := len(b) - 1; i >= 0 && i >= len(b)-utf8.UTFMax; i-- {
		if utf8.RuneStart(b[i]) {
			if !utf8.FullRune(b[i:]) {
				return b[:i]
			}
			break
		}
	}
	return b
}

// isClean says whether b can be sent as it is.
func isClean(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if isControl(r) {
			return false
		}
		b = b[n:]
	}
	return true
}

func isControl(r rune) bool { return r < 0x20 || r >= 0x7f && r < 0xa0 }

// latin1 turns Latin-1 into UTF-8, unless it is valid UTF-8 already: many
// programs declare STRING and write UTF-8.
func latin1(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	out := make([]byte, 0, 2*len(b))
	for _, c := range b {
		out = utf8.AppendRune(out, rune(c))
	}
	return out
}
