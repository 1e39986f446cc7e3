package interval

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/hostd/logind"
	"activity-tracker.example/hostd/reading"
	"activity-tracker.example/hostd/roster"
	"activity-tracker.example/server/api"
	"activity-tracker.example/sessiond/wire"
)

const t0 = 1_800_000_000 // a whole hour

func at(sec float64) time.Time { return time.UnixMilli(int64((t0 + sec) * 1000)) }

// say returns a report of the helper that started at t0-1, made sec after t0 and
// for the minute start seconds after t0.
func say(start int64, sec float64, keys uint64, focus ...wire.Focus) reading.Reading {
	return reading.Reading{
		Session: roster.Tracked{
			Key: logind.SessionKey{ID: "c1", Leader: 1, SinceUnixMicro: 1}, MachineID: "vm-abc123-ann", Username: "ann", UID: 1000, Kind: api.SessionRDP,
		},
		Connected: new(true),
		Report: wire.Report{
			StartedUnixNano: (t0 - 1) * 1e9, TimeUnixMilli: at(sec).UnixMilli(), IntervalStartUnix: t0 + start,
			Counters: wire.Counters{Keys: keys, ActiveMS: keys * 10}, Focus: focus,
		},
	}
}

func minute() Options { return Options{Length: time.Minute, IdleAfter: 3 * time.Minute} }

type counted struct {
	start int64
	keys  int64
}

func keysOf(sealed []Sealed) []counted {
	var out []counted
	for _, s := range sealed {
		out = append(out, counted{s.Event.Timestamp.Unix() - t0, s.Event.KeyCount})
	}
	return out
}

// step is one thing that happens, at a time of the daemon's clock: a reading
// comes, or records are sealed and the daemon restarts.
type step struct {
	at float64
	r  *reading.Reading
}

func fold(at float64, r reading.Reading) step { return step{at, &r} }
func seal(at float64) step                    { return step{at: at} }

