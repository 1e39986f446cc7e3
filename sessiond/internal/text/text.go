// Package text makes what any program may have written, such as a window's
// title, fit to be sent.
package text

import (
	"unicode/utf8"

	"activity-tracker.example/sessiond/wire"
)

// Clean returns valid UTF-8 of at most limit bytes in which every control
// character is a space and every broken byte U+FFFD. Bidirectional controls are
// left out: with them a title can be read as another one, and can turn the text
// around it wherever it is shown. What is written from right to left needs none.
func Clean(b []byte, limit int) string {
	if isClean(b) && len(b) <= limit {
		return string(b)
	}
	out := make([]byte, 0, min(len(b), limit)+utf8.UTFMax)
	for len(b) > 0 && len(out) < limit {
		r, n := utf8.DecodeRune(b)
		b = b[n:]
		switch {
		case isBidiControl(r):
			continue
		case isControl(r):
			r = ' '
		}
		out = utf8.AppendRune(out, r)
	}
	return wire.Cut(string(out), limit)
}

// isClean reports whether b can be sent as it is.
func isClean(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if isControl(r) || isBidiControl(r) {
			return false
		}
		b = b[n:]
	}
	return true
}

func isControl(r rune) bool { return r < 0x20 || r >= 0x7f && r < 0xa0 }

// isBidiControl reports whether r embeds, overrides, isolates or marks a direction
// of writing.
func isBidiControl(r rune) bool {
	const arabicMark, leftToRightMark, rightToLeftMark = 0x61c, 0x200e, 0x200f
	return r == arabicMark || r == leftToRightMark || r == rightToLeftMark ||
		r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}
