// Package text knows which characters texts that come from outside may have, and shows
// them so that none steers a terminal.
package text

import (
	"strings"
	"unicode"
)

// The first bytes, in UTF-8, of the characters that WithoutBidi takes out.
const (
	leadGeneral = 0xe2 // U+2000 to U+2FFF
	leadArabic  = 0xd8 // U+0600 to U+063F
)

// WithoutBidi returns a text without the characters that set the direction of
// writing (U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069). They show
// nothing themselves and make what follows read otherwise than it is: a title with
// U+202E ends "exe.txt" where the file is "txt.exe". Right-to-left scripts are shown
// rightly without them.
func WithoutBidi(s string) string {
	if strings.IndexByte(s, leadGeneral) < 0 && strings.IndexByte(s, leadArabic) < 0 {
		return s
	}
	return strings.Map(func(c rune) rune {
		if isBidi(c) {
			return -1
		}
		return c
	}, s)
}

func isBidi(c rune) bool {
	const arabicLetterMark = '\u061c'
	return c == arabicLetterMark || c == '\u200e' || c == '\u200f' || c >= '\u202a' && c <= '\u202e' || c >= '\u2066' && c <= '\u2069'
}

// Printable reports whether a text has only characters that can be shown. The
// replacement that encoding/json puts for invalid UTF-8 is none: by it two texts
// would become one.
func Printable(s string) bool {
	for _, c := range s {
		if !unicode.IsPrint(c) || c == unicode.ReplacementChar {
			return false
		}
	}
	return true
}

// Label returns a label without the spaces around it, and whether it is one: printable, and
// at most so many bytes.
func Label(given string, limit int) (label string, ok bool) {
	label = strings.TrimSpace(given)
	return label, len(label) <= limit && Printable(label)
}

// Visible reports whether a text is printable and every character of it shows
// something, so that no two names look alike.
func Visible(s string) bool {
	for _, c := range s {
		if !unicode.IsPrint(c) || c > unicode.MaxASCII && (c == unicode.ReplacementChar || blank(c)) {
			return false
		}
	}
	return true
}

// blank reports whether a character that counts as a letter, mark or symbol shows
// nothing.
func blank(c rune) bool {
	const brailleBlank = '\u2800'
	return c == brailleBlank || unicode.In(c, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}