func TestWhereAReadingCounts(t *testing.T) {
	const far = 10 * 365 * 86400
	tests := []struct {
		name  string
		o     Options
		steps []step
		want  []counted
		ahead time.Duration
	}{
		{"one minute", minute(), []step{fold(5, say(0, 5, 3)), fold(60, say(0, 60, 7)), seal(60)}, []counted{{0, 7}}, 0},
		{"not before the session reported past the end", minute(), []step{fold(59, say(0, 59, 7)), seal(60), seal(69.9)}, nil, 0},
		{"the grace is over", minute(), []step{fold(59, say(0, 59, 7)), seal(70)}, []counted{{0, 7}}, 0},
		{
			"two minutes, each its own", minute(),
			[]step{fold(60, say(0, 60, 7)), seal(60), fold(70, say(60, 70, 9)), fold(120, say(60, 120, 10)), seal(120)},
			[]counted{{0, 7}, {60, 3}},
			0,
		},
		{
			"late for a sealed minute: the open one", minute(),
			[]step{fold(30, say(0, 30, 7)), seal(70), fold(71, say(0, 60, 9)), fold(120, say(60, 120, 9)), seal(120)},
			[]counted{{0, 7}, {60, 2}},
			0,
		},
		{
			"late for minutes that were never sealed: their own", minute(),
			[]step{
				fold(60, say(0, 60, 7)), seal(60), fold(200, say(60, 120, 9)), fold(200, say(120, 180, 10)),
				fold(200, say(180, 200, 11)), seal(200), seal(250),
			},
			[]counted{{0, 7}, {60, 2}, {120, 1}, {180, 1}},
			0,
		},
		{
			"said again after it was handed out: no record", minute(),
			[]step{fold(60, say(0, 60, 7)), seal(60), fold(61, say(0, 55, 6)), fold(61, say(0, 60, 7)), seal(200)},
			[]counted{{0, 7}},
			0,
		},
		{"from the far past: now", minute(), []step{fold(5, say(-2*86400, 5, 3)), seal(70)}, []counted{{0, 3}}, 0},
		{"from the future: now", minute(), []step{fold(5, say(86400, 5, 3)), seal(70)}, []counted{{0, 3}}, 0},
		{"not aligned", minute(), []step{fold(25, say(17, 25, 3)), seal(70)}, []counted{{0, 3}}, 0},
		{
			"a small step back of the clock", minute(),
			[]step{fold(60, say(0, 60, 7)), seal(60), fold(58, say(0, 58, 8)), seal(58.5), fold(120, say(60, 120, 9)), seal(120)},
			[]counted{{0, 7}, {60, 2}},
			0,
		},
		{
			"a wrong year, put right", minute(),
			[]step{fold(far+5, say(far, far+5, 3)), seal(far + 5), fold(5, say(0, 5, 4)), seal(6), seal(70)},
			[]counted{{0, 4}},
			0,
		},
		{
			"a wrong year that was reported, put right", minute(),
			[]step{fold(far+60, say(far, far+60, 3)), seal(far + 60), fold(5, say(0, 5, 4)), seal(70)},
			[]counted{{far, 3}, {0, 1}},
			0,
		},
		{
			"set back into reported time: waits, loses nothing", minute(),
			[]step{fold(60, say(0, 60, 1)), seal(60), fold(120, say(60, 120, 2)), seal(120), fold(30, say(0, 30, 5)), seal(31)},
			[]counted{{0, 1}, {60, 1}},
			89 * time.Second,
		},
		{
			"and is sealed when the time has passed", minute(),
			[]step{fold(60, say(0, 60, 1)), seal(60), fold(30, say(0, 30, 5)), seal(31), fold(120, say(60, 120, 6)), seal(120)},
			[]counted{{0, 1}, {60, 5}},
			0,
		},
		{
			"an older helper than the store",
			Options{Length: time.Minute, Epoch: at(0)},
			[]step{fold(30, say(0, 30, 5)), fold(60, say(0, 60, 7)), seal(60)},
			[]counted{{0, 2}},
			0,
		},
		{
			"a store from the future distrusts nothing",
			Options{Length: time.Minute, Epoch: at(86400), Floor: at(86400)},
			[]step{fold(60, say(0, 60, 7)), seal(60)},
			[]counted{{0, 7}},
			0,
		},
		{
			"an earlier store may have reported this minute",
			Options{Length: time.Minute, Floor: at(20)},
			[]step{fold(60, say(0, 60, 7)), seal(70), fold(120, say(60, 120, 9)), seal(120)},
			[]counted{{60, 9}},
			0,
		},
		{
			"counters that go backwards", minute(),
			[]step{fold(10, say(0, 10, 7)), fold(20, say(0, 20, 2)), fold(60, say(0, 60, 8)), seal(60)},
			[]counted{{0, 8}},
			0,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := New(tt.o, State{})
			var got []Sealed
			var now time.Time
			for _, s := range tt.steps {
				if now = at(s.at); s.r != nil {
					l.Fold(*s.r, now)
					continue
				}
				got = append(got, l.Seal(now)...)
				l.Commit()
				l = New(tt.o, roundTrip(t, l.All()))
			}
			if k := keysOf(got); !reflect.DeepEqual(k, tt.want) {
				t.Errorf("sealed %v, want %v", k, tt.want)
			}
			if a := l.Ahead(now); a != tt.ahead {
				t.Errorf("ahead %v, want %v", a, tt.ahead)
			}
		})
	}
}

func TestEvent(t *testing.T) {
	l := New(minute(), State{})
	one := say(0, 60, 4, wire.Focus{App: "xterm", Title: "vi", DurationMS: 20_001, ActiveMS: 20_001},
		wire.Focus{App: "ff", Title: "a", DurationMS: 19_999, ActiveMS: 10_000})
	one.Report.Counters = wire.Counters{Keys: 4, Clicks: 3, ScrollSteps: 2, DistancePx: 1, Synthetic: 9, ActiveMS: 40_001}
	one.Report.IdleMS = 1
	two := one
	two.Report.Counters.Repeats = 25
	two.Session.Key.ID, two.Connected = "c2", new(false)
	two.Report.IdleMS = 10 * 60_000
	two.Report.Focus = []wire.Focus{{App: "ff", Title: "a", DurationMS: 20_000, ActiveMS: 10_000}, {App: "zero"}}
	l.Fold(one, at(60))
	l.Fold(two, at(60))
	got := l.Seal(at(60))
	if len(got) != 1 {
		t.Fatalf("%d events", len(got))
	}
	sec, active, synth, conn := int64(60), 60.0, int64(18), true
	want := api.Event{
		MachineID: "vm-abc123-ann", Timestamp: at(0).UTC(), KeyCount: 8, MouseClicks: 6, MouseDistancePx: 2, ScrollCount: 4,
		ActiveWindow: "a", ActiveApp: "ff", IntervalSec: &sec, ActiveSeconds: &active, Connected: &conn,
		SessionKind: api.SessionRDP, SyntheticCount: &synth, RepeatCount: new(int64(25)), Username: "ann",
		Focus: []api.Focus{
			{App: "ff", Title: "a", Seconds: 39.999, ActiveSeconds: new(20.0)},
			{App: "xterm", Title: "vi", Seconds: 20.001, ActiveSeconds: new(20.001)},
		},
	}
	if !reflect.DeepEqual(got[0].Event, want) {
		t.Errorf("got  %+v\nwant %+v", got[0].Event, want)
	}
	if got[0].UID != 1000 {
		t.Errorf("uid %d", got[0].UID)
	}
}

