package store

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
)

// bucketLength is the grain of roll-ups: the offsets of all time zones since 2000
// are multiples of it, so that it never straddles a local hour.
const bucketLength = 15 * time.Minute

// bucketKey names a roll-up: a machine, and a bucket's start in Unix
// microseconds.
type bucketKey struct {
	machine int32
	bucket  int64
}

// sums are what a span of one machine's time adds up to, in whole milliseconds,
// so that the order of adding changes nothing.
type sums struct {
	events, keys, clicks, distance, scroll, synthetic int64
	activeMS, idleMS                                  int64
	// first and last are Unix microseconds; zero where there was no activity.
	first, last int64
	// appMS is the focus time of each application.
	appMS map[uint64]int64
}

// bucketOf gives the start of the bucket that a time in Unix microseconds lies in.
func bucketOf(micros int64) int64 { return micros - micros%bucketLength.Microseconds() }

func toMillis(seconds float64) int64 { return int64(math.Round(seconds * secondsScale)) }

// add adds one event. It is the only place that says what an event counts for:
// its active seconds are those that it tells, else its whole interval unless it
// is idle; its focus list tells the applications, else its active one counts for
// the interval.
func (t *sums) add(micros int64, e *api.Event, r *refs) {
	t.events++
	t.keys += e.KeyCount
	t.clicks += e.MouseClicks
	t.distance += e.MouseDistancePx
	t.scroll += e.ScrollCount
	if e.SyntheticCount != nil {
		t.synthetic += *e.SyntheticCount
	}
	length := e.Interval() * secondsScale
	active := length
	switch {
	case e.ActiveSeconds != nil:
		active = min(toMillis(*e.ActiveSeconds), length)
	case e.IsIdle:
		active = 0
	}
	t.activeMS += active
	t.idleMS += length - active
	if e.ActiveSeconds != nil && *e.ActiveSeconds > 0 || e.KeyCount+e.MouseClicks+e.MouseDistancePx+e.ScrollCount > 0 {
		if t.first == 0 || micros < t.first {
			t.first = micros
		}
		t.last = max(t.last, micros)
	}
	eachUse(e, r, func(use useRef, ms int64) { t.addApp(use.app, ms) })
}

// eachUse tells for how many milliseconds an event says that each application and
// title had the focus: its focus list, else its active ones for the interval.
func eachUse(e *api.Event, r *refs, tell func(useRef, int64)) {
	if len(e.Focus) == 0 {
		tell(r.active, e.Interval()*secondsScale)
		return
	}
	for i := range e.Focus {
		tell(r.focus[i], toMillis(e.Focus[i].Seconds))
	}
}

func (t *sums) addApp(app uint64, ms int64) {
	if app == 0 || ms == 0 {
		return
	}
	if t.appMS == nil {
		t.appMS = make(map[uint64]int64)
	}
	t.appMS[app] += ms
}

// merge adds what others add up to.
func (t *sums) merge(o *sums) {
	t.events += o.events
	t.keys += o.keys
	t.clicks += o.clicks
	t.distance += o.distance
	t.scroll += o.scroll
	t.synthetic += o.synthetic
	t.activeMS += o.activeMS
	t.idleMS += o.idleMS
	t.noteActivity(o.first, o.last)
	for app, ms := range o.appMS {
		t.addApp(app, ms)
	}
}

// noteActivity widens the time of activity by another; zeros are none.
func (t *sums) noteActivity(first, last int64) {
	if first != 0 && (t.first == 0 || first < t.first) {
		t.first = first
	}
	t.last = max(t.last, last)
}

// sameAs says whether two sums are equal.
func (t *sums) sameAs(o *sums) bool {
	if len(t.appMS) != len(o.appMS) {
		return false
	}
	for app, ms := range t.appMS {
		if o.appMS[app] != ms {
			return false
		}
	}
	a, b := *t, *o
	return a.events == b.events && a.keys == b.keys && a.clicks == b.clicks && a.distance == b.distance &&
		a.scroll == b.scroll && a.synthetic == b.synthetic && a.activeMS == b.activeMS && a.idleMS == b.idleMS &&
		a.first == b.first && a.last == b.last
}

// buckets are sums by machine and bucket.
type buckets map[bucketKey]*sums

func (b buckets) add(machine int32, micros int64, e *api.Event, r *refs) {
	b.at(machine, bucketOf(micros)).add(micros, e, r)
}

// at gives the sums of a bucket, none where there were none.
func (b buckets) at(machine int32, bucket int64) *sums {
	k := bucketKey{machine, bucket}
	t := b[k]
	if t == nil {
		t = &sums{}
		b[k] = t
	}
	return t
}

// keys gives the buckets in order.
func (b buckets) keys() []bucketKey {
	list := make([]bucketKey, 0, len(b))
	for k := range b {
		list = append(list, k)
	}
	slices.SortFunc(list, func(x, y bucketKey) int {
		if x.machine != y.machine {
			return int(x.machine) - int(y.machine)
		}
		return int((x.bucket - y.bucket) / bucketLength.Microseconds())
	})
	return list
}

