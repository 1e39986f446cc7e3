package wire

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

func sample() Report {
	return Report{
		Version:           Version,
		StartedUnixNano:   1_763_000_000_123_456_789,
		TimeUnixMilli:     1_763_000_060_000,
		IntervalStartUnix: 1_763_000_040,
		Counters:          Counters{Keys: 1, Clicks: 2, ScrollSteps: 3, DistancePx: 4, Synthetic: 5, ActiveMS: 6, Repeats: 8},
		IdleMS:            7,
		Focus: []Focus{
			{App: "XTerm", Title: "naïve — 日本語", DurationMS: 59_000, ActiveMS: 40_000},
			{App: UnknownApp, DurationMS: 1000, ActiveMS: ActiveUnknown},
		},
		DistanceUnit: UnitDevice,
		Trouble:      TroubleNoWindowManager,
		Locked:       true,
		Rules:        1<<63 + 5,
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	full := sample()
	full.Focus = nil
	for range MaxFocus {
		full.Focus = append(full.Focus, Focus{strings.Repeat("a", MaxAppBytes), strings.Repeat("t", MaxTitleBytes), MaxCounter, MaxCounter})
	}
	past := sample()
	past.StartedUnixNano, past.TimeUnixMilli, past.IntervalStartUnix = -1, -2, -3
	for name, want := range map[string]Report{"empty": {Version: Version}, "sample": sample(), "full": full, "before 1970": past} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := Append(nil, &want)
			if len(b) > MaxMessageBytes {
				t.Fatalf("%d bytes, limit %d", len(b), MaxMessageBytes)
			}
			got, err := Decode(b)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("Decode = %+v, %v; want %+v", got, err, want)
			}
		})
	}
}

// TestAnyReportDecodes: whatever the helper holds, within limits or not, is
// encoded to something that the daemon accepts, and twice to the same.
func TestAnyReportDecodes(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		r := randomReport(random)
		got, err := Decode(Append(nil, &r))
		if err != nil {
			t.Fatalf("Decode: %v\nof %+v", err, r)
		}
		again, err := Decode(Append(nil, &got))
		if err != nil || !reflect.DeepEqual(got, again) {
			t.Fatalf("second round: %+v, %v; want %+v", again, err, got)
		}
		if got.Counters.Keys != min(r.Counters.Keys, MaxCounter) || len(got.Focus) != min(len(r.Focus), MaxFocus) {
			t.Fatalf("got %+v of %+v", got, r)
		}
	}
}

// older returns a report with no more than an older version holds.
func older(version byte) Report {
	r := sample()
	r.Version, r.Locked, r.Counters.Repeats, r.Rules = version, false, 0, 0
	for i := range r.Focus {
		r.Focus[i].ActiveMS = ActiveUnknown
	}
	if version == oldest {
		r.DistanceUnit, r.Trouble = UnitPixels, TroubleNone
	}
	return r
}

// TestDecodeVersion1 reads what a helper from before version 2 sends.
func TestDecodeVersion1(t *testing.T) {
	t.Parallel()
	want := older(1)
	written := want
	written.Version = Baseline
	b := Append(nil, &written)
	b = b[:len(b)-2]
	b[0] = 1
	got, err := Decode(b)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("Decode = %+v, %v; want %+v", got, err, want)
	}
}

// TestAppendBaseline: what an older daemon reads holds what it knows.
func TestAppendBaseline(t *testing.T) {
	t.Parallel()
	r := sample()
	r.Version = Baseline
	got, err := Decode(Append(nil, &r))
	if want := older(Baseline); err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("Decode = %+v, %v; want %+v", got, err, want)
	}
}

func TestParseCeiling(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		packet  []byte
		version byte
		ok      bool
	}{
		{Ceiling(Baseline), Baseline, true},
		{Ceiling(Version), Version, true},
		{Ceiling(Version + 1), Version, true},
		{Ceiling(Baseline - 1), 0, false},
		{nil, 0, false},
		{[]byte{Version, Version}, 0, false},
	} {
		if version, ok := ParseCeiling(c.packet); version != c.version || ok != c.ok {
			t.Errorf("ParseCeiling(%v) = %d, %t", c.packet, version, ok)
		}
	}
}

