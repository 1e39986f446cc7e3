// Package report answers questions about what was stored: which machines there
// are, what they did on a day and in each hour of it, and the events themselves.
package report

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/people"
	"activity-tracker.example/server/internal/store/query"
	"activity-tracker.example/server/internal/text"
)

const (
	// TopApps is how many applications a day names: more than anyone reads.
	TopApps = 20
	// machinesDefault and machinesMax bound a page of machines.
	machinesDefault = 100
	machinesMax     = 1000
	// eventsDefault and eventsMax bound a page of events; a day of minutes is
	// 1,440.
	eventsDefault = 1000
	eventsMax     = 5000
	// silentIntervals and uploadPeriod decide when a machine is offline: it has
	// missed that many intervals, and an upload with the contract's default
	// send_interval_sec would have arrived.
	silentIntervals = 3
	uploadPeriod    = 300 * time.Second
)

// Reports answers questions from one store.
type Reports struct {
	reader    *query.Reader
	directory *directory.Directory
	people    *people.People
	now       func() time.Time
}

// New makes the reports; now is the server's clock.
func New(reader *query.Reader, dir *directory.Directory, p *people.People, now func() time.Time) *Reports {
	return &Reports{reader: reader, directory: dir, people: p, now: now}
}

// MachinesQuestion asks for machines.
type MachinesQuestion struct {
	// Group is the one whose machines are asked for; empty: all.
	Group GroupName
	Page  Page
}

// Machines returns a page of the machines in scope by machine_id.
func (r *Reports) Machines(ctx context.Context, scope directory.Scope, q MachinesQuestion) (api.MachineList, error) {
	q.Page.Limit = cmp.Or(q.Page.Limit, machinesDefault)
	list, next, err := r.machines(ctx, scope, q)
	if next != "" {
		next = encodeCursor(cursorMachines, next)
	}
	return api.MachineList{Machines: list, NextCursor: next}, err
}

// machines returns a page, and after which machine the next begins, if any.
func (r *Reports) machines(ctx context.Context, scope directory.Scope, q MachinesQuestion) (page []api.Machine, next string, err error) {
	n := q.Page.Limit
	list, err := r.directory.Machines(ctx, directory.MachineFilter{Scope: scope, Group: string(q.Group), After: q.Page.After, Limit: n + 1})
	if err != nil {
		return []api.Machine{}, "", err
	}
	if len(list) > n {
		list = list[:n]
		next = list[n-1].MachineID
	}
	page = make([]api.Machine, 0, len(list))
	for _, m := range list {
		access.See(ctx, m.Key)
		page = append(page, r.machine(m))
	}
	return page, next, nil
}

// Machine returns one machine.
func (r *Reports) Machine(ctx context.Context, scope directory.Scope, id MachineID) (api.Machine, error) {
	m, err := r.directory.MachineByID(ctx, scope, string(id))
	return r.machine(m), err
}

// Label names a machine for people; an empty label takes the name away.
func (r *Reports) Label(ctx context.Context, scope directory.Scope, id MachineID, patch api.MachinePatch) (api.Machine, error) {
	label, err := parseLabel("user_label", patch.UserLabel)
	if err != nil {
		return api.Machine{}, err
	}
	m, err := r.directory.SetLabel(ctx, scope, string(id), label)
	return r.machine(m), err
}

// parseLabel reads a label, which must be given; an empty one takes the name away.
func parseLabel(name string, given *string) (string, error) {
	if given == nil {
		return "", InvalidError(name + " is missing")
	}
	label, ok := text.Label(*given, api.MaxLabelBytes)
	if !ok {
		return "", InvalidError(fmt.Sprintf("%s: want at most %d bytes of printable characters", name, api.MaxLabelBytes))
	}
	return label, nil
}

func (r *Reports) machine(m directory.Machine) api.Machine {
	return api.Machine{
		MachineID: m.MachineID, UserLabel: m.UserLabel, Hostname: m.Hostname, Username: m.Username,
		FirstSeen: m.FirstSeen.UTC(), LastSeen: m.LastSeen.UTC(), Status: Status(&m, r.now()),
		Groups: append([]string{}, m.Groups...),
	}
}

// MachineKeys returns the rows of the machines in a limited scope.
func (r *Reports) MachineKeys(ctx context.Context, scope directory.Scope) (map[int32]struct{}, error) {
	return r.reader.MachineKeys(ctx, scope)
}

