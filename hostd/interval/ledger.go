package interval

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"activity-tracker.example/hostd/reading"
	"activity-tracker.example/hostd/roster"
	"activity-tracker.example/sessiond/wire"
)

// maxMachines is how many machine_ids' reported time is kept: users of one
// host over its life. Beyond it the ones that were silent longest are
// forgotten, which matters only if the clock goes back to when they were not.
const maxMachines = 10_000

// State is everything that a Ledger must remember: plain data for its owner
// to store.
type State struct {
	// Accounts by session.
	Accounts map[string]*Account
	Records  map[Key]*Record
	// Machines by machine_id.
	Machines map[string]*Machine
}

// Changes is what to store so that the store equals the ledger. The values
// belong to the ledger: encode them, do not keep them.
type Changes struct {
	Set          State
	GoneAccounts []string
	GoneRecords  []Key
	GoneMachines []string
}

// Ledger adds readings up. Changes are tentative until Commit; Rollback takes
// them back. It is not safe for concurrent use.
type Ledger struct {
	o        Options
	length   int64 // seconds
	accounts layer[string, *Account]
	records  layer[Key, *Record]
	machines layer[string, *Machine]
	// reported is what reportedUntil returns, kept to be used again.
	reported map[string]int64
}

// New continues from a stored state, which it takes over.
func New(o Options, s State) *Ledger {
	s.complete()
	if o.Grace == 0 {
		o.Grace = DefaultGrace
	}
	return &Ledger{
		o: o, length: max(int64(o.Length/time.Second), 1),
		accounts: newLayer(s.Accounts, (*Account).clone),
		records:  newLayer(s.Records, (*Record).clone),
		machines: newLayer(s.Machines, (*Machine).clone),
		reported: map[string]int64{},
	}
}

// complete makes the maps that a stored value may lack.
func (s *State) complete() {
	for _, r := range s.Records {
		if r.Sessions == nil {
			r.Sessions = map[string]Standing{}
		}
	}
}

// Fold counts a reading, at now by the daemon's clock. One that was counted
// before, as a daemon that was killed leaves it in the socket, and whose interval
// was handed out, opens no record.
func (l *Ledger) Fold(r reading.Reading, now time.Time) {
	session := r.Session.Name()
	a, ok := l.accounts.edit(session)
	if !ok {
		a = &Account{}
		l.accounts.put(session, a)
	}
	reported := a.ReportedUnixMilli
	a.MachineID, a.SeenUnix, a.ReportedUnixMilli = r.Session.MachineID, now.Unix(), r.Report.TimeUnixMilli
	distrust := !l.o.Epoch.After(now) && r.Report.StartedUnixNano < l.o.Epoch.UnixNano() && !l.o.Epoch.IsZero()
	g, known := a.take(&r.Report, distrust)
	start := l.place(r.Session.MachineID, r.Report.IntervalStartUnix, now)
	if known && g.empty() && r.Report.TimeUnixMilli <= reported && start != align(r.Report.IntervalStartUnix, l.length) {
		a.ReportedUnixMilli = reported
		return
	}
	if l.collected(r.Session.MachineID, start) == 0 {
		return // it was late, and there is no record to count it in
	}
	rec := l.record(&r.Session, start)
	if g.replaced != nil && (start != align(r.Report.IntervalStartUnix, l.length) || !rec.retract(g.replaced)) {
		g.focus = nil // it was counted before, in this record or another
	}
	rec.add(g)
	rec.DeviceUnits = rec.DeviceUnits || r.Report.DistanceUnit == wire.UnitDevice && g.counters.DistancePx > 0
	rec.stand(session, Standing{
		TimeUnixMilli: r.Report.TimeUnixMilli, IdleMS: r.Report.IdleMS, Connected: r.Connected, Locked: locked(&r),
	})
}

// locked reports whether the session's screen is locked; nil where no locker
// reports that. That it is not, only logind knows.
func locked(r *reading.Reading) *bool {
	if r.Report.Locked {
		return new(true)
	}
	return r.Session.ScreenLocked
}

// collected is in how many seconds of an interval anything was collected.
func (l *Ledger) collected(machineID string, start int64) int64 {
	if l.o.Missing == nil {
		return l.length
	}
	return l.length - l.o.Missing(machineID, start, start+l.length)
}

// place decides in which interval a reading counts.
func (l *Ledger) place(machineID string, start int64, now time.Time) int64 {
	current := align(now.Unix(), l.length)
	if start > now.Unix() || start < now.Unix()-int64(MaxLate/time.Second) {
		start = current
	}
	return l.free(machineID, align(start, l.length), now)
}

func (l *Ledger) free(machineID string, start int64, now time.Time) int64 {
	if !l.o.Floor.IsZero() && !l.o.Floor.After(now) {
		start = max(start, alignUp(l.o.Floor.Unix(), l.length))
	}
	m, _ := l.machines.get(machineID)
	return m.free(start, l.length)
}

func (l *Ledger) record(t *roster.Tracked, start int64) *Record {
	key := Key{MachineID: t.MachineID, StartUnix: start}
	rec, ok := l.records.edit(key)
	if !ok || rec.LengthSec != l.length {
		rec = l.reopen(key, rec)
	}
	rec.Username, rec.UID, rec.Kind = t.Username, t.UID, t.Kind
	return rec
}

// reopen makes an empty record, or one that holds what was counted in another
// of the same key under another length.
func (l *Ledger) reopen(key Key, old *Record) *Record {
	rec := &Record{
		MachineID: key.MachineID, StartUnix: key.StartUnix, LengthSec: l.length, Sessions: map[string]Standing{},
	}
	if old != nil {
		rec.Username, rec.UID, rec.Kind = old.Username, old.UID, old.Kind
		rec.merge(old)
	}
	l.records.put(key, rec)
	return rec
}