func randomReport(random *rand.Rand) Report {
	text := func(limit int) string {
		var b strings.Builder
		for range random.IntN(limit) {
			b.WriteRune([]rune("aZ é日🙂")[random.IntN(6)])
		}
		return b.String()
	}
	r := Report{StartedUnixNano: int64(random.Uint64()), TimeUnixMilli: int64(random.Uint64()), IntervalStartUnix: int64(random.Uint64())}
	for _, n := range r.Counters.List() {
		*n = random.Uint64() >> random.IntN(64)
	}
	r.IdleMS = random.Uint64() >> random.IntN(64)
	for range random.IntN(2 * MaxFocus) {
		r.Focus = append(r.Focus, Focus{text(2 * MaxAppBytes), text(2 * MaxTitleBytes), random.Uint64(), random.Uint64()})
	}
	r.DistanceUnit, r.Trouble = DistanceUnit(random.Uint32()), Trouble(random.Uint32())
	r.Version, r.Locked, r.Rules = byte(random.Uint32()), random.IntN(2) == 1, random.Uint64()
	return r
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	good := sample()
	encoded := Append(nil, &good)
	third := sample()
	third.Version = withPresence
	locked := Append(nil, &third) // the lock is last
	withTitle := func(title string) []byte {
		r := sample()
		r.Focus[0].Title = title
		return Append(nil, &r)
	}
	for name, b := range map[string][]byte{
		"nothing":           nil,
		"other version":     {Version + 1},
		"version 0":         {0},
		"unknown unit":      append(append([]byte{}, locked[:len(locked)-3]...), 2, 0, 0),
		"unknown lock":      append(append([]byte{}, locked[:len(locked)-1]...), 3),
		"only a version":    {Version},
		"cut off":           encoded[:len(encoded)-1],
		"bytes after":       append(append([]byte{}, encoded...), 0),
		"too long":          make([]byte, MaxMessageBytes+1),
		"overlong number":   append([]byte{Version}, strings.Repeat("\xff", 11)...),
		"invalid UTF-8":     withTitle("a\xffb"),
		"NUL":               withTitle("a\x00b"),
		"line feed":         withTitle("a\nb"),
		"delete":            withTitle("a\x7fb"),
		"C1 control":        withTitle("a\u0085b"),
		"counter too large": {Version, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0, 0, 0, 0},
		"too many entries":  {Version, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, MaxFocus + 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := Decode(b)
			if !errors.Is(err, ErrMalformed) || !reflect.DeepEqual(r, Report{}) {
				t.Fatalf("Decode = %+v, %v; want nothing and ErrMalformed", r, err)
			}
		})
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in    string
		limit int
		want  string
	}{{"abc", 3, "abc"}, {"abc", 2, "ab"}, {"aé", 2, "a"}, {"日", 2, ""}, {"", 0, ""}, {"a🙂", 4, "a"}} {
		if got := Cut(c.in, c.limit); got != c.want {
			t.Errorf("Cut(%q, %d) = %q, want %q", c.in, c.limit, got, c.want)
		}
	}
}

// FuzzDecode: Decode never panics, and what it accepts re-encodes to something
// that decodes to the same.
func FuzzDecode(f *testing.F) {
	good := sample()
	f.Add(Append(nil, &good))
	f.Add(Append(nil, &Report{}))
	f.Add([]byte{Version, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		first, err := Decode(b)
		if err != nil {
			return
		}
		second, err := Decode(Append(nil, &first))
		first.Version = max(first.Version, Baseline)
		if err != nil || !reflect.DeepEqual(first, second) {
			t.Fatalf("%+v became %+v, %v", first, second, err)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	r := sample()
	buf := make([]byte, 0, MaxMessageBytes)
	b.ReportAllocs()
	for b.Loop() {
		buf = Append(buf[:0], &r)
	}
}

func BenchmarkDecode(b *testing.B) {
	r := sample()
	encoded := Append(nil, &r)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(encoded); err != nil {
			b.Fatal(err)
		}
	}
}
