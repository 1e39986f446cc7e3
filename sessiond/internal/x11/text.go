package x11

import (
	"unicode/utf8"

	"activity-tracker.example/sessiond/internal/text"
)

// encoding is how a text property says that it is written.
type encoding int

const (
	utf8Text encoding = iota
	latin1Text
	compoundText
)

// cleanText makes a window's text fit to be sent, in at most limit bytes. Texts
// come from any program that the user runs.
func cleanText(b []byte, written encoding, limit int) string {
	switch written {
	case compoundText:
		b = decodeCompound(b)
	case latin1Text:
		b = latin1(b)
	case utf8Text:
	}
	return text.Clean(b, limit)
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
