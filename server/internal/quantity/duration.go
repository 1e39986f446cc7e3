// Package quantity reads and writes lengths of time and sizes as people do.
package quantity

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/common/model"
)

// Day is a day of 24 hours, as in "kept for 400 days".
const Day = 24 * time.Hour

// ErrDuration is what a length of time looks like.
var ErrDuration = errors.New("want a time such as 15s, 90m, 24h, 7d, 2w or 1d12h")

// Duration is a flag's length of time.
type Duration time.Duration

// Set reads it.
func (d *Duration) Set(text string) error {
	read, err := ParseDuration(text)
	if err != nil {
		return err
	}
	*d = Duration(read)
	return nil
}

// String writes it as people would.
func (d *Duration) String() string { return DurationText(time.Duration(*d)) }

// Type is what --help calls it.
func (d *Duration) Type() string { return "TIME" }

// ParseDuration reads a length of time in Prometheus' units: y, w, d, h, m, s and ms,
// the larger ones first.
func ParseDuration(text string) (time.Duration, error) {
	d, err := model.ParseDuration(text)
	if err != nil {
		// Its error names the text alone.
		return 0, ErrDuration
	}
	return time.Duration(d), nil
}

// DurationText writes a length of time in its two largest units: 3d 4h, 2h 5m, 45s.
// Prometheus' own way writes 364 days as 52w, and every unit down to milliseconds.
func DurationText(d time.Duration) string {
	d = d.Truncate(time.Second)
	parts := []struct {
		unit time.Duration
		name string
	}{{Day, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}}
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
