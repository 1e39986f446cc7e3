package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// dayNames are the days as they are written, Sunday first.
func dayNames() []string { return []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} }

// DayHours is one key of work hours with its spans: a day or a range of days, such as
// mon-fri, and times as HH:MM-HH:MM.
type DayHours struct {
	Days  string
	Spans []string
}

// NewWorkHours reads work hours from their written parts, in the order in which they are
// written: a later key replaces an earlier one for its days. A day without a key, or with
// no spans, has none.
func NewWorkHours(zone string, days []DayHours, holidays []string) (*WorkHours, error) {
	w := &WorkHours{}
	var err error
	if w.zone, err = loadZone(zone); err != nil {
		return nil, err
	}
	if len(days) > MaxDayKeys {
		return nil, tooLarge("work_hours", "%d keys of days; at most %d", len(days), MaxDayKeys)
	}
	for _, d := range days {
		if err := w.set(d); err != nil {
			return nil, err
		}
	}
	if len(holidays) > MaxHolidays {
		return nil, tooLarge("work_hours.holidays", "%d days; at most %d", len(holidays), MaxHolidays)
	}
	for i, text := range holidays {
		day, err := time.Parse(time.DateOnly, text)
		if err != nil {
			return nil, wrong(fmt.Sprintf("work_hours.holidays[%d]", i), "%.20q is no date as 2026-01-31", text)
		}
		w.holidays = append(w.holidays, date(day.Date()))
	}
	slices.Sort(w.holidays)
	w.holidays = slices.Compact(w.holidays)
	return w, nil
}

// loadZone refuses the names that mean something else on each machine.
func loadZone(name string) (*time.Location, error) {
	switch {
	case name == "":
		return nil, wrong("work_hours.tz", "is required: a zone such as Europe/Moscow")
	case len(name) > MaxZoneBytes || name == "Local":
		return nil, wrong("work_hours.tz", "%.70q is no zone such as Europe/Moscow", name)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, wrong("work_hours.tz", "%q is no zone such as Europe/Moscow", name)
	}
	return zone, nil
}

// set replaces the spans of a key's days.
func (w *WorkHours) set(d DayHours) error {
	field := fmt.Sprintf("work_hours.%.20s", d.Days)
	first, last, ranged := strings.Cut(d.Days, "-")
	from, to := slices.Index(dayNames(), first), slices.Index(dayNames(), last)
	if !ranged {
		to = from
	}
	if from < 0 || to < 0 {
		return wrong("work_hours", "%.20q is no day (mon, tue, wed, thu, fri, sat, sun) and no range as mon-fri", d.Days)
	}
	spans, err := parseSpans(field, d.Spans)
	if err != nil {
		return err
	}
	for day := from; ; day = (day + 1) % 7 {
		w.week[day] = spans
		if day == to {
			return nil
		}
	}
}

// parseSpans reads a day's spans, and joins those that touch.
func parseSpans(field string, texts []string) ([]span, error) {
	if len(texts) > MaxSpans {
		return nil, tooLarge(field, "%d spans; at most %d", len(texts), MaxSpans)
	}
	var spans []span
	for i, text := range texts {
		s, err := parseSpan(text)
		if err != nil {
			return nil, wrong(fmt.Sprintf("%s[%d]", field, i), "%s", err)
		}
		spans = append(spans, s)
	}
	slices.SortFunc(spans, func(a, b span) int { return a.start - b.start })
	var joined []span
	for _, s := range spans {
		last := len(joined) - 1
		switch {
		case last >= 0 && s.start < joined[last].end:
			return nil, wrong(field, "%s and %s overlap", joined[last], s)
		case last >= 0 && s.start == joined[last].end:
			joined[last].end = s.end
		default:
			joined = append(joined, s)
		}
	}
	return joined, nil
}

func parseSpan(text string) (span, error) {
	from, to, both := strings.Cut(text, "-")
	start, startOK := parseTime(from)
	end, endOK := parseTime(to)
	switch {
	case !both || !startOK || !endOK:
		return span{}, fmt.Errorf("%.20q is no span as 09:00-18:00", text)
	case end <= start:
		return span{}, fmt.Errorf("%s ends before it starts; a night is two spans, up to 24:00 and from 00:00", text)
	}
	return span{start, end}, nil
}

