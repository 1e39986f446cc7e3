package directory

import (
	"cmp"
	"strings"
)

// newestVersion returns the newest of versions; empty where none is one of a release.
func newestVersion(versions []string) (newest string) {
	for _, v := range versions {
		if isRelease(v) && (newest == "" || compareVersions(v, newest) > 0) {
			newest = v
		}
	}
	return newest
}

// isOlder reports whether a version is older than another, as far as both are in one order.
func isOlder(version, than string) bool {
	return isRelease(version) && isRelease(than) && compareVersions(version, than) < 0
}

// isRelease reports whether a version is in the order of releases, whose versions begin with
// a digit: what somebody built by hand has another name.
func isRelease(version string) bool { return version != "" && isDigit(version[0]) }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// compareVersions orders versions as Debian's packages are: digits by the number that they
// are, and "~" before the end, so that 1.2~rc1 comes before 1.2.
func compareVersions(a, b string) int {
	for a != "" || b != "" {
		var wordA, wordB, numberA, numberB string
		wordA, a = cutWhile(a, func(c byte) bool { return !isDigit(c) })
		wordB, b = cutWhile(b, func(c byte) bool { return !isDigit(c) })
		if c := compareWords(wordA, wordB); c != 0 {
			return c
		}
		numberA, a = cutWhile(a, isDigit)
		numberB, b = cutWhile(b, isDigit)
		numberA, numberB = strings.TrimLeft(numberA, "0"), strings.TrimLeft(numberB, "0")
		if c := cmp.Or(cmp.Compare(len(numberA), len(numberB)), cmp.Compare(numberA, numberB)); c != 0 {
			return c
		}
	}
	return 0
}

// cutWhile cuts a text before the first byte that is not like that.
func cutWhile(text string, like func(byte) bool) (before, after string) {
	i := 0
	for i < len(text) && like(text[i]) {
		i++
	}
	return text[:i], text[i:]
}

func compareWords(a, b string) int {
	for i := range max(len(a), len(b)) {
		if c := cmp.Compare(rank(a, i), rank(b, i)); c != 0 {
			return c
		}
	}
	return 0
}

// rank is the place of a byte of a word in the order: "~", then the end, letters, others.
func rank(word string, i int) int {
	const others = 0x100
	switch {
	case i >= len(word):
		return 0
	case word[i] == '~':
		return -1
	case 'a' <= word[i]|0x20 && word[i]|0x20 <= 'z':
		return int(word[i])
	}
	return int(word[i]) + others
}
