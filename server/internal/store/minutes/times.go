package minutes

// Times is when and for how long somebody was there in a quarter of an hour, of which minutes
// no other quarter's records have a part; or in several.
type Times struct {
	// ActiveMS is for how long somebody was there, and RecordedMS the length of all minutes
	// of which something is recorded.
	ActiveMS, RecordedMS int64
	// First and Last are the first and last event with any activity, in Unix microseconds; 0:
	// there is none.
	First, Last int64
}

// NewTimes returns the times of a quarter of an hour with so many records in all, and so much
// activity, of which these are the minutes. ok is false where they are not those of all
// records, or reach beyond the quarter's end.
func NewTimes(records, activeMS int64, list []byte) (t Times, ok bool) {
	q, err := Decode(list)
	if err != nil || q.Records != records {
		return t, false
	}
	recorded, active, within := q.Within()
	return Times{ActiveMS: active, RecordedMS: recorded}, within && active == activeMS
}

// Possible reports whether a quarter of an hour can have these times.
func (t *Times) Possible() bool {
	return t.ActiveMS <= t.RecordedMS && t.RecordedMS <= quarterMinutes*LengthMS
}

// Add adds those of another quarter of an hour.
func (t *Times) Add(o Times) {
	t.ActiveMS, t.RecordedMS = t.ActiveMS+o.ActiveMS, t.RecordedMS+o.RecordedMS
	if o.First != 0 && (t.First == 0 || o.First < t.First) {
		t.First = o.First
	}
	t.Last = max(t.Last, o.Last)
}
