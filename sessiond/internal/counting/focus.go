package counting

import "activity-tracker.example/sessiond/wire"

// Window is what the focus is counted under.
type Window struct {
	// App is the application's name; empty means that nothing has the focus.
	App string
	// Title is the window's title.
	Title string
}

// Focus adds up how long each window had the focus in one interval, and for how
// long of that the user was active.
type Focus struct {
	// Activity is the user's, up to where it is known when a time is booked; nil
	// where no input is seen.
	Activity *Activity

	// retitle is what may be reported of a title; without it no title is.
	retitle Retitle
	// front is the window in front as it is, so that other rules for titles apply to
	// it; current is what is reported of it, as all that is booked.
	front, current Window
	since          Instant
	active         Instant // up to here active time is booked
	entries        []focusEntry
}

// Retitle returns what may be reported of an application's title.
type Retitle func(app, title string) string

type focusEntry struct {
	window       Window
	time, active Instant
}

// Switch ends the current window's time at an instant and starts another's; the
// zero Window stands for none. It reports whether that changed anything.
func (f *Focus) Switch(to Window, at Instant) bool {
	if to == f.front {
		return false
	}
	f.front = to
	if to = f.reported(to); to == f.current {
		return false
	}
	f.settle(at)
	f.current = to
	return true
}

// SetTitles sets what may be reported of titles; nil: nothing. What the interval has
// so far is filtered again, without what earlier rules took out. What is not booked
// yet of the window in front goes under its new title.
func (f *Focus) SetTitles(retitle Retitle) {
	f.retitle = retitle
	f.current = f.reported(f.front)
	booked := f.entries
	f.entries = f.entries[:0]
	for _, e := range booked { // none is overwritten before it was read
		e.window = f.reported(e.window)
		f.add(e)
	}
	clear(booked[len(f.entries):])
}

// reported is what may be reported of a window. A title that is empty stays so: rules
// may have taken it out.
func (f *Focus) reported(w Window) Window {
	switch {
	case w.Title == "":
	case f.retitle == nil:
		w.Title = ""
	default:
		w.Title = f.retitle(w.App, w.Title)
	}
	return w
}

// Current is the window that has the focus, as it is reported.
func (f *Focus) Current() Window { return f.current }

// Restart forgets the interval's times and goes on with the current window. The
// caller has taken a Snapshot at the same instant.
func (f *Focus) Restart(at Instant) {
	f.since = at
	if f.Activity != nil {
		f.active = f.Activity.activeAt(at)
	}
	clear(f.entries)
	f.entries = f.entries[:0]
}

// Snapshot appends the interval's times up to now to dst.
func (f *Focus) Snapshot(dst []wire.Focus, now Instant) []wire.Focus {
	f.settle(now)
	for _, e := range f.entries {
		active := uint64(wire.ActiveUnknown)
		if f.Activity != nil {
			active = uint64(e.active)
		}
		dst = append(dst, wire.Focus{App: e.window.App, Title: e.window.Title, DurationMS: uint64(e.time), ActiveMS: active})
	}
	return dst
}

// settle books the time since the last settling.
func (f *Focus) settle(now Instant) {
	elapsed := now - f.since
	if elapsed <= 0 {
		return // an instant that is already booked
	}
	f.since = now
	active := f.settleActive(now, elapsed)
	if f.current.App != "" {
		f.add(focusEntry{f.current, elapsed, active})
	}
}

// settleActive books the active time since the last settling, and returns it. It
// is never more than has elapsed, nor in all more than the user was active.
func (f *Focus) settleActive(now, elapsed Instant) Instant {
	if f.Activity == nil {
		return 0
	}
	part := min(max(f.Activity.activeAt(now)-f.active, 0), elapsed)
	f.active += part
	return part
}

func (f *Focus) add(more focusEntry) {
	w := more.window
	if e := f.find(w); e != nil {
		e.grow(more)
		return
	}
	for len(f.entries) >= wire.MaxFocus {
		f.fold()
	}
	if e := f.find(w); e != nil { // folding made it
		e.grow(more)
		return
	}
	f.entries = append(f.entries, more)
}

// grow adds another entry's times.
func (e *focusEntry) grow(more focusEntry) {
	e.time += more.time
	e.active += more.active
}

func (f *Focus) find(w Window) *focusEntry {
	for i := range f.entries {
		if f.entries[i].window == w {
			return &f.entries[i]
		}
	}
	return nil
}

// fold makes room in a full table: the shortest titled entry loses its title,
// so that a title that changes all the time (a spinner, a clock) cannot push
// out which application it was. With no titled entry left the shortest goes
// under wire.OtherApp. One call may free nothing (the first entry of its kind
// only loses its name), but each takes a title or an application away, so
// calling it again ends.
func (f *Focus) fold() {
	i := f.shortest(func(w Window) bool { return w.Title != "" })
	into := Window{App: wire.OtherApp}
	if i >= 0 {
		into.App = f.entries[i].window.App
	} else {
		i = f.shortest(func(w Window) bool { return w.App != wire.OtherApp })
	}
	target := f.find(into)
	if target == nil {
		f.entries[i].window = into
		return
	}
	target.grow(f.entries[i])
	last := len(f.entries) - 1
	f.entries[i] = f.entries[last]
	f.entries[last] = focusEntry{}
	f.entries = f.entries[:last]
}

func (f *Focus) shortest(eligible func(Window) bool) int {
	found := -1
	for i, e := range f.entries {
		if eligible(e.window) && (found < 0 || e.time < f.entries[found].time) {
			found = i
		}
	}
	return found
}
