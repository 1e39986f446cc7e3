package main

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"
)

const (
	oneDay  = 24 * time.Hour
	oneWeek = 7 * oneDay
)

// leadingDays are the units that Go's own durations lack, before any that they
// have.
var leadingDays = regexp.MustCompile(`^([0-9]{1,6})([dw])`)

var errDuration = errors.New("want a time such as 15s, 90m, 24h, 7d, 2w or 1d12h")

// span is a flag's length of time: Go's units and d and w before them.
type span time.Duration

// Set reads it.
func (s *span) Set(text string) error {
	d, err := parseSpan(text)
	if err != nil {
		return err
	}
	*s = span(d)
	return nil
}

// String writes it as people would.
func (s *span) String() string { return spanText(time.Duration(*s)) }

// Type is what --help calls it.
func (s *span) Type() string { return "time" }

func parseSpan(text string) (time.Duration, error) {
	rest := text
	var total time.Duration
	for {
		m := leadingDays.FindStringSubmatch(rest)
		if m == nil {
			break
		}
		n, err := strconv.Atoi(m[1])
		if err != nil {
			return 0, errDuration
		}
		unit := oneDay
		if m[2] == "w" {
			unit = oneWeek
		}
		// Six digits of weeks don't fit.
		if n > int((1<<63-1-total)/unit) {
			return 0, errDuration
		}
		total += time.Duration(n) * unit
		rest = rest[len(m[0]):]
	}
	if rest == "" && total > 0 {
		return total, nil
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 || d+total < 0 {
		return 0, errDuration
	}
	return total + d, nil
}

// spanText writes a length of time in its two largest units: 3d 4h, 2h 5m, 45s.
func spanText(d time.Duration) string {
	d = d.Truncate(time.Second)
	parts := []struct {
		unit time.Duration
		name string
	}{{oneDay, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}}
	for i, p := range parts {
		if d < p.unit {
			continue
		}
		text := fmt.Sprintf("%d%s", d/p.unit, p.name)
		if i+1 < len(parts) {
			if next := d % p.unit / parts[i+1].unit; next > 0 {
				text += fmt.Sprintf(" %d%s", next, parts[i+1].name)
			}
		}
		return text
	}
	return "0s"
}