// parseTime reads HH:MM, up to 24:00, as seconds.
func parseTime(text string) (int, bool) {
	if len(text) != 5 || text[2] != ':' {
		return 0, false
	}
	hour, err := strconv.ParseUint(text[:2], 10, 8)
	if err != nil {
		return 0, false
	}
	minute, err := strconv.ParseUint(text[3:], 10, 8)
	if err != nil || minute > 59 || hour > 24 || (hour == 24 && minute > 0) {
		return 0, false
	}
	return int(hour*3600 + minute*60), true
}

func (s span) String() string {
	return fmt.Sprintf("%02d:%02d-%02d:%02d", s.start/3600, s.start/60%60, s.end/3600, s.end/60%60)
}

// Days returns the hours as they are written, from Monday on, with equal days in a row as
// a range. Days without hours are left out.
func (w *WorkHours) Days() []DayHours {
	var days []DayHours
	for first := 1; first <= 7; {
		last := first
		for last < 7 && slices.Equal(w.week[first%7], w.week[(last+1)%7]) {
			last++
		}
		d := DayHours{Days: dayNames()[first%7]}
		if last > first {
			d.Days += "-" + dayNames()[last%7]
		}
		for _, s := range w.week[first%7] {
			d.Spans = append(d.Spans, s.String())
		}
		if len(d.Spans) > 0 {
			days = append(days, d)
		}
		first = last + 1
	}
	return days
}

// Holidays returns the holidays as they are written.
func (w *WorkHours) Holidays() []string {
	var days []string
	for _, d := range w.holidays {
		days = append(days, fmt.Sprintf("%04d-%02d-%02d", d/10_000, d/100%100, d%100))
	}
	return days
}

// MarshalJSON writes the object that UnmarshalJSON reads, in one form for equal hours.
func (w *WorkHours) MarshalJSON() ([]byte, error) {
	if w == nil || w.zone == nil {
		return []byte("null"), nil
	}
	var b bytes.Buffer
	write := func(key string, value any) {
		text, _ := json.Marshal(value) // strings only
		fmt.Fprintf(&b, "%q:%s", key, text)
	}
	b.WriteByte('{')
	write("tz", w.Zone())
	for _, d := range w.Days() {
		b.WriteByte(',')
		write(d.Days, d.Spans)
	}
	if len(w.holidays) > 0 {
		b.WriteByte(',')
		write("holidays", w.Holidays())
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// UnmarshalJSON reads {"tz": …, "mon-fri": ["09:00-18:00"], "holidays": […]}, whose keys
// count in their order.
func (w *WorkHours) UnmarshalJSON(data []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return wrong("work_hours", "not an object")
	}
	var (
		zone     string
		days     []DayHours
		holidays []string
	)
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string)
		switch {
		case key == "tz":
			err = decoder.Decode(&zone)
		case key == "holidays":
			err = decoder.Decode(&holidays)
		case slices.ContainsFunc(days, func(d DayHours) bool { return d.Days == key }):
			return wrong("work_hours", "%.20q comes twice", key)
		case len(days) > MaxDayKeys:
			return tooLarge("work_hours", "more than %d keys of days", MaxDayKeys)
		default:
			d := DayHours{Days: key}
			err = decoder.Decode(&d.Spans)
			days = append(days, d)
		}
		if err != nil {
			return wrong(fmt.Sprintf("work_hours.%.20s", key), "of the wrong type")
		}
	}
	read, err := NewWorkHours(zone, days, holidays)
	if err != nil {
		return err
	}
	*w = *read
	return nil
}

// validate checks what is not made by NewWorkHours, which checks all.
func (w *WorkHours) validate() error {
	if w != nil && w.zone == nil {
		return wrong("work_hours.tz", "is required: a zone such as Europe/Moscow")
	}
	return nil
}
