// Package timestamp reads times of RFC 3339, and nothing else that resembles them.
package timestamp

import (
	"errors"
	"time"
)

// Errors that Parse returns.
var (
	errForm  = errors.New("want an RFC 3339 time such as 2024-01-15T09:00:00Z")
	errRange = errors.New("no such day, time or offset")
)

const (
	// head is as long as the part that every time has: 2024-01-15T09:00:00.
	head = len("2006-01-02T15:04:05")
	// nanoDigits is how many digits of a fraction count; the rest is cut off.
	nanoDigits = 9
	// leapSecond is the second that a minute has where UTC gets one more.
	leapSecond = 60
)

// Parse reads a time as RFC 3339 writes it, in section 5.6: t and z may be lower
// case, the fraction has a dot, hours two digits, and an offset is at most 23:59. The
// leap second 23:59:60 in UTC, on any day, is the second after it. The result is in
// UTC.
func Parse(text string) (time.Time, error) {
	if len(text) <= head || !formed(text) {
		return time.Time{}, errForm
	}
	year, month, day := number(text[:4]), number(text[5:7]), number(text[8:10])
	hour, minute, second := number(text[11:13]), number(text[14:16]), number(text[17:19])
	nanos, rest := fraction(text[head:])
	offset, err := zone(rest)
	if err != nil {
		return time.Time{}, err
	}
	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > leapSecond {
		return time.Time{}, errRange
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC).Add(-offset)
	if second == leapSecond && (t.Hour() != 0 || t.Minute() != 0) {
		return time.Time{}, errRange
	}
	return t, nil
}

// formed reports whether a text begins with a date, a time and nothing else in
// their places.
func formed(text string) bool {
	const pattern = "dddd-dd-ddTdd:dd:dd"
	for i := range len(pattern) {
		c := text[i]
		switch pattern[i] {
		case 'd':
			if c < '0' || c > '9' {
				return false
			}
		case 'T':
			if c != 'T' && c != 't' {
				return false
			}
		default:
			if c != pattern[i] {
				return false
			}
		}
	}
	return true
}

// number returns the value of digits.
func number(digits string) int {
	n := 0
	for i := range len(digits) {
		n = n*10 + int(digits[i]-'0')
	}
	return n
}

// fraction reads the part of a second, where there is one, and returns what follows
// it. A dot without digits is left for zone to refuse.
func fraction(text string) (nanos int, rest string) {
	if text[0] != '.' {
		return 0, text
	}
	end := 1
	for end < len(text) && text[end] >= '0' && text[end] <= '9' {
		end++
	}
	if end == 1 {
		return 0, text
	}
	for i := range nanoDigits {
		nanos *= 10
		if 1+i < end {
			nanos += int(text[1+i] - '0')
		}
	}
	return nanos, text[end:]
}

// zone reads Z or an offset.
func zone(text string) (time.Duration, error) {
	if text == "Z" || text == "z" {
		return 0, nil
	}
	if len(text) != len("+00:00") || text[0] != '+' && text[0] != '-' || text[3] != ':' {
		return 0, errForm
	}
	for _, i := range []int{1, 2, 4, 5} {
		if text[i] < '0' || text[i] > '9' {
			return 0, errForm
		}
	}
	hours, minutes := number(text[1:3]), number(text[4:6])
	if hours > 23 || minutes > 59 {
		return 0, errRange
	}
	offset := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if text[0] == '-' {
		offset = -offset
	}
	return offset, nil
}

// daysIn returns how many days a month has.
func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}
