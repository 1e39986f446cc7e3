package query

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/codec"
	"activity-tracker.example/server/internal/store/db"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/minutes"
	"activity-tracker.example/server/internal/store/partition"
	"activity-tracker.example/server/internal/store/people"
)

// longestRecord is for how long before a time a record may begin that reaches it.
const longestRecord = api.MaxIntervalSec * time.Second

// PersonTime is what somebody did, of those of their accounts that are in scope.
type PersonTime struct {
	// Partial means that they have other accounts.
	Partial bool
	// Grid has their minutes.
	Grid *minutes.Grid
	// Estimated means that of some of the time no events are kept, and quarters of an
	// hour are spread over their minutes.
	Estimated bool
}

// KeptFrom returns from when on all events are kept that there were: by this server's
// settings, or by those of another that has dropped more.
func KeptFrom(ctx context.Context, tx pgx.Tx, p *partition.Partitions) (time.Time, error) {
	from := p.KeptFrom()
	var before *time.Time
	if err := tx.QueryRow(ctx, "SELECT max(events_before) FROM dropped").Scan(&before); err != nil {
		return from, fmt.Errorf("asking which events were dropped: %w", err)
	}
	if before != nil {
		for _, t := range []partition.Table{partition.Events(), partition.Hours()} {
			if next := t.Next(t.Start(*before)); next.After(from) {
				from = next
			}
		}
	}
	return from, nil
}

// PersonMinutes returns what somebody did in each minute from one time to before
// another, or people.ErrNone where none of their accounts is in scope.
func (r *Reader) PersonMinutes(ctx context.Context, scope directory.Scope, person int64, from, to time.Time) (PersonTime, error) {
	var t PersonTime
	err := r.db.Report(ctx, "reading a person's minutes", SeeingEvents(ctx, SeeingRollups(ctx, func(tx pgx.Tx) error {
		p, err := people.Find(ctx, tx, scope, person)
		if err != nil {
			return err
		}
		t, err = r.personTime(ctx, tx, p, from, to)
		return err
	})))
	return t, err
}

// PersonActivity sums up somebody's accounts in scope in consecutive spans of time, as
// Activity does for one: counts and applications add up, and time that accounts share
// counts once. What of a span's minutes is recorded and not active is idle.
func (r *Reader) PersonActivity(ctx context.Context, scope directory.Scope, person int64, bounds []time.Time, apps int) ([]Span, PersonTime, error) {
	spans := make([]Span, max(len(bounds)-1, 0))
	var t PersonTime
	err := r.db.Report(ctx, "summing up a person", SeeingEvents(ctx, SeeingRollups(ctx, func(tx pgx.Tx) error {
		clear(spans)
		p, err := people.Find(ctx, tx, scope, person)
		if err != nil || len(spans) == 0 {
			return err
		}
		list := make([]codec.Sums, len(spans))
		q := spanQuery{machines: keysOf(p), bounds: bounds, counts: true, apps: true}
		if err := q.sum(ctx, tx, func(_ int32, span int) *codec.Sums { return &list[span] }); err != nil {
			return err
		}
		if err := nameSpans(ctx, tx, list, spans, apps); err != nil {
			return err
		}
		if t, err = r.personTime(ctx, tx, p, bounds[0], bounds[len(bounds)-1]); err != nil {
			return err
		}
		for i := range spans {
			active, idle := t.Grid.Sum(bounds[i], bounds[i+1])
			spans[i].ActiveSeconds, spans[i].IdleSeconds = codec.Seconds(active), codec.Seconds(idle)
		}
		return nil
	})))
	return spans, t, err
}

func keysOf(p people.Person) []int32 {
	keys := make([]int32, len(p.Accounts))
	for i := range p.Accounts {
		keys[i] = p.Accounts[i].Key
	}
	return keys
}

// personTime reads the minutes of a person's accounts: from events where they are kept,
// else from roll-ups.
func (r *Reader) personTime(ctx context.Context, tx pgx.Tx, p people.Person, from, to time.Time) (PersonTime, error) {
	t := PersonTime{Partial: p.Partial, Grid: minutes.NewGrid(from, to)}
	for _, key := range keysOf(p) {
		account, estimated, err := r.accountTime(ctx, tx, key, from, to)
		if err != nil {
			return t, err
		}
		t.Estimated = t.Estimated || estimated
		t.Grid.Join(account)
	}
	return t, nil
}