// TestWindowsShareTheTime: whatever helpers report of one person's windows, they are
// in front for no longer than the interval, and active for no longer than the
// person was.
func TestWindowsShareTheTime(t *testing.T) {
	const unseen = wire.ActiveUnknown
	type window struct {
		app                    string
		open, active           uint64  // as reported, ms
		seconds, activeSeconds float64 // as the event has them; below 0: absent
	}
	for _, tt := range []struct {
		name    string
		active  uint64 // the person's, ms
		windows []window
	}{
		{"nobody there", 21_000, []window{{"a", 44_000, 21_000, 44, 21}, {"b", 16_000, 0, 16, 0}}},
		{"two sessions at once", 60_000, []window{{"a", 60_000, 60_000, 30, 30}, {"b", 60_000, 60_000, 30, 30}}},
		{"one session left alone", 60_000, []window{{"a", 60_000, 60_000, 30, 30}, {"b", 60_000, 0, 30, 0}}},
		{"more than the person was active", 30_000, []window{{"a", 40_000, 40_000, 40, 20}, {"b", 20_000, 20_000, 20, 10}}},
		{"no input seen", 30_000, []window{{"a", 50_000, unseen, 50, -1}}},
		{"some input seen", 30_000, []window{{"a", 50_000, unseen, 50, -1}, {"b", 10_000, 5_000, 10, 5}}},
		{"no input seen for a while", 30_000, []window{{"a", 30_000, unseen, 50, -1}, {"a", 20_000, 9_000, 0, 0}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := New(minute(), State{})
			var want []api.Focus
			for i, w := range tt.windows {
				r := say(0, 60, 0, wire.Focus{App: w.app, DurationMS: w.open, ActiveMS: w.active})
				r.Session.Key.ID = fmt.Sprint("c", i)
				r.Report.Counters.ActiveMS = tt.active / uint64(len(tt.windows))
				l.Fold(r, at(60))
				l.Fold(r, at(60)) // said twice, counted once
				if w.seconds == 0 {
					continue
				}
				f := api.Focus{App: w.app, Seconds: w.seconds}
				if w.activeSeconds >= 0 {
					f.ActiveSeconds = new(w.activeSeconds)
				}
				want = append(want, f)
			}
			if got := l.Seal(at(60))[0].Event.Focus; !reflect.DeepEqual(got, want) {
				t.Errorf("got  %s\nwant %s", asJSON(t, got), asJSON(t, want))
			}
		})
	}
}

