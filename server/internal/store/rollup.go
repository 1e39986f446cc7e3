package store

import (
	"math"
	"slices"
	"strconv"
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
	length := intervalOf(e) * secondsScale
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
		tell(r.active, intervalOf(e)*secondsScale)
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

// addRollups adds sums to what the database has.
const addRollups = `
	INSERT INTO rollup AS r (machine, bucket, events, key_count, mouse_clicks, mouse_distance_px, scroll_count,
		synthetic_count, active_ms, idle_ms, first_at, last_at, apps, app_ms)
	SELECT n.machine, n.bucket, n.events, n.keys, n.clicks, n.distance, n.scroll, n.synthetic, n.active, n.idle,
		n.first_at, n.last_at, n.apps::int[], n.app_ms::bigint[]
	FROM unnest($1::int[], $2::timestamptz[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
		$8::bigint[], $9::bigint[], $10::bigint[], $11::timestamptz[], $12::timestamptz[], $13::text[], $14::text[])
		AS n(machine, bucket, events, keys, clicks, distance, scroll, synthetic, active, idle, first_at, last_at, apps, app_ms)
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
		(apps, app_ms) = (
			SELECT coalesce(array_agg(a.app ORDER BY a.app), '{}'), coalesce(array_agg(a.ms ORDER BY a.app), '{}')
			FROM (SELECT u.app, sum(u.ms)::bigint AS ms
				FROM unnest(r.apps || excluded.apps, r.app_ms || excluded.app_ms) AS u(app, ms) GROUP BY u.app) a)`

// queue queues the statement that adds these sums.
func (b buckets) queue(batch *pgx.Batch) {
	list := b.keys()
	n := len(list)
	machine, bucket := make([]int32, n), make([]time.Time, n)
	var counts [8][]int64
	for i := range counts {
		counts[i] = make([]int64, n)
	}
	first, last := make([]*time.Time, n), make([]*time.Time, n)
	apps, appMS := make([]string, n), make([]string, n)
	for i, k := range list {
		t := b[k]
		machine[i], bucket[i] = k.machine, time.UnixMicro(k.bucket)
		for j, v := range [...]int64{t.events, t.keys, t.clicks, t.distance, t.scroll, t.synthetic, t.activeMS, t.idleMS} {
			counts[j][i] = v
		}
		first[i], last[i] = instant(t.first), instant(t.last)
		apps[i], appMS[i] = t.appArrays()
	}
	batch.Queue(addRollups, machine, bucket, counts[0], counts[1], counts[2], counts[3], counts[4],
		counts[5], counts[6], counts[7], first, last, apps, appMS)
}

// instant is nil for zero microseconds.
func instant(micros int64) *time.Time {
	if micros == 0 {
		return nil
	}
	t := time.UnixMicro(micros).UTC()
	return &t
}

// appArrays gives the applications and their times as PostgreSQL's text of
// arrays: unnest takes no arrays of arrays of different lengths.
func (t *sums) appArrays() (apps, ms string) {
	ids := make([]uint64, 0, len(t.appMS))
	for app := range t.appMS {
		ids = append(ids, app)
	}
	slices.Sort(ids)
	var a, m strings.Builder
	sep := byte('{')
	for _, id := range ids {
		a.WriteByte(sep)
		m.WriteByte(sep)
		a.WriteString(strconv.FormatUint(id, 10))
		m.WriteString(strconv.FormatInt(t.appMS[id], 10))
		sep = ','
	}
	if len(ids) == 0 {
		return "{}", "{}"
	}
	return a.String() + "}", m.String() + "}"
}
