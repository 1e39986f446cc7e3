package x11

import (
	"unicode/utf8"

	"activity-tracker.example/sessiond/internal/text"
)

// encoding is how a text property claims to be written.
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

// Bytes of COMPOUND_TEXT, in which text of several character sets is joined by
// escape sequences.
const (
	escape     = 0x1b
	upperHalf  = 0x80 // characters from here on are of the right set
	firstFinal = 0x30 // an escape sequence's last byte is this or above
)

// rightSet is which characters the bytes of the upper half stand for.
type rightSet int

const (
	latin1Set rightSet = iota
	cyrillicSet
	unknownSet
)

// decodeCompound turns compound text into UTF-8: Latin-1, Cyrillic and the
// UTF-8 segments that Xlib writes for whatever is in no older set (xterm has no
// other title than this). Characters of other sets become U+FFFD.
func decodeCompound(b []byte) []byte {
	out := make([]byte, 0, 2*len(b))
	right, asciiLeft, inUTF8 := latin1Set, true, false
	for len(b) > 0 {
		c := b[0]
		switch {
		case c == escape:
			sequence := escapeSequence(b)
			b = b[len(sequence):]
			switch body := string(sequence[1:]); {
			case body == "%G" || body == "%@":
				inUTF8 = body == "%G"
			case len(body) == 2 && body[0] == '-':
				right = designated(body[1])
			case body == "(B" || body == "(J":
				asciiLeft = true
			case len(body) > 1 && body[0] == '$' && body[1] == ')':
				right = unknownSet
			case len(body) > 1 && body[0] == '$':
				asciiLeft = false
			}
			continue
		case inUTF8:
			r, n := utf8.DecodeRune(b)
			out = utf8.AppendRune(out, r)
			b = b[n:]
			continue
		case c < upperHalf && asciiLeft:
			out = append(out, c)
		case c >= upperHalf:
			out = utf8.AppendRune(out, right.decode(c))
		default:
			out = utf8.AppendRune(out, utf8.RuneError)
		}
		b = b[1:]
	}
	return out
}

// designated is the set that an escape sequence with this last byte selects.
func designated(final byte) rightSet {
	switch final {
	case 'A':
		return latin1Set
	case 'L':
		return cyrillicSet
	}
	return unknownSet
}

// escapeSequence is the escape sequence at b's start, as far as it is there.
func escapeSequence(b []byte) []byte {
	for i := 1; i < len(b); i++ {
		if b[i] >= firstFinal {
			return b[:i+1]
		}
	}
	return b
}

func (s rightSet) decode(c byte) rune {
	switch {
	case s == latin1Set || s == cyrillicSet && (c <= 0xa0 || c == 0xad):
		return rune(c)
	case s == cyrillicSet && c == 0xf0:
		return '№'
	case s == cyrillicSet && c == 0xfd:
		return '§'
	case s == cyrillicSet:
		return rune(c) + 'Ё' - 0xa1 // ISO 8859-5 is Unicode's block, moved
	}
	return utf8.RuneError
}
