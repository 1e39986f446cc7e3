// Package text makes what others wrote, such as a server's words or the name of
// a user, fit for people to read: in a log, in a status, on a terminal.
package text

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// instead stands for each character that is not printable, so that it shows that
// there was one. Controls of the terminal and of the direction of writing are such.
const instead = '?'

// Line returns s as one line of at most most bytes; 0 means as long as it is.
// The ends of its lines become "; ", other white space becomes a space.
func Line(s string, most int) string {
	return Cut(clean(strings.ReplaceAll(strings.TrimSpace(s), "\n", "; "), false), most)
}

// Block returns s with its ends of lines, and nothing else that steers a terminal.
func Block(s string) string { return clean(s, true) }

// Cut returns s as at most most bytes, whole characters that end with "…" where
// some are gone; 0 means all.
func Cut(s string, most int) string {
	const gone = "…"
	if most <= 0 || len(s) <= most {
		return s
	}
	keep := max(most-len(gone), 0)
	for keep > 0 && !utf8.RuneStart(s[keep]) {
		keep--
	}
	return s[:keep] + gone
}

// Printable reports whether s is a text of 1 to most bytes that Line would leave
// as it is.
func Printable(s string, most int) bool {
	return s != "" && len(s) <= most && utf8.ValidString(s) &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// Count returns a number of things: "1 session" or "3 sessions".
func Count(n int64, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

func clean(s string, lines bool) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsPrint(r) && r != utf8.RuneError, r == '\n' && lines:
			return r
		case unicode.IsSpace(r):
			return ' '
		}
		return instead
	}, s)
}
