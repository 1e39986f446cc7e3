package collect

import (
	"context"
	"time"

	"activity-tracker.example/hostd/hoststat"
	"activity-tracker.example/hostd/interval"
)

// statsKept is how many intervals' samples are kept: records are sealed within
// the grace after their interval, which with the shortest interval (5 s) spans
// two more, and one is margin.
const statsKept = 4

// statsByInterval are the latest samples, by the interval at whose end they
// were taken.
type statsByInterval struct {
	last    int64 // start of the interval that is running
	samples []intervalStats
}

type intervalStats struct {
	start int64
	stats hoststat.Stats
}

// sampleIfOver measures once when an interval has ended.
func (c *Collector) sampleIfOver(ctx context.Context, now time.Time) {
	current := now.Truncate(c.o.Interval).Unix()
	if c.stats.last == current {
		return
	}
	ended := c.stats.last
	c.stats.last = current
	if ended > 0 && ended+int64(c.o.Interval/time.Second) == current {
		c.sample(ctx, ended)
	} else {
		c.sample(ctx, 0) // the clock was set: begin again
	}
}

// sample measures for the interval that started at start; zero: for none.
func (c *Collector) sample(ctx context.Context, start int64) {
	if c.o.Stats == nil {
		return
	}
	stats, err := c.o.Stats.Sample(ctx)
	if err != nil {
		c.o.Log.Debug("the host could not be measured in full", "error", err)
	}
	if start == 0 {
		return
	}
	c.stats.samples = append(c.stats.samples, intervalStats{start: start, stats: stats})
	if n := len(c.stats.samples) - statsKept; n > 0 {
		c.stats.samples = c.stats.samples[n:]
	}
}

// fill adds the figures of the record's own interval; a record that is late
// has none.
func (s *statsByInterval) fill(r *interval.Sealed) {
	for i := range s.samples {
		if s.samples[i].start != r.Event.Timestamp.Unix() {
			continue
		}
		st := &s.samples[i].stats
		r.Event.CPUPercent, r.Event.RAMUsedPercent, r.Event.DiskUsedPercent = st.CPUPercent, st.RAMUsedPercent, st.DiskUsedPercent
		if st.Users == nil {
			return
		}
		u := st.Users[r.UID] // zero where the user has no process any more
		r.Event.UserCPUPercent, r.Event.UserRAMBytes = &u.CPUPercent, &u.RAMBytes
		return
	}
}