// GroupKeys returns the rows of a group's machines.
func (r *Reports) GroupKeys(ctx context.Context, scope directory.Scope, name GroupName) (map[int32]struct{}, error) {
	g, err := r.directory.GroupByName(ctx, scope, string(name))
	if err != nil {
		return nil, err
	}
	return r.reader.MachineKeys(ctx, directory.OfGroups([]int32{g.Key}))
}

// Status returns what a machine was last seen doing.
func Status(m *directory.Machine, now time.Time) api.MachineStatus {
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

// Events returns a page of a machine's events.
func (r *Reports) Events(ctx context.Context, scope directory.Scope, q EventsQuestion) (api.EventList, error) {
	reply := api.EventList{MachineID: string(q.MachineID)}
	page, err := r.reader.Events(ctx, scope, string(q.MachineID), q.Start, q.End, cmp.Or(q.Limit, eventsDefault))
	if err != nil {
		return reply, err
	}
	reply.Events = page.Events
	if page.More {
		reply.NextCursor = eventsCursor(page.Events[len(page.Events)-1].Timestamp)
	}
	return reply, nil
}

// DayQuestion asks for a machine's day.
type DayQuestion struct {
	MachineID MachineID
	Day       Day
}

// Summary sums up a machine's day.
func (r *Reports) Summary(ctx context.Context, scope directory.Scope, q DayQuestion) (api.Summary, error) {
	day := q.Day
	activity, err := r.reader.Activity(ctx, scope, string(q.MachineID), []time.Time{day.Start, day.End}, TopApps)
	if err != nil {
		return api.Summary{}, err
	}
	s := activity[0]
	reply := api.Summary{
		MachineID: string(q.MachineID), Date: day.Date, TZ: day.Zone.String(),
		Totals:        s.Counts.Totals(),
		ActiveMinutes: MinuteCount(s.ActiveSeconds), IdleMinutes: MinuteCount(s.IdleSeconds),
		ActiveSeconds: Millis(s.ActiveSeconds), IdleSeconds: Millis(s.IdleSeconds),
		FirstActivity: InUTC(s.First), LastActivity: InUTC(s.Last), TopApps: AppMinutes(s.Apps), Estimated: s.Estimated,
	}
	return reply, nil
}

// AppMinutes returns applications as the API shows them.
func AppMinutes(list []query.AppSeconds) []api.AppMinutes {
	reply := []api.AppMinutes{}
	for _, a := range list {
		reply = append(reply, api.AppMinutes{
			App: a.App, Minutes: MinuteCount(a.Active), Seconds: Millis(a.Active), OpenMinutes: MinuteCount(a.Open), OpenSeconds: Millis(a.Open),
		})
	}
	return reply
}

// Timeline sums up each hour of a machine's day.
func (r *Reports) Timeline(ctx context.Context, scope directory.Scope, q DayQuestion) (api.Timeline, error) {
	day := q.Day
	hours := day.Hours()
	activity, err := r.reader.Activity(ctx, scope, string(q.MachineID), hours, 1)
	if err != nil {
		return api.Timeline{}, err
	}
	reply := api.Timeline{MachineID: string(q.MachineID), Date: day.Date, TZ: day.Zone.String(), Hours: []api.Hour{}}
	for i, s := range activity {
		reply.Hours = append(reply.Hours, HourOf(hours[i], day.Zone, s))
	}
	return reply, nil
}

// HourOf is an entry of a timeline.
func HourOf(start time.Time, zone *time.Location, s query.Activity) api.Hour {
	h := api.Hour{
		Hour: start.In(zone).Hour(), Start: start.UTC(),
		InputTotals: s.Counts.Totals().InputTotals, ActiveMinutes: MinuteCount(s.ActiveSeconds), IdleMinutes: MinuteCount(s.IdleSeconds),
	}
	if len(s.Apps) > 0 && s.Apps[0].Active > 0 {
		h.TopApp = s.Apps[0].App
	}
	return h
}

// MinuteCount returns seconds in minutes, rounded.
func MinuteCount(seconds float64) int64 { return int64(math.Round(seconds / 60)) }

// Millis cuts off what adding up binary fractions leaves behind.
func Millis(seconds float64) float64 { return math.Round(seconds*1000) / 1000 }

// InUTC returns a time in UTC, nil of nil.
func InUTC(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	utc := t.UTC()
	return &utc
}
