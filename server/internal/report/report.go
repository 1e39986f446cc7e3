// Package report answers questions about what was stored: which machines there
// are, what they did on a day and in each hour of it, and the events themselves.
package report

import (
	"context"
	"math"
	"strconv"
	"strings"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store"
	"activity-tracker.example/server/internal/text"
	"activity-tracker.example/server/internal/timestamp"
)

const (
	// topApps is how many applications a day names: more than anyone reads.
	topApps = 20
	// machinesDefault and machinesMax bound a page of machines.
	machinesDefault = 100
	machinesMax     = 1000
	// eventsDefault and eventsMax bound a page of events; a day of minutes is
	// 1,440.
	eventsDefault = 1000
	eventsMax     = 5000
	// silentIntervals and uploadPeriod say when a machine is offline: it has
	// missed that many intervals, and an upload with the contract's default
	// send_interval_sec would have arrived.
	silentIntervals = 3
	uploadPeriod    = 300 * time.Second
)

// InvalidError is a question that can't be answered as it was put; its text says
// what is wanted.
type InvalidError string

func (e InvalidError) Error() string { return string(e) }

// Reports answers questions from one store.
type Reports struct {
	store *store.Store
	now   func() time.Time
}

// New makes the reports; now is the server's clock.
func New(s *store.Store, now func() time.Time) *Reports { return &Reports{store: s, now: now} }

// MachinesQuestion asks for a page of machines; all fields are as the caller wrote
// them.
type MachinesQuestion struct {
	// Group is a group's name; where it is empty and OfGroup is not set, all
	// machines are asked for.
	Group, Limit, Cursor string
	OfGroup              bool
}

// Machines gives a page of the machines in scope by machine_id.
func (r *Reports) Machines(ctx context.Context, scope store.Scope, q MachinesQuestion) (api.MachineList, error) {
	reply := api.MachineList{Machines: []api.Machine{}}
	n, err := parseLimit(q.Limit, machinesDefault, machinesMax)
	if err != nil {
		return reply, err
	}
	after := ""
	if q.Cursor != "" {
		if after, err = parseMachinesCursor(q.Cursor); err != nil {
			return reply, err
		}
	}
	if (q.Group != "" || q.OfGroup) && !nameable(q.Group) {
		return reply, store.ErrNoGroup
	}
	list, err := r.store.Machines(ctx, store.MachineFilter{Scope: scope, Group: q.Group, After: after, Limit: n + 1})
	if err != nil {
		return reply, err
	}
	if len(list) > n {
		list = list[:n]
		reply.NextCursor = encodeCursor(cursorMachines, list[n-1].MachineID)
	}
	for _, m := range list {
		reply.Machines = append(reply.Machines, r.machine(m))
	}
	return reply, nil
}

// Machine gives one machine.
func (r *Reports) Machine(ctx context.Context, scope store.Scope, machineID string) (api.Machine, error) {
	if !plausible(machineID) {
		return api.Machine{}, store.ErrNotFound
	}
	m, err := r.store.MachineByID(ctx, scope, machineID)
	return r.machine(m), err
}

// Label names a machine for people; an empty label takes the name away.
func (r *Reports) Label(ctx context.Context, scope store.Scope, machineID string, patch api.MachinePatch) (api.Machine, error) {
	label, err := labelOf(patch)
	if err != nil {
		return api.Machine{}, err
	}
	if !plausible(machineID) {
		return api.Machine{}, store.ErrNotFound
	}
	m, err := r.store.SetLabel(ctx, scope, machineID, label)
	return r.machine(m), err
}

// labelOf is the label that a patch asks for.
func labelOf(patch api.MachinePatch) (string, error) {
	if patch.UserLabel == nil {
		return "", InvalidError("user_label is missing")
	}
	label := strings.TrimSpace(*patch.UserLabel)
	if len(label) > api.MaxLabelBytes || !text.Printable(label) {
		return "", InvalidError("user_label: want at most 256 bytes of printable characters")
	}
	return label, nil
}

func (r *Reports) machine(m store.Machine) api.Machine {
	return api.Machine{
		MachineID: m.MachineID, UserLabel: m.UserLabel, Hostname: m.Hostname, Username: m.Username,
		FirstSeen: m.FirstSeen.UTC(), LastSeen: m.LastSeen.UTC(), Status: Status(&m, r.now()),
		Groups: append([]string{}, m.Groups...),
	}
}

// MachineKeys gives the rows of the machines in a limited scope.
func (r *Reports) MachineKeys(ctx context.Context, scope store.Scope) (map[int32]struct{}, error) {
	return r.store.MachineKeys(ctx, scope)
}

// Status says what a machine was last seen doing.
func Status(m *store.Machine, now time.Time) api.MachineStatus {
	silence := time.Duration(silentIntervals*m.LastInterval)*time.Second + uploadPeriod
	switch {
	case now.Sub(m.LastSeen) > silence:
		return api.MachineOffline
	case m.LastIdle:
		return api.MachineIdle
	default:
		return api.MachineActive
	}
}

// EventsQuestion asks for a page of events; all fields are as the caller wrote
// them.
type EventsQuestion struct{ MachineID, Start, End, Limit, Cursor string }

