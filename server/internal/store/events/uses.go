package events

import (
	"time"

	"activity-tracker.example/server/internal/store/dictionary"
	"activity-tracker.example/server/internal/store/partition"
)

// pair is an application and a title of a month that were used together; without a
// title its name is empty.
type pair struct {
	app   string
	title dictionary.TitleUse
}

// uses are what rows name.
type uses struct {
	days   map[time.Time]struct{}
	months map[int32]struct{}
	// pairs has each once, and places where: of each row its active one and then those
	// of its focus list.
	pairs  []pair
	places []int32
	known  map[pair]int32
	// recent are the places of the last few pairs. Rows of a machine follow each other,
	// and most name what the one before did: looking there is cheaper than in a map.
	recent [4]int32
	next   int
}

// usesOf collects what rows name. Titles of before forgotten, in Unix microseconds, are
// left out.
func usesOf(rows []row, forgotten int64) *uses {
	u := &uses{days: map[time.Time]struct{}{}, months: map[int32]struct{}{}, known: map[pair]int32{}}
	total := len(rows)
	for i := range rows {
		total += len(rows[i].event.Focus)
	}
	u.places = make([]int32, 0, total)
	const day = int64(24 * time.Hour / time.Microsecond)
	var today int64
	var month int32
	for i := range rows {
		r := &rows[i]
		if i == 0 || r.micros/day != today {
			today, month = r.micros/day, dictionary.MonthOf(r.event.Timestamp)
			u.days[partition.DayOf(r.event.Timestamp)], u.months[month] = struct{}{}, struct{}{}
		}
		kept := r.micros >= forgotten
		u.add(r.event.ActiveApp, r.event.ActiveWindow, month, kept)
		for j := range r.event.Focus {
			u.add(r.event.Focus[j].App, r.event.Focus[j].Title, month, kept)
		}
	}
	return u
}

// add notes the next pair; its title is left out if it is not kept.
func (u *uses) add(app, title string, month int32, kept bool) {
	p := pair{app: app}
	if kept && title != "" {
		p.title = dictionary.TitleUse{Month: month, Name: title}
	}
	for _, at := range u.recent {
		if int(at) < len(u.pairs) && u.pairs[at] == p {
			u.places = append(u.places, at)
			return
		}
	}
	at, ok := u.known[p]
	if !ok {
		at = int32(len(u.pairs))
		u.pairs, u.known[p] = append(u.pairs, p), at
	}
	u.places = append(u.places, at)
	u.recent[u.next%len(u.recent)] = at
	u.next++
}
