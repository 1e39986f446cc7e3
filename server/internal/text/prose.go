package text

import (
	"strings"
	"unicode"
)

// Characters that show nothing, and without which some scripts and pictures are written
// wrongly.
const (
	zeroWidthNonJoiner = '\u200c'
	zeroWidthJoiner    = '\u200d'
)

// Prose returns what a person wrote as one line: without the characters that set the
// direction of writing, and with one space for all white space between words. ok is false
// where it has other characters that can't be shown, or shows nothing.
func Prose(s string) (line string, ok bool) {
	line = strings.Join(strings.Fields(WithoutBidi(s)), " ")
	shows := false
	for _, c := range line {
		switch {
		case c == zeroWidthNonJoiner, c == zeroWidthJoiner, c == ' ':
		case !unicode.IsPrint(c), c == unicode.ReplacementChar:
			return "", false
		case !blank(c):
			shows = true
		}
	}
	return line, shows
}