// appsJoinedFrom is how many entries a roll-up's arrays of applications have before
// those of one application are joined: joining took a third of the time of adding
// to a roll-up, which happens some three times until its quarter of an hour is
// over. Until then an application may come more than once; readers add up.
const appsJoinedFrom = "24"

// addRollups adds sums to what a table, rollup or a partition of it, has. from are
// more tables of FROM, each with its comma: where they are empty nothing happens.
func addRollups(table, from string, args *arguments, sum buckets) string {
	c := arraysOf(sum)
	apps, times := args.add(c.apps), args.add(c.appMS)
	var columns strings.Builder
	for i := range c.counts {
		columns.WriteString(args.add(c.counts[i]) + "::bigint[], ")
	}
	// unnest takes no arrays of arrays of different lengths: each row has a part
	// of one array, which is empty where it begins after its end.
	return `INSERT INTO ` + table + ` AS r (machine, bucket, events, key_count, mouse_clicks, mouse_distance_px, scroll_count,
		synthetic_count, active_ms, idle_ms, first_at, last_at, apps, app_ms)
	SELECT n.machine, n.bucket, n.events, n.keys, n.clicks, n.distance, n.scroll, n.synthetic, n.active, n.idle,
		n.first_at, n.last_at, (` + apps + `::int[])[n.begins:n.ends], (` + times + `::bigint[])[n.begins:n.ends]
	FROM ` + from + `unnest(` + args.add(c.machines) + `::int[], ` + args.add(c.buckets) + `::timestamptz[], ` + columns.String() +
		args.add(c.first) + `::timestamptz[], ` + args.add(c.last) + `::timestamptz[], ` + args.add(c.begins) + `::int[], ` + args.add(c.ends) + `::int[])
		AS n(machine, bucket, events, keys, clicks, distance, scroll, synthetic, active, idle, first_at, last_at, begins, ends)
	ON CONFLICT (machine, bucket) DO UPDATE SET
		events = r.events + excluded.events,
		key_count = r.key_count + excluded.key_count,
		mouse_clicks = r.mouse_clicks + excluded.mouse_clicks,
		mouse_distance_px = r.mouse_distance_px + excluded.mouse_distance_px,
		scroll_count = r.scroll_count + excluded.scroll_count,
		synthetic_count = r.synthetic_count + excluded.synthetic_count,
		active_ms = r.active_ms + excluded.active_ms,
		idle_ms = r.idle_ms + excluded.idle_ms,
		first_at = least(r.first_at, excluded.first_at),
		last_at = greatest(r.last_at, excluded.last_at),
		apps = CASE WHEN cardinality(r.apps) < ` + appsJoinedFrom + ` THEN r.apps || excluded.apps ELSE ARRAY(
			SELECT u.app FROM unnest(r.apps || excluded.apps) AS u(app) GROUP BY u.app ORDER BY u.app) END,
		app_ms = CASE WHEN cardinality(r.apps) < ` + appsJoinedFrom + ` THEN r.app_ms || excluded.app_ms ELSE ARRAY(
			SELECT sum(u.ms)::bigint FROM unnest(r.apps || excluded.apps, r.app_ms || excluded.app_ms) AS u(app, ms)
			GROUP BY u.app ORDER BY u.app) END`
}

// rollupArrays are sums as arrays for unnest.
type rollupArrays struct {
	machines    []int32
	buckets     []time.Time
	counts      [8][]int64
	first, last []*time.Time
	// apps and appMS are those of all rows, one after the other; a row's begin
	// and end at these places, counted from 1.
	apps         []int32
	appMS        []int64
	begins, ends []int32
}

func arraysOf(b buckets) *rollupArrays {
	list := b.keys()
	n := len(list)
	c := &rollupArrays{
		machines: make([]int32, n), buckets: make([]time.Time, n), first: make([]*time.Time, n), last: make([]*time.Time, n),
		apps: []int32{}, appMS: []int64{}, begins: make([]int32, n), ends: make([]int32, n),
	}
	for i := range c.counts {
		c.counts[i] = make([]int64, n)
	}
	for i, k := range list {
		t := b[k]
		c.machines[i], c.buckets[i] = k.machine, time.UnixMicro(k.bucket)
		for j, v := range [...]int64{t.events, t.keys, t.clicks, t.distance, t.scroll, t.synthetic, t.activeMS, t.idleMS} {
			c.counts[j][i] = v
		}
		c.first[i], c.last[i] = instant(t.first), instant(t.last)
		c.begins[i] = int32(len(c.apps)) + 1
		for _, app := range slices.Sorted(maps.Keys(t.appMS)) {
			c.apps, c.appMS = append(c.apps, int32(app)), append(c.appMS, t.appMS[app])
		}
		c.ends[i] = int32(len(c.apps))
	}
	return c
}

// queueSums queues the statement that adds these sums.
func queueSums(batch *pgx.Batch, b buckets) {
	var args arguments
	batch.Queue(addRollups("rollup", "", &args, b), args...)
}

// instant is nil for zero microseconds.
func instant(micros int64) *time.Time {
	if micros == 0 {
		return nil
	}
	t := time.UnixMicro(micros).UTC()
	return &t
}