// Events gives a page of a machine's events.
func (r *Reports) Events(ctx context.Context, scope store.Scope, q EventsQuestion) (api.EventList, error) {
	reply := api.EventList{MachineID: q.MachineID}
	n, err := parseLimit(q.Limit, eventsDefault, eventsMax)
	if err != nil {
		return reply, err
	}
	from, err := parseTime("start", q.Start)
	if err != nil {
		return reply, err
	}
	to, err := parseTime("end", q.End)
	if err != nil {
		return reply, err
	}
	if to.Before(from) {
		return reply, InvalidError("end is before start")
	}
	if q.Cursor != "" {
		if from, err = parseEventsCursor(q.Cursor, from, to); err != nil {
			return reply, err
		}
	}
	if !plausible(q.MachineID) {
		return reply, store.ErrNotFound
	}
	page, err := r.store.Events(ctx, scope, q.MachineID, from, to, n)
	if err != nil {
		return reply, err
	}
	reply.Events = page.Events
	if page.More {
		reply.NextCursor = eventsCursor(page.Events[len(page.Events)-1].Timestamp)
	}
	return reply, nil
}

// Summary sums up a machine's day.
func (r *Reports) Summary(ctx context.Context, scope store.Scope, machineID, date, zone string) (api.Summary, error) {
	day, err := ParseDay(date, zone)
	if err != nil {
		return api.Summary{}, err
	}
	if !plausible(machineID) {
		return api.Summary{}, store.ErrNotFound
	}
	spans, err := r.store.Activity(ctx, scope, machineID, []time.Time{day.Start, day.End}, topApps)
	if err != nil {
		return api.Summary{}, err
	}
	s := spans[0]
	reply := api.Summary{
		MachineID: machineID, Date: day.Date, TZ: day.Zone.String(),
		KeyCount: s.KeyCount, MouseClicks: s.MouseClicks, MouseDistancePx: s.MouseDistancePx,
		ScrollCount: s.ScrollCount, SyntheticCount: s.SyntheticCount,
		ActiveMinutes: minutes(s.ActiveSeconds), IdleMinutes: minutes(s.IdleSeconds),
		ActiveSeconds: millis(s.ActiveSeconds), IdleSeconds: millis(s.IdleSeconds),
		FirstActivity: inUTC(s.First), LastActivity: inUTC(s.Last), TopApps: []api.AppMinutes{},
	}
	for _, a := range s.Apps {
		reply.TopApps = append(reply.TopApps, api.AppMinutes{App: a.App, Minutes: minutes(a.Seconds), Seconds: millis(a.Seconds)})
	}
	return reply, nil
}

// Timeline sums up each hour of a machine's day.
func (r *Reports) Timeline(ctx context.Context, scope store.Scope, machineID, date, zone string) (api.Timeline, error) {
	day, err := ParseDay(date, zone)
	if err != nil {
		return api.Timeline{}, err
	}
	if !plausible(machineID) {
		return api.Timeline{}, store.ErrNotFound
	}
	hours := day.Hours()
	spans, err := r.store.Activity(ctx, scope, machineID, hours, 1)
	if err != nil {
		return api.Timeline{}, err
	}
	reply := api.Timeline{MachineID: machineID, Date: day.Date, TZ: day.Zone.String(), Hours: []api.Hour{}}
	for i, s := range spans {
		h := api.Hour{
			Hour: hours[i].In(day.Zone).Hour(), Start: hours[i].UTC(),
			KeyCount: s.KeyCount, MouseClicks: s.MouseClicks, MouseDistancePx: s.MouseDistancePx,
			ScrollCount: s.ScrollCount, ActiveMinutes: minutes(s.ActiveSeconds), IdleMinutes: minutes(s.IdleSeconds),
		}
		if len(s.Apps) > 0 {
			h.TopApp = s.Apps[0].App
		}
		reply.Hours = append(reply.Hours, h)
	}
	return reply, nil
}

func minutes(seconds float64) int64 { return int64(math.Round(seconds / 60)) }

// millis cuts off what adding up binary fractions leaves behind.
func millis(seconds float64) float64 { return math.Round(seconds*1000) / 1000 }

func inUTC(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	utc := t.UTC()
	return &utc
}

func parseLimit(text string, usual, most int) (int, error) {
	if text == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, InvalidError("limit: want 1 to " + strconv.Itoa(most))
	}
	return n, nil
}

func parseTime(name, given string) (time.Time, error) {
	// A "+" that was not escaped arrives as a space: time zones are written
	// with it, and people forget.
	t, err := timestamp.Parse(strings.ReplaceAll(given, " ", "+"))
	if err != nil {
		return t, InvalidError(name + ": want an RFC 3339 time such as 2024-01-15T00:00:00Z")
	}
	return t, nil
}

// plausible says whether there can be a machine of that name: what could not
// have been stored is not asked for, since PostgreSQL fails on a NUL.
func plausible(machineID string) bool {
	return machineID != "" && len(machineID) <= api.MaxMachineIDBytes && text.Printable(machineID)
}
