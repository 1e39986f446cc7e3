package partition

import (
	"cmp"
	"time"
)

// Retention is for how long each kind of data is kept, by the time of the events;
// zero means for ever.
type Retention struct {
	Events, Titles, Rollups time.Duration
}

// Table is a table that is partitioned by time.
type Table struct {
	Name string
	// prefix begins the partitions' names; empty means the table's.
	prefix string
	// Column is the time that it is partitioned by.
	Column string
	// Key are the columns of its primary key: by machine, but for titles.
	Key [2]string
	// storage is the partitions' storage parameters.
	storage string
	// fullKeys means that rows come in each machine's order: then the pages of
	// their key can be filled to the end.
	fullKeys bool
	// Start returns the start of the partition that a time lies in.
	Start func(time.Time) time.Time
	// Next returns the start of the partition after the one that starts there.
	Next func(time.Time) time.Time
	keep func(Retention) time.Duration
}

// Events lie in days, each of which is dropped once it has been compacted: some
// 25 partitions, and without compaction 415, which plan in a few milliseconds.
// Weeks that an earlier version made stay until then.
func Events() Table {
	return Table{
		Name: "event", Column: "ts", Key: [2]string{"machine", "ts"}, fullKeys: true, Start: DayOf, Next: func(t time.Time) time.Time { return t.AddDate(0, 0, 1) },
		keep: func(r Retention) time.Duration { return r.Events },
	}
}

// EventWeeks are those of events that come long after their day, or a host that
// reports a year at once would wait for 400 partitions. A time that has one of either kind
// gets no other.
func EventWeeks() Table {
	t := Events()
	t.prefix, t.Start, t.Next = "event_week_", weekOf, nextWeek
	return t
}

// Hours of compacted events lie in weeks: months would keep some for a month too long.
// 13 months are 57, of some 50 MB for 1,000 machines.
func Hours() Table {
	return Table{
		Name: "event_hour", Column: "first_ts", Key: [2]string{"machine", "first_ts"}, fullKeys: true, Start: weekOf, Next: nextWeek,
		keep: func(r Retention) time.Duration { return r.Events },
	}
}

// Titles lie in months.
func Titles() Table {
	return Table{
		Name: "title", Column: "month", Key: [2]string{"month", "id"}, Start: monthOf, Next: nextMonth,
		keep: func(r Retention) time.Duration { return r.Titles },
	}
}

// Rollups lie in months; their rows are added to a few times soon after they are made.
func Rollups() Table {
	return Table{
		Name: "rollup", Column: "bucket", Key: [2]string{"machine", "bucket"}, storage: " WITH (fillfactor = 80)", Start: monthOf, Next: nextMonth,
		keep: func(r Retention) time.Duration { return r.Rollups },
	}
}

// All returns all partitioned tables.
func All() []Table {
	return []Table{Events(), Hours(), Titles(), Rollups(), RollupDays()}
}

// weekOf is the Monday, in UTC.
func weekOf(t time.Time) time.Time {
	t = t.UTC()
	y, m, d := t.Date()
	return time.Date(y, m, d-(int(t.Weekday())+6)%7, 0, 0, 0, 0, time.UTC)
}

func monthOf(t time.Time) time.Time {
	y, m, _ := t.UTC().Date()
	return time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
}

func nextWeek(t time.Time) time.Time { return t.AddDate(0, 0, 7) }

func nextMonth(t time.Time) time.Time { return t.AddDate(0, 1, 0) }

// PartitionName returns the name of the partition that starts then.
func (t Table) PartitionName(start time.Time) string {
	return cmp.Or(t.prefix, t.Name+"_") + start.Format("20060102")
}

// oldest is from when on a table's times have partitions of their own.
func (t Table) oldest(r Retention, now time.Time) time.Time {
	keep := t.keep(r)
	if keep == 0 {
		keep = foreverBack
	}
	return now.Add(-keep)
}

// DayOf is the UTC day that a time lies in.
func DayOf(t time.Time) time.Time {
	y, m, d := t.UTC().Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// RollupDays lie in months.
func RollupDays() Table {
	return Table{
		Name: "rollup_day", Column: "day", Key: [2]string{"machine", "day"}, Start: monthOf, Next: nextMonth,
		keep: func(r Retention) time.Duration { return r.Rollups },
	}
}