// TestLocked: a record is locked if every screen of the person is, and nothing is
// known where a locker that reports nothing decides.
func TestLocked(t *testing.T) {
	yes, no := new(true), new(false)
	type session struct {
		id     string
		source roster.Source
		logind *bool
		x      bool
		sec    float64
	}
	for _, tt := range []struct {
		name     string
		sessions []session
		want     *bool
	}{
		{"no locker that tells", []session{{id: "c1", sec: 60}}, nil},
		{"logind's locker", []session{{id: "c1", logind: yes, sec: 60}}, yes},
		{"logind's locker, open", []session{{id: "c1", logind: no, sec: 60}}, no},
		{"X's locker", []session{{id: "c1", x: true, sec: 60}}, yes},
		{"X's locker, of which logind hears nothing", []session{{id: "c1", x: true, logind: no, sec: 60}}, yes},
		{"both locked", []session{{id: "c1", logind: yes, sec: 60}, {id: "c2", x: true, sec: 60}}, yes},
		{"one open", []session{{id: "c1", logind: yes, sec: 60}, {id: "c2", logind: no, sec: 60}}, no},
		{"one unknown", []session{{id: "c1", logind: yes, sec: 60}, {id: "c2", sec: 60}}, nil},
		{
			"a seat's input ended with the lock",
			[]session{{id: "2", source: roster.SourceSeat, logind: no, sec: 30}, {id: "2", source: roster.SourceWayland, logind: yes, sec: 60}},
			yes,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := New(minute(), State{})
			for _, s := range tt.sessions {
				r := say(0, s.sec, 1)
				r.Session.Key.ID, r.Session.Source, r.Session.ScreenLocked, r.Report.Locked = s.id, s.source, s.logind, s.x
				l.Fold(r, at(60))
			}
			if got := l.Seal(at(70))[0].Event.Locked; !reflect.DeepEqual(got, tt.want) {
				t.Errorf("locked is %s, want %s", asJSON(t, got), asJSON(t, tt.want))
			}
		})
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestIdle(t *testing.T) {
	for _, tt := range []struct {
		name   string
		sec    float64 // of the last report
		idleMS uint64
		want   bool
	}{
		{"just not", 60, 179_999, false},
		{"just so", 60, 180_000, true},
		{"silent since the report", 40, 160_000, true},
		{"reported a moment after the end", 60.5, 180_400, false},
		{"a clock from elsewhere moves it by a minute at most", -86400, 119_999, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := New(minute(), State{})
			r := say(0, tt.sec, 1)
			r.Report.IdleMS = tt.idleMS
			l.Fold(r, at(60))
			got := l.Seal(at(70))
			if len(got) != 1 || got[0].Event.IsIdle != tt.want {
				t.Errorf("got %+v, want idle %v", got, tt.want)
			}
		})
	}
}

// A hostile helper may claim anything; what leaves is what the server takes.
func TestLimits(t *testing.T) {
	l := New(minute(), State{})
	for i := range 5 {
		r := say(0, 60, wire.MaxCounter)
		r.Report.StartedUnixNano += int64(i)
		r.Report.Counters = wire.Counters{
			Keys: wire.MaxCounter, Clicks: wire.MaxCounter, ScrollSteps: wire.MaxCounter,
			DistancePx: wire.MaxCounter, Synthetic: wire.MaxCounter, ActiveMS: wire.MaxCounter,
		}
		for j := range wire.MaxFocus {
			r.Report.Focus = append(r.Report.Focus, wire.Focus{
				App: strings.Repeat("a", wire.MaxAppBytes), Title: fmt.Sprint(i, "-", j), DurationMS: wire.MaxCounter,
			})
		}
		l.Fold(r, at(60))
	}
	e := l.Seal(at(70))[0].Event
	for _, n := range []int64{e.KeyCount, e.MouseClicks, e.ScrollCount, e.MouseDistancePx, *e.SyntheticCount} {
		if n != api.MaxCount {
			t.Errorf("a count of %d, want %d", n, api.MaxCount)
		}
	}
	if *e.ActiveSeconds != 60 || len(e.Focus) != api.MaxFocus || e.ActiveApp == wire.OtherApp {
		t.Errorf("active %v s, %d focus entries, app %q", *e.ActiveSeconds, len(e.Focus), e.ActiveApp)
	}
	for _, f := range e.Focus {
		if f.Seconds > 60 {
			t.Errorf("focus of %v s in a minute", f.Seconds)
		}
	}
}

// Focus of an interval is counted once, however its reports repeat and come
// late, and whichever record they end in.
func TestFocusOnce(t *testing.T) {
	l := New(minute(), State{})
	app := func(ms uint64) wire.Focus { return wire.Focus{App: "x", Title: "t", DurationMS: ms} }
	first, second := say(0, 5, 1, app(5000)), say(0, 10, 1, app(9000))
	for _, r := range []reading.Reading{first, second, first, second} {
		l.Fold(r, at(10))
	}
	got := l.Seal(at(70)) // without the last report of its minute
	l.Fold(say(0, 60, 1, app(30_000)), at(71))
	l.Fold(say(60, 71, 1, app(1000)), at(71))
	l.Fold(second, at(72))
	got = append(got, l.Seal(at(130))...)
	var secs []float64
	for _, s := range got {
		secs = append(secs, s.Event.Focus[0].Seconds)
	}
	if want := []float64{9, 22}; !reflect.DeepEqual(secs, want) {
		t.Errorf("focus %v, want %v", secs, want)
	}
}