// Seal closes the records whose time is over and returns them, oldest first.
func (l *Ledger) Seal(now time.Time) []Sealed {
	l.resettle(now)
	reported := l.reportedUntil()
	var sealed []Sealed
	for key, rec := range l.records.all() {
		if until, live := reported[key.MachineID]; !l.due(rec, until, live, now) {
			continue
		}
		m, ok := l.machines.edit(key.MachineID)
		if !ok {
			m = &Machine{}
			l.machines.put(key.MachineID, m)
		}
		m.mark(rec.StartUnix, rec.LengthSec)
		l.records.remove(key)
		sealed = append(sealed, Sealed{Event: rec.event(l.o.IdleAfter, l.collected(key.MachineID, rec.StartUnix)), UID: rec.UID})
	}
	slices.SortFunc(sealed, func(a, b Sealed) int {
		return cmp.Or(a.Event.Timestamp.Compare(b.Event.Timestamp), cmp.Compare(a.Event.MachineID, b.Event.MachineID))
	})
	if len(sealed) > 0 {
		l.prune(now)
	}
	return sealed
}

// reportedUntil is up to when every live session of a machine_id has reported,
// Unix milliseconds.
func (l *Ledger) reportedUntil() map[string]int64 {
	until := l.reported
	clear(until)
	for _, a := range l.accounts.all() {
		if t, ok := until[a.MachineID]; !a.Ended && (!ok || a.ReportedUnixMilli < t) {
			until[a.MachineID] = a.ReportedUnixMilli
		}
	}
	return until
}

// due reports whether a record is complete: every session that lives has reported
// past its end, or the grace for them is over.
func (l *Ledger) due(rec *Record, reported int64, live bool, now time.Time) bool {
	end := time.Unix(rec.end(), 0)
	if now.Before(end) {
		return false
	}
	return !now.Before(end.Add(l.o.Grace)) || live && reported >= end.UnixMilli()
}

// resettle moves what was counted in records that this clock would not reach
// soon, or that were opened under another interval length. After the clock was
// set back, a record in what is now the future goes to the first interval from
// now on that was not handed out.
func (l *Ledger) resettle(now time.Time) {
	current := align(now.Unix(), l.length)
	for key, rec := range l.records.all() {
		if key.StartUnix <= current && rec.LengthSec == l.length {
			continue
		}
		to := Key{MachineID: key.MachineID, StartUnix: l.free(key.MachineID, align(min(key.StartUnix, current), l.length), now)}
		if to == key && rec.LengthSec == l.length {
			continue
		}
		l.records.remove(key)
		target, ok := l.records.edit(to)
		if !ok {
			target = l.reopen(to, nil)
			target.Username, target.UID, target.Kind = rec.Username, rec.UID, rec.Kind
		}
		target.merge(rec)
	}
}

// Live sets which sessions are still tracked; the others' accounts are kept
// for AccountKept and then dropped.
func (l *Ledger) Live(live func(session string) bool, now time.Time) {
	for session, a := range l.accounts.all() {
		if ended := !live(session); ended != a.Ended {
			if edit, ok := l.accounts.edit(session); ok {
				edit.Ended = ended
			}
		}
	}
	l.prune(now)
}

func (l *Ledger) prune(now time.Time) {
	for session, a := range l.accounts.all() {
		// Less than zero: the clock was set back, so nothing is known; keep.
		if a.Ended && now.Unix()-a.SeenUnix > int64(AccountKept/time.Second) {
			l.accounts.remove(session)
		}
	}
	if len(l.machines.base) <= maxMachines {
		return
	}
	all := maps.Collect(l.machines.all())
	ids := slices.SortedFunc(maps.Keys(all), func(a, b string) int { return cmp.Compare(all[a].last(), all[b].last()) })
	for _, id := range ids[:max(len(ids)-maxMachines, 0)] {
		l.machines.remove(id)
	}
}

// Ahead is how far the farthest open record lies in the future: zero but after the
// clock was set back into time that was already reported, when records wait for it to
// pass.
func (l *Ledger) Ahead(now time.Time) time.Duration {
	var ahead time.Duration
	for key := range l.records.all() {
		ahead = max(ahead, time.Unix(key.StartUnix, 0).Sub(now))
	}
	return ahead
}

// Open is how many records are open.
func (l *Ledger) Open() int {
	n := 0
	for range l.records.all() {
		n++
	}
	return n
}

// Changes returns what Commit would keep.
func (l *Ledger) Changes() Changes {
	var c Changes
	c.Set.Accounts, c.GoneAccounts = l.accounts.changes()
	c.Set.Records, c.GoneRecords = l.records.changes()
	c.Set.Machines, c.GoneMachines = l.machines.changes()
	return c
}

// All returns the whole state, changes included. Its values belong to the
// ledger: encode them, do not keep them.
func (l *Ledger) All() State {
	return State{
		Accounts: maps.Collect(l.accounts.all()),
		Records:  maps.Collect(l.records.all()),
		Machines: maps.Collect(l.machines.all()),
	}
}

// Commit keeps the changes.
func (l *Ledger) Commit() {
	l.accounts.commit()
	l.records.commit()
	l.machines.commit()
}

// Rollback takes the changes back.
func (l *Ledger) Rollback() {
	l.accounts.rollback()
	l.records.rollback()
	l.machines.rollback()
}