// accountTime reads an account's minutes from its roll-ups. Where an older server wrote
// to one they are made of its events, or, where those are no longer kept, estimated: the
// quarter of an hour is spread over its minutes.
func (r *Reader) accountTime(ctx context.Context, tx pgx.Tx, key int32, from, to time.Time) (account *minutes.Grid, estimated bool, err error) {
	account = minutes.NewGrid(from, to)
	// A record may reach this from a quarter before.
	list, err := quarters(ctx, tx, key, from.Add(-longestRecord).Truncate(codec.BucketLength), to)
	if err != nil {
		return nil, false, err
	}
	var kept time.Time
	for _, k := range list.Keys() {
		if q, whole := list[k].KnownMinutes(); whole {
			account.AddQuarter(k.Bucket, &q)
			continue
		}
		if kept.IsZero() {
			if kept, err = KeptFrom(ctx, tx, r.partitions); err != nil {
				return nil, false, err
			}
		}
		start := time.UnixMicro(k.Bucket).UTC()
		if start.Before(kept) {
			estimated = true
			account.Add(spread(k.Bucket, list[k]))
			continue
		}
		err := WalkEvents(ctx, tx, key, start, start.Add(codec.BucketLength), 0, func(e *api.Event, _ *codec.Refs) error {
			account.Add(codec.RecordOf(e))
			return nil
		})
		if err != nil {
			return nil, false, err
		}
	}
	return account, estimated, nil
}

// spread is a roll-up of which the minutes are lacking.
func spread(bucket int64, sum *codec.Sums) minutes.Record {
	length := codec.BucketLength.Milliseconds()
	return minutes.Record{Start: bucket, LengthMS: length, ActiveMS: min(sum.ActiveMS, length), Rest: minutes.NoInput}
}

// quarters reads an account's roll-ups of both kinds: how many events, how long they
// were active, and their minutes.
func quarters(ctx context.Context, tx pgx.Tx, key int32, from, to time.Time) (codec.Buckets, error) {
	type row struct {
		Bucket  time.Time
		Events  int64
		Active  int64
		Minutes []byte
	}
	list := codec.Buckets{}
	rows, err := db.Collect[row](ctx, tx, "reading minutes", "SELECT bucket, events, active_ms, minutes FROM rollup WHERE machine = $1 AND bucket >= $2 AND bucket < $3", key, from, to)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		list.At(key, r.Bucket.UnixMicro()).Merge(&codec.Sums{Events: r.Events, ActiveMS: r.Active, Minutes: r.Minutes})
	}
	type packed struct {
		Machine int32
		Day     time.Time
		Body    []byte
	}
	days, err := db.Collect[packed](ctx, tx, "reading packed minutes", packedDaysSQL, []int32{key}, partition.DayOf(from), partition.DayOf(to))
	if err != nil {
		return nil, err
	}
	for _, d := range days {
		err := codec.DecodeDay(d.Day, d.Body, codec.DayParts{Counts: true, Minutes: true}, func(bucket int64) *codec.Sums {
			if bucket < from.UnixMicro() || bucket >= to.UnixMicro() {
				return nil
			}
			return list.At(key, bucket)
		})
		if err != nil {
			return nil, fmt.Errorf("roll-ups of machine %d on %s: %w", key, d.Day.Format(time.DateOnly), err)
		}
	}
	return list, nil
}

// PersonPlace is a place among the events of a person, in the order of their times and
// then of machine_ids.
type PersonPlace struct {
	At time.Time
	// After is the machine_id of the last event at that time that came before; empty:
	// none did.
	After string
}

// PersonPage is a run of the events of a person.
type PersonPage struct {
	Page
	Partial bool
}

// accountEvents bounds from below how many events of each account a page reads.
const accountEvents = 50

// PersonEvents returns the events of a person's accounts in scope from a place on and
// before a time, at most limit. There may be fewer although there are more.
func (r *Reader) PersonEvents(ctx context.Context, scope directory.Scope, person int64, from PersonPlace, to time.Time, limit int) (PersonPage, error) {
	var page PersonPage
	err := r.db.Report(ctx, "reading a person's events", SeeingEvents(ctx, func(tx pgx.Tx) error {
		page = PersonPage{Page: Page{Events: []api.Event{}}}
		p, err := people.Find(ctx, tx, scope, person)
		if err != nil || len(p.Accounts) == 0 {
			return err
		}
		page.Partial = p.Partial
		each := min(limit, max(accountEvents, limit/len(p.Accounts)))
		lists := make([]Page, len(p.Accounts))
		for i, m := range p.Accounts {
			start := from.At
			if m.MachineID <= from.After {
				start = After(start)
			}
			if lists[i], err = eventsOf(ctx, tx, m, start, to, each); err != nil {
				return err
			}
		}
		page.Page = merge(lists, limit)
		return nil
	}))
	return page, err
}

// merge joins pages of several accounts, as far as all of them reach.
func merge(lists []Page, limit int) Page {
	page := Page{Events: []api.Event{}}
	for {
		first := -1
		for i := range lists {
			if len(lists[i].Events) == 0 {
				if lists[i].More {
					page.More = true
					return page
				}
				continue
			}
			if first < 0 || byPlace(&lists[i].Events[0], &lists[first].Events[0]) < 0 {
				first = i
			}
		}
		if first < 0 {
			return page
		}
		if len(page.Events) == limit {
			page.More = true
			return page
		}
		page.Events = append(page.Events, lists[first].Events[0])
		lists[first].Events = lists[first].Events[1:]
	}
}

func byPlace(a, b *api.Event) int {
	return cmp.Or(a.Timestamp.Compare(b.Timestamp), cmp.Compare(a.MachineID, b.MachineID))
}