// An ended session neither holds up the seal nor stays for ever; one that only
// stopped reporting keeps its account.
func TestEndedSessions(t *testing.T) {
	l := New(minute(), State{})
	gone := say(0, 30, 5)
	gone.Session.Key.ID = "c2"
	l.Fold(gone, at(30))
	l.Fold(say(0, 60, 1), at(60))
	if got := l.Seal(at(60)); got != nil {
		t.Fatalf("sealed %v although a session was silent", got)
	}
	alive := func(s string) bool { return s == "c1-1-1" }
	l.Live(alive, at(61))
	if got := keysOf(l.Seal(at(61))); !reflect.DeepEqual(got, []counted{{0, 6}}) {
		t.Fatalf("sealed %v", got)
	}
	l.Commit()
	l.Live(alive, at(30+3600))
	if len(l.All().Accounts) != 2 {
		t.Error("the account went before its time")
	}
	l.Live(alive, at(31+3600))
	if all := l.All().Accounts; len(all) != 1 || all["c1-1-1"] == nil {
		t.Errorf("accounts left: %v", all)
	}
}

// An open record of another interval length is taken over, not lost.
func TestIntervalLengthChanges(t *testing.T) {
	five := Options{Length: 5 * time.Second}
	l := New(five, State{})
	l.Fold(say(30, 32, 5), at(32))
	l.Commit()
	l = New(minute(), roundTrip(t, l.All()))
	l.Fold(say(30, 40, 7), at(40))
	if got := keysOf(l.Seal(at(70))); !reflect.DeepEqual(got, []counted{{0, 7}}) {
		t.Errorf("sealed %v", got)
	}
}

func TestRollback(t *testing.T) {
	l := New(minute(), State{})
	l.Fold(say(0, 30, 5, wire.Focus{App: "x", DurationMS: 1}), at(30))
	l.Commit()
	before := roundTrip(t, l.All())
	l.Fold(say(0, 60, 9, wire.Focus{App: "x", DurationMS: 2}), at(60))
	l.Seal(at(60))
	l.Rollback()
	if !reflect.DeepEqual(roundTrip(t, l.All()), before) {
		t.Error("something is left of what was taken back")
	}
	if c := l.Changes(); len(c.Set.Accounts)+len(c.Set.Records)+len(c.Set.Machines)+len(c.GoneRecords) > 0 {
		t.Errorf("changes are left: %+v", c)
	}
}

func TestSpans(t *testing.T) {
	var m Machine
	for i := range int64(100) { // every other minute: nothing can be joined
		m.mark(i*120, 60)
	}
	if len(m.Reported) != maxSpans {
		t.Fatalf("%d spans", len(m.Reported))
	}
	for i := range int64(100) {
		if f := m.free(i*120, 60); f == i*120 {
			t.Errorf("%d is free again", f)
		}
	}
	// A year far ahead stays apart from the rest.
	m.mark(300_000_000, 60)
	if f := m.free(99*120+60, 60); f != 99*120+60 {
		t.Errorf("free from %d", f)
	}
	if f := m.free(300_000_000, 60); f != 300_000_060 {
		t.Errorf("free from %d", f)
	}
}

func FuzzFold(f *testing.F) {
	f.Add(int64(t0), int64(t0*1000), int64(t0), uint64(5), uint64(7), int64(0))
	f.Add(int64(-1<<63), int64(1<<63-1), int64(-1<<63), uint64(1<<53), uint64(1<<53), int64(-1<<40))
	f.Fuzz(func(t *testing.T, started, timeMS, start int64, keys, idle uint64, jump int64) {
		l := New(minute(), State{})
		now := at(0)
		for i := range int64(3) {
			r := say(0, 1, min(keys, wire.MaxCounter))
			r.Report.StartedUnixNano, r.Report.TimeUnixMilli, r.Report.IntervalStartUnix = started+i, timeMS, start
			r.Report.IdleMS = min(idle, wire.MaxCounter)
			l.Fold(r, now)
			now = now.Add(time.Duration(jump % int64(1<<40)))
			for _, s := range l.Seal(now) {
				if e := s.Event; e.KeyCount < 0 || e.KeyCount > api.MaxCount || e.Timestamp.Unix()%60 != 0 {
					t.Errorf("event %+v", e)
				}
			}
			l.Commit()
		}
		if n := l.Open(); n > 3 {
			t.Errorf("%d open records", n)
		}
	})
}

