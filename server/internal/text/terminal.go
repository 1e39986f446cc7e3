package text

import (
	"strings"
	"unicode"
)

// ForTerminal returns a text with a question mark for each character that cannot be
// shown, so that nothing in it steers a terminal.
func ForTerminal(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return '?'
	}, s)
}
