package interval

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/sessiond/wire"
)

// Record is one machine_id's interval while it is open.
type Record struct {
	MachineID string `json:"machine_id"`
	StartUnix int64  `json:"start"`
	// LengthSec is the interval's length in seconds.
	LengthSec int64           `json:"length"`
	Username  string          `json:"username"`
	UID       uint32          `json:"uid"`
	Kind      api.SessionKind `json:"kind"`
	// Counts are sums over the sessions, each at most api.MaxCount; ActiveMS
	// at most the interval.
	Counts wire.Counters `json:"counts"`
	// Focus is by application and title, each at most the interval's length;
	// at most api.MaxFocus entries.
	Focus []Focus `json:"focus,omitempty"`
	// DeviceUnits is set when some of the distance is in steps of a device.
	DeviceUnits bool `json:"device_units,omitempty"`
	// Sessions is how each session stood when it last reported.
	Sessions map[string]Standing `json:"sessions"`
}

// Focus is for how long a window had the focus in a record, all sessions
// together.
type Focus struct {
	App        string
	Title      string
	DurationMS uint64
	// ActiveMS is the part in which the person was active, if Seen.
	ActiveMS uint64 `json:",omitempty"`
	// Seen is set if all of it was counted by helpers that see input.
	Seen bool `json:",omitempty"`
}

// reported returns what a helper would have reported.
func (f *Focus) reported() wire.Focus {
	t := wire.Focus{App: f.App, Title: f.Title, DurationMS: f.DurationMS, ActiveMS: wire.ActiveUnknown}
	if f.Seen {
		t.ActiveMS = f.ActiveMS
	}
	return t
}

// Standing is how a session stood at one moment.
type Standing struct {
	TimeUnixMilli int64  `json:"time"`
	IdleMS        uint64 `json:"idle"`
	// Connected is nil where it cannot be known.
	Connected *bool `json:"connected,omitempty"`
	// Locked is nil where no locker reports whether the screen is locked.
	Locked *bool `json:"locked,omitempty"`
}

func (r *Record) lengthMS() uint64 { return uint64(r.LengthSec) * 1000 }

// end is when the interval ends, seconds UTC.
func (r *Record) end() int64 { return r.StartUnix + r.LengthSec }

// add counts what a reading added. A helper runs as the user it measures, so
// its numbers are as honest as the user's own keys: only what the server would
// refuse, or what cannot be in an interval of this length, is cut.
func (r *Record) add(g growth) {
	sum, more := r.Counts.List(), g.counters.List()
	for i := range sum {
		*sum[i] = min(*sum[i]+min(*more[i], api.MaxCount), api.MaxCount)
	}
	r.Counts.ActiveMS = min(r.Counts.ActiveMS, r.lengthMS())
	for _, f := range g.focus {
		r.addFocus(f)
	}
}

func (r *Record) addFocus(f wire.Focus) {
	at := func(app, title string) int {
		return slices.IndexFunc(r.Focus, func(o Focus) bool { return o.App == app && o.Title == title })
	}
	i := at(f.App, f.Title)
	if i < 0 && len(r.Focus) >= api.MaxFocus-1 { // the last place is for what has none
		f.App, f.Title = wire.OtherApp, ""
		i = at(f.App, f.Title)
	}
	if i < 0 {
		r.Focus = append(r.Focus, Focus{App: f.App, Title: f.Title, Seen: true})
		i = len(r.Focus) - 1
	}
	sum := &r.Focus[i]
	sum.DurationMS = min(sum.DurationMS+min(f.DurationMS, r.lengthMS()), r.lengthMS())
	if f.ActiveMS == wire.ActiveUnknown {
		sum.Seen = false
		return
	}
	sum.ActiveMS = min(sum.ActiveMS+min(f.ActiveMS, r.lengthMS()), r.lengthMS())
}

// retract takes out what a helper reported under other rules for titles, so that no
// title stays which the newer ones take out. Where it cannot be separated any more,
// the record loses all titles, and false is returned.
func (r *Record) retract(old *FocusTable) bool {
	kept := slices.Clone(r.Focus)
	for _, c := range old.windows {
		if c.ms == 0 {
			continue // it is in no record
		}
		i := slices.IndexFunc(kept, func(f Focus) bool { return hashFocus(f.App, f.Title) == c.hash })
		if i < 0 || kept[i].DurationMS < c.ms {
			r.forgetTitles()
			return false
		}
		kept[i].DurationMS -= c.ms
		kept[i].ActiveMS -= min(c.active, kept[i].ActiveMS)
	}
	r.Focus = slices.DeleteFunc(kept, func(f Focus) bool { return f.DurationMS == 0 })
	return true
}

// forgetTitles leaves each application's time.
func (r *Record) forgetTitles() {
	old := r.Focus
	r.Focus = nil
	for i := range old {
		old[i].Title = ""
		r.addFocus(old[i].reported())
	}
}

// stand notes how a session stood, unless a later moment is known.
func (r *Record) stand(session string, s Standing) {
	if was, ok := r.Sessions[session]; !ok || s.TimeUnixMilli >= was.TimeUnixMilli {
		r.Sessions[session] = s
	}
}

// merge adds another record of the same machine_id.
func (r *Record) merge(o *Record) {
	g := growth{counters: o.Counts}
	for i := range o.Focus {
		g.focus = append(g.focus, o.Focus[i].reported())
	}
	r.add(g)
	r.DeviceUnits = r.DeviceUnits || o.DeviceUnits
	for session, s := range o.Sessions {
		r.stand(session, s)
	}
}