// Whatever is read back from a store, of whatever version: no panic, and
// nothing leaves that the server would refuse.
func FuzzState(f *testing.F) {
	l := New(minute(), State{})
	l.Fold(say(0, 30, 5, wire.Focus{App: "x", DurationMS: 1}), at(30))
	for _, v := range []any{l.All().Accounts["c1-1-1"], l.All().Records[Key{"vm-abc123-ann", t0}], &Machine{Reported: []Span{{1, 2}, {0, 9}}}} {
		b, err := json.Marshal(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var a Account
		var r Record
		var m Machine
		s := State{Accounts: map[string]*Account{}, Records: map[Key]*Record{}, Machines: map[string]*Machine{}}
		if json.Unmarshal(b, &a) == nil {
			s.Accounts["c1-1-1"] = &a
		}
		if json.Unmarshal(b, &r) == nil {
			s.Records[Key{r.MachineID, r.StartUnix}] = &r
		}
		if json.Unmarshal(b, &m) == nil {
			s.Machines["vm-abc123-ann"] = &m
		}
		l := New(minute(), s)
		for _, sec := range []float64{30, 60, 130} {
			l.Fold(say(0, sec, uint64(sec), wire.Focus{App: "x", DurationMS: uint64(sec)}), at(sec))
			for _, s := range l.Seal(at(sec)) {
				if e := s.Event; e.KeyCount < 0 || e.KeyCount > api.MaxCount || *e.ActiveSeconds > 60 || len(e.Focus) > api.MaxFocus {
					t.Errorf("event %+v", e)
				}
			}
			l.Commit()
		}
	})
}

func BenchmarkFold(b *testing.B) {
	b.ReportAllocs()
	l := New(minute(), State{})
	r := say(0, 5, 0)
	for j := range 8 {
		r.Report.Focus = append(r.Report.Focus, wire.Focus{App: "firefox", Title: fmt.Sprint("page ", j)})
	}
	n := 0
	for b.Loop() {
		n++
		r.Session.Key.ID = sessions[n%len(sessions)]
		r.Report.Counters.Keys++
		r.Report.Focus[n%8].DurationMS++
		l.Fold(r, at(5))
		if n%100 == 0 {
			l.Commit()
		}
	}
}

var sessions = []string{"c1", "c2", "c3", "c4"}

// A session of which nobody can know whether a client is there leaves the
// record without a word, unless another one has a client.
func TestConnectedIsUnknownNotFalse(t *testing.T) {
	yes, no := new(true), new(false)
	for name, tc := range map[string]struct {
		sessions []*bool
		want     *bool
	}{
		"nobody knows":       {[]*bool{nil}, nil},
		"one is away":        {[]*bool{no}, no},
		"one is there":       {[]*bool{no, yes}, yes},
		"one away, one dark": {[]*bool{no, nil}, nil},
		"there, one dark":    {[]*bool{nil, yes}, yes},
	} {
		r := Record{Sessions: map[string]Standing{}}
		for i, c := range tc.sessions {
			r.Sessions[string(rune('a'+i))] = Standing{Connected: c}
		}
		got := r.connected()
		if (got == nil) != (tc.want == nil) || got != nil && *got != *tc.want {
			t.Errorf("%s: got %v, want %v", name, got, tc.want)
		}
	}
}

// The distance reports when some of it is none in pixels.
func TestDistanceUnit(t *testing.T) {
	for name, tc := range map[string]struct {
		unit     wire.DistanceUnit
		distance uint64
		want     api.DistanceUnit
	}{
		"pixels":          {wire.UnitPixels, 5, ""},
		"a device's":      {wire.UnitDevice, 5, api.UnitDevice},
		"nothing counted": {wire.UnitDevice, 0, ""},
	} {
		l := New(minute(), State{})
		r := say(0, 59, 1)
		r.Report.DistanceUnit, r.Report.Counters.DistancePx = tc.unit, tc.distance
		l.Fold(r, at(59))
		sealed := l.Seal(at(3600))
		if len(sealed) != 1 || sealed[0].Event.DistanceUnit != tc.want {
			t.Errorf("%s: got %+v, want the unit %q", name, sealed, tc.want)
		}
	}
}
