package api

// The places of the counters, in the order in which they stand everywhere. A new one
// goes before CounterCount, into Counters, into the methods of Event below, and into
// Totals; the rest loops over these.
const (
	Keys = iota
	Clicks
	Distance
	Scroll
	Synthetic
	Repeats
	CounterCount
)

const (
	// requiredCounters are the first ones, which every event has.
	requiredCounters = 4
	// OptionalCounters are the others, which an event has where they can be known.
	OptionalCounters = CounterCount - requiredCounters
)

// Counter is one thing that is counted. All add up by sum, of sessions, events,
// spans of time and machines.
type Counter struct {
	// Name is its field in JSON, and its column in the database and in tables.
	Name string
	// Unit is what one of it is.
	Unit string
	// Activity means that where it is not zero somebody was there.
	Activity bool
}

// Counters returns all counters by their places.
func Counters() [CounterCount]Counter {
	return [...]Counter{
		Keys:      {Name: "key_count", Unit: "presses", Activity: true},
		Clicks:    {Name: "mouse_clicks", Unit: "presses of buttons", Activity: true},
		Distance:  {Name: "mouse_distance_px", Unit: "pixels, or the device's own steps", Activity: true},
		Scroll:    {Name: "scroll_count", Unit: "steps", Activity: true},
		Synthetic: {Name: "synthetic_count", Unit: "presses by programs"},
		Repeats:   {Name: "repeat_count", Unit: "repeats of keys that are held"},
	}
}

// Counts are one number for each counter, by their places.
type Counts [CounterCount]int64

// Add adds others.
func (c *Counts) Add(other *Counts) {
	for i := range c {
		c[i] += other[i]
	}
}

// Required are the counters that every event has, by their places.
func (e *Event) Required() [requiredCounters]*int64 {
	return [...]*int64{&e.KeyCount, &e.MouseClicks, &e.MouseDistancePx, &e.ScrollCount}
}

// Optional are the counters that an event may leave out, by their places after the
// required ones.
func (e *Event) Optional() [OptionalCounters]**int64 {
	return [...]**int64{&e.SyntheticCount, &e.RepeatCount}
}

// Counts returns an event's counts; what it leaves out is zero.
func (e *Event) Counts() Counts {
	var c Counts
	for i, v := range e.Required() {
		c[i] = *v
	}
	for i, v := range e.Optional() {
		if *v != nil {
			c[requiredCounters+i] = **v
		}
	}
	return c
}

// InputTotals are what hands did in a span of time.
type InputTotals struct {
	KeyCount        int64 `json:"key_count"`
	MouseClicks     int64 `json:"mouse_clicks"`
	MouseDistancePx int64 `json:"mouse_distance_px"`
	ScrollCount     int64 `json:"scroll_count"`
}

// Totals are all that was counted in a span of time.
type Totals struct {
	InputTotals

	SyntheticCount int64 `json:"synthetic_count"`
	RepeatCount    int64 `json:"repeat_count"`
}

// Totals returns counts by their names.
func (c *Counts) Totals() Totals {
	return Totals{
		InputTotals:    InputTotals{KeyCount: c[Keys], MouseClicks: c[Clicks], MouseDistancePx: c[Distance], ScrollCount: c[Scroll]},
		SyntheticCount: c[Synthetic],
		RepeatCount:    c[Repeats],
	}
}