// The uids of people on Debian: those below are the system's, and the last one nobody's.
const (
	firstPerson = 1000
	nobody      = 65534
)

// event is the record as the server takes it; of its seconds so many were collected.
func (r *Record) event(idleAfter time.Duration, collected int64) api.Event {
	count := func(n uint64) int64 { return int64(min(n, api.MaxCount)) }
	length, synthetic := r.LengthSec, count(r.Counts.Synthetic)
	active := seconds(r.Counts.ActiveMS)
	idle := true
	for _, s := range r.Sessions {
		idle = idle && r.idleAtEnd(s, collected) >= idleAfter
	}
	e := api.Event{
		MachineID: r.MachineID, Timestamp: time.Unix(r.StartUnix, 0).UTC(), Username: r.Username,
		KeyCount: count(r.Counts.Keys), MouseClicks: count(r.Counts.Clicks),
		MouseDistancePx: count(r.Counts.DistancePx), ScrollCount: count(r.Counts.ScrollSteps),
		SyntheticCount: &synthetic, IsIdle: idle, Connected: r.connected(), Locked: r.locked(),
		IntervalSec: &length, ActiveSeconds: &active, SessionKind: r.Kind,
		SystemUser: r.UID < firstPerson || r.UID == nobody,
	}
	if r.Counts.Repeats > 0 { // most records have none, and need no room for it
		e.RepeatCount = new(count(r.Counts.Repeats))
	}
	if collected < r.LengthSec {
		e.CollectedSeconds = &collected
	}
	if r.DeviceUnits {
		e.DistanceUnit = api.UnitDevice
	}
	focus := r.share()
	for _, f := range focus {
		// The rest of many windows is no window, unless there is nothing else.
		if e.ActiveApp == "" && e.ActiveWindow == "" && (f.App != wire.OtherApp || len(focus) == 1) {
			e.ActiveApp, e.ActiveWindow = f.App, f.Title
		}
		told := api.Focus{App: f.App, Title: f.Title, Seconds: seconds(f.DurationMS)}
		if f.Seen {
			told.ActiveSeconds = new(seconds(f.ActiveMS))
		}
		e.Focus = append(e.Focus, told)
	}
	return e
}

// share returns the record's windows, those longest in front first. Two sessions
// of one person each have a window in front: their times are cut in proportion, so
// that they add up to no more than the interval, and their active parts to no more
// than the person was active in it.
func (r *Record) share() []Focus {
	focus := slices.SortedFunc(slices.Values(r.Focus), func(a, b Focus) int {
		return cmp.Or(cmp.Compare(b.DurationMS, a.DurationMS), cmp.Compare(a.App, b.App), cmp.Compare(a.Title, b.Title))
	})
	var open, active uint64
	for i := range focus {
		open += focus[i].DurationMS
		active += focus[i].ActiveMS
	}
	for i := range focus {
		f := &focus[i]
		f.DurationMS = part(f.DurationMS, open, r.lengthMS())
		f.ActiveMS = min(part(f.ActiveMS, active, r.Counts.ActiveMS), f.DurationMS)
	}
	return focus
}

// part returns what is left of n if sum, of which it is a part, is cut to limit.
func part(n, sum, limit uint64) uint64 {
	if sum <= limit {
		return n
	}
	return n * limit / sum
}

// connected reports whether anybody could be at one of the sessions; nil where
// none is and one cannot know.
func (r *Record) connected() *bool {
	var known *bool
	unknown := false
	for _, s := range r.Sessions {
		switch {
		case s.Connected == nil:
			unknown = true
		case *s.Connected:
			return s.Connected
		default:
			known = s.Connected
		}
	}
	if unknown {
		return nil
	}
	return known
}

// locked reports whether the screens of all sessions were locked; nil where that is
// known of none, or one that is not known decides. A session on Wayland has two
// sources, of which the one of its input ends with the lock: the later one counts.
func (r *Record) locked() *bool {
	newest := map[string]Standing{}
	for name, s := range r.Sessions {
		login := name[strings.LastIndexByte(name, '.')+1:]
		if was, ok := newest[login]; !ok || s.TimeUnixMilli > was.TimeUnixMilli {
			newest[login] = s
		}
	}
	var known *bool
	unknown := false
	for _, s := range newest {
		switch {
		case s.Locked == nil:
			unknown = true
		case !*s.Locked:
			return s.Locked
		default:
			known = s.Locked
		}
	}
	if unknown {
		return nil
	}
	return known
}

// idleAtEnd is for how long a session had no real input when the interval
// ended. Helpers report whatever is new, so silence since the last report was
// silence of the hands too; a report from outside the interval (the clock was
// set) is moved by no more than the interval. Where not all of it was collected, the
// last report is the end.
func (r *Record) idleAtEnd(s Standing, collected int64) time.Duration {
	if collected < r.LengthSec {
		return time.Duration(min(s.IdleMS, wire.MaxCounter)) * time.Millisecond
	}
	toEnd := min(max(r.end()*1000-s.TimeUnixMilli, -r.LengthSec*1000), r.LengthSec*1000)
	return time.Duration(int64(min(s.IdleMS, wire.MaxCounter))+toEnd) * time.Millisecond
}

func (r *Record) clone() *Record {
	c := *r
	c.Focus = slices.Clone(r.Focus)
	c.Sessions = maps.Clone(r.Sessions)
	return &c
}

// seconds is exact to the millisecond.
func seconds(ms uint64) float64 { return float64(ms) / 1000 }
