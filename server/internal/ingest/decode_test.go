package ingest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/problem"
)

var clock = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// event returns an event's JSON with the two required fields and more.
func event(more string) string {
	if more != "" {
		more = "," + more
	}
	return `{"machine_id":"m","timestamp":"2026-05-04T10:00:00Z"` + more + `}`
}

func TestValidateEachEventAlone(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	tests := []struct {
		name, event string
		want        api.Code // empty: good
	}{
		{"plain", event(""), ""},
		{"lower-case t and z", `{"machine_id":"m","timestamp":"2026-05-04t10:00:00z"}`, ""},
		{"a leap second", `{"machine_id":"m","timestamp":"2026-05-03T23:59:60Z"}`, ""},
		{"an hour of one digit", `{"machine_id":"m","timestamp":"2026-05-04T1:12:00Z"}`, api.CodeBadTimestamp},
		{"a fraction after a comma", `{"machine_id":"m","timestamp":"2026-05-04T12:00:00,5Z"}`, api.CodeBadTimestamp},
		{"an offset of a day", `{"machine_id":"m","timestamp":"2026-05-04T12:00:00+24:00"}`, api.CodeBadTimestamp},
		{"an offset of 60 minutes", `{"machine_id":"m","timestamp":"2026-05-04T12:00:00+14:60"}`, api.CodeBadTimestamp},
		{"unknown field", event(`"later":{"a":[1,2]}`), ""},
		{"nulls", event(`"key_count":null,"focus":null,"cpu_percent":null`), ""},
		{"other controls in a title", event(`"active_window":"a\nb\u001b"`), ""},
		{"invalid UTF-8 in a title", event("\"active_window\":\"\xff\""), ""},
		{"half a surrogate in a title", event(`"active_window":"\ud800"`), ""},
		{"zone", `{"machine_id":"m","timestamp":"2026-05-04T10:00:00+03:00"}`, ""},
		{"backslash", `{"machine_id":"DOMAIN\\user","timestamp":"2026-05-04T10:00:00Z"}`, ""},
		{"exactly 2000", `{"machine_id":"m","timestamp":"2000-01-01T00:00:00Z"}`, ""},
		{"exactly 24 h ahead", `{"machine_id":"m","timestamp":"2026-05-05T12:00:00Z"}`, ""},
		{"longest title", event(`"active_window":"` + long(api.MaxTextBytes) + `"`), ""},

		{"null", `null`, api.CodeBadEvent},
		{"number", `7`, api.CodeBadEvent},
		{"list", `[]`, api.CodeBadEvent},
		{"text", `"x"`, api.CodeBadEvent},
		{"text for a count", event(`"key_count":"5"`), api.CodeBadEvent},
		{"fraction of a count", event(`"key_count":1.5`), api.CodeBadEvent},
		{"number for a title", event(`"active_window":5`), api.CodeBadEvent},
		{"number for a bool", event(`"is_idle":1`), api.CodeBadEvent},
		{"object for focus", event(`"focus":{}`), api.CodeBadEvent},
		{"text for focus seconds", event(`"focus":[{"app":"a","seconds":"1"}]`), api.CodeBadEvent},
		{"unknown session kind", event(`"session_kind":"dream"`), api.CodeBadEvent},
		{"virtual session, device units", event(`"session_kind":"virtual","distance_unit":"device"`), ""},
		{"pixels, said", event(`"distance_unit":"px"`), ""},
		{"no unit", event(`"distance_unit":null`), ""},
		{"unknown unit", event(`"distance_unit":"furlong"`), api.CodeBadEvent},
		{"other case of a unit", event(`"distance_unit":"PX"`), api.CodeBadEvent},
		{"unit with a NUL", event(`"distance_unit":"px\u0000"`), api.CodeBadEvent},
		{"unit of 1 MiB", event(`"distance_unit":"` + long(1<<20) + `"`), api.CodeBadEvent},
		{"number for a unit", event(`"distance_unit":1`), api.CodeBadEvent},
		{"list for a unit", event(`"distance_unit":["px"]`), api.CodeBadEvent},
		{"bool for a session kind", event(`"session_kind":true`), api.CodeBadEvent},

		{"no machine_id", `{"timestamp":"2026-05-04T10:00:00Z"}`, api.CodeBadMachineID},
		{"number for machine_id", `{"machine_id":1,"timestamp":"2026-05-04T10:00:00Z"}`, api.CodeBadMachineID},
		{"NUL in machine_id", `{"machine_id":"a\u0000b","timestamp":"2026-05-04T10:00:00Z"}`, api.CodeBadMachineID},
		{"space after machine_id", `{"machine_id":"a ","timestamp":"2026-05-04T10:00:00Z"}`, api.CodeBadMachineID},
		{"variation selector in machine_id", `{"machine_id":"a\ufe0f","timestamp":"2026-05-04T10:00:00Z"}`, api.CodeBadMachineID},
		{"Hangul filler in machine_id", `{"machine_id":"a\u3164","timestamp":"2026-05-04T10:00:00Z"}`, api.CodeBadMachineID},
		{"blank Braille in machine_id", `{"machine_id":"a\u2800b","timestamp":"2026-05-04T10:00:00Z"}`, api.CodeBadMachineID},
		{"joiner in machine_id", `{"machine_id":"a\u034fb","timestamp":"2026-05-04T10:00:00Z"}`, api.CodeBadMachineID},
		{"newline in machine_id", `{"machine_id":"a\nb","timestamp":"2026-05-04T10:00:00Z"}`, api.CodeBadMachineID},
		{"invalid UTF-8 in machine_id", "{\"machine_id\":\"a\xff\",\"timestamp\":\"2026-05-04T10:00:00Z\"}", api.CodeBadMachineID},
		{"long machine_id", `{"machine_id":"` + long(256) + `","timestamp":"2026-05-04T10:00:00Z"}`, api.CodeBadMachineID},

		{"no timestamp", `{"machine_id":"m"}`, api.CodeBadTimestamp},
		{"number for timestamp", `{"machine_id":"m","timestamp":1746352800}`, api.CodeBadTimestamp},
		{"date only", `{"machine_id":"m","timestamp":"2026-05-04"}`, api.CodeBadTimestamp},
		{"1970", `{"machine_id":"m","timestamp":"1970-01-01T00:00:00Z"}`, api.CodeBadTimestamp},
		{"2100", `{"machine_id":"m","timestamp":"2100-01-01T00:00:00Z"}`, api.CodeBadTimestamp},
		{"just before 2000", `{"machine_id":"m","timestamp":"2000-01-01T00:59:59+01:00"}`, api.CodeBadTimestamp},
		{"over 24 h ahead", `{"machine_id":"m","timestamp":"2026-05-05T12:00:01Z"}`, api.CodeBadTimestamp},

		{"negative keys", event(`"key_count":-1`), api.CodeOutOfRange},
		{"negative synthetic", event(`"synthetic_count":-1`), api.CodeOutOfRange},
		{"too many clicks", event(`"mouse_clicks":1000000001`), api.CodeOutOfRange},
		{"beyond 64 bits", event(`"scroll_count":99999999999999999999`), api.CodeOutOfRange},
		{"beyond a double", event(`"cpu_percent":1e999`), api.CodeOutOfRange},
		{"101 %", event(`"cpu_percent":100.01`), api.CodeOutOfRange},
		{"negative %", event(`"disk_used_percent":-0.1`), api.CodeOutOfRange},
		{"no interval", event(`"interval_sec":0`), api.CodeOutOfRange},
		{"long interval", event(`"interval_sec":3601`), api.CodeOutOfRange},
		{"negative activity", event(`"active_seconds":-1`), api.CodeOutOfRange},
		{"negative focus", event(`"focus":[{"app":"a","seconds":-1}]`), api.CodeOutOfRange},
		{"negative memory", event(`"user_ram_bytes":-1`), api.CodeOutOfRange},

		{"NUL in a title", event(`"active_window":"a\u0000b"`), api.CodeBadText},
		{"NUL in an app", event(`"active_app":"\u0000"`), api.CodeBadText},
		{"NUL in a user", event(`"username":"\u0000"`), api.CodeBadText},
		{"NUL in focus", event(`"focus":[{"app":"a","title":"\u0000","seconds":1}]`), api.CodeBadText},

		{"title of 1 MiB", event(`"active_window":"` + long(1<<20) + `"`), api.CodeTooLong},
		{"long app", event(`"active_app":"` + long(513) + `"`), api.CodeTooLong},
		{"long focus", event(`"focus":[` + strings.Repeat(`{"app":"a","seconds":1},`, 64) + `{"app":"a","seconds":1}]`), api.CodeTooLong},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			// Good neighbours must not be touched.
			body := `{"events":[` + event("") + `,` + test.event + `,` + event("") + `]}`
			b, err := decodeBatch(strings.NewReader(body), clock)
			if err != nil {
				t.Fatal(err)
			}
			if fast, ok := new(decoders).decodeFast(body, clock); ok {
				sameBatch(t, fast, b)
			}
			wantGood, wantBad := 3, 0
			if test.want != "" {
				wantGood, wantBad = 2, 1
			}
			if b.sent != 3 || len(b.events) != wantGood || len(b.rejected) != wantBad {
				t.Fatalf("sent %d, good %d, rejected %+v", b.sent, len(b.events), b.rejected)
			}
			if test.want != "" {
				if r := b.rejected[0]; r.Index != 1 || r.Code != test.want || r.Message == "" || strings.Contains(r.Message, "Event.") {
					t.Errorf("rejected %+v, want index 1 and %s", r, test.want)
				}
			}
		})
	}
}

// What sets the direction of writing is taken out of every text that people read.
func TestTextsLoseBidiControls(t *testing.T) {
	const bidi = "invoice\u202etxt.exe"
	body := fmt.Sprintf(`{"events":[%s]}`, event(fmt.Sprintf(
		`"active_window":%q,"active_app":%q,"username":%q,"focus":[{"app":%q,"title":%q,"seconds":1}]`, bidi, bidi, bidi, bidi, bidi)))
	b, err := new(decoders).decode(body, nil, clock)
	if err != nil || len(b.events) != 1 {
		t.Fatalf("%v %+v", err, b)
	}
	e := b.events[0]
	for _, got := range []string{e.ActiveWindow, e.ActiveApp, e.Username, e.Focus[0].App, e.Focus[0].Title} {
		if got != "invoicetxt.exe" {
			t.Errorf("%+q", got)
		}
	}
}

func TestWholeBody(t *testing.T) {
	many := strings.Repeat(`0,`, api.MaxBatchEvents)
	tests := []struct {
		name, body string
		status     int
	}{
		{"empty", ``, 400},
		{"no JSON", `hello`, 400},
		{"a list", `[]`, 400},
		{"null", `null`, 400},
		{"no events", `{}`, 400},
		{"null events", `{"events":null}`, 400},
		{"text events", `{"events":"x"}`, 400},
		{"twice", `{"events":[],"events":[]}`, 400},
		{"cut off", `{"events":[` + event(""), 400},
		{"cut off in an event", `{"events":[{"machine_id":"m`, 400},
		{"more after it", `{"events":[]} x`, 400},
		{"broken event", `{"events":[{"machine_id":}]}`, 400},
		{"deep", `{"events":[` + strings.Repeat("[", 20_000) + `]}`, 400},
		{"too many", `{"events":[` + many + `0]}`, 413},
		{"as many as allowed", `{"events":[` + many[:len(many)-1] + `]}`, 0},
		{"none", `{"events":[]}`, 0},
		{"other fields", `{"version":2,"events":[],"more":[{}]}`, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := decodeBatch(strings.NewReader(test.body), clock)
			if _, ok := new(decoders).decodeFast(test.body, clock); ok && err != nil {
				t.Error("decodeFast accepts it")
			}
			if got := status(t, err); got != test.status {
				t.Errorf("status %d (%v), want %d", got, err, test.status)
			}
		})
	}
}

// status is what a caller is answered; zero for no error.
func status(t *testing.T, err error) int {
	t.Helper()
	if err == nil {
		return 0
	}
	var p *problem.Error
	if !errors.As(bodyProblem(err), &p) {
		t.Fatalf("%v is no problem", err)
	}
	return p.Status
}

func TestInflate(t *testing.T) {
	good := []byte(`{"events":[` + event("") + `]}`)
	bomb := bytes.Repeat([]byte(" "), api.MaxInflatedBytes+1)
	tests := []struct {
		name, encoding string
		body           []byte
		status         int
	}{
		{"identity", "", good, 0},
		{"named identity", "identity", good, 0},
		{"gzip", "gzip", gzipped(t, good), 0},
		{"GZIP", " GZIP", gzipped(t, good), 0},
		{"zstd", "zstd", zstded(t, good), 0},
		{"gzip bomb", "gzip", gzipped(t, bomb), 413},
		{"zstd bomb", "zstd", zstded(t, bomb), 413},
		{"spaces up to the limit", "gzip", gzipped(t, append(bomb[:api.MaxInflatedBytes-len(good)], good...)), 0},
		{"no gzip", "gzip", good, 400},
		{"no zstd", "zstd", good, 400},
		{"cut off gzip", "gzip", gzipped(t, good)[:20], 400},
		{"gzip with a wrong checksum", "gzip", spoil(gzipped(t, good)), 400},
		{"gzip with more after it", "gzip", append(gzipped(t, good), "junk"...), 400},
		{"brotli", "br", good, 415},
		{"two encodings", "gzip, gzip", good, 415},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, err := newMemory().inflate(string(test.body), test.encoding)
			if err == nil {
				_, err = decodeBatch(r, clock)
				_ = r.Close()
			}
			if got := status(t, err); got != test.status {
				t.Errorf("status %d (%v), want %d", got, err, test.status)
			}
		})
	}
}

func gzipped(tb testing.TB, b []byte) []byte {
	tb.Helper()
	var out bytes.Buffer
	// The race detector makes better compression of whole bombs take many seconds.
	z, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := z.Write(b); err != nil {
		tb.Fatal(err)
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

func zstded(tb testing.TB, b []byte) []byte {
	tb.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		tb.Fatal(err)
	}
	defer z.Close()
	return z.EncodeAll(b, nil)
}

// spoil changes the checksum, which lies 8 bytes before a gzip body's end.
func spoil(b []byte) []byte {
	b[len(b)-8] ^= 1
	return b
}

func FuzzDecodeBatch(f *testing.F) {
	f.Add([]byte(`{"events":[` + event(`"focus":[{"app":"a","title":"b","seconds":1.5}]`) + `]}`))
	f.Add([]byte(`{"events":[null,{"machine_id":1},` + event(`"key_count":-1`) + `]}`))
	f.Add([]byte(`{"x":{"events":[]},"events":[]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := decodeBatch(bytes.NewReader(body), clock)
		if err != nil {
			if _, ok := new(decoders).decodeFast(string(body), clock); ok {
				t.Fatalf("decodeFast accepts what is refused: %v", err)
			}
			if s := status(t, err); s != http.StatusBadRequest && s != http.StatusRequestEntityTooLarge {
				t.Fatalf("status %d for %v", s, err)
			}
			return
		}
		if len(b.events)+len(b.rejected) != b.sent || len(b.events) != len(b.index) {
			t.Fatalf("%d good and %d rejected of %d", len(b.events), len(b.rejected), b.sent)
		}
		for i := range b.events {
			checkStorable(t, &b.events[i])
		}
		if fast, ok := new(decoders).decodeFast(string(body), clock); ok {
			sameBatch(t, fast, b)
		}
	})
}

// sameBatch fails unless both ways of reading a body return the same.
func sameBatch(t *testing.T, fast, slow *batch) {
	t.Helper()
	got, err := json.Marshal([]any{fast.sent, fast.index, fast.events, fast.rejected})
	if err != nil {
		t.Fatal(err)
	}
	want, err := json.Marshal([]any{slow.sent, slow.index, slow.events, slow.rejected})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("decodeFast:  %s\ndecodeBatch: %s", got, want)
	}
}

// What trackerd sends takes the fast way, with every field in use.
func TestUsualBodyIsReadFast(t *testing.T) {
	n, f, yes := int64(7), 12.5, true
	full := api.Event{
		MachineID: "vm-abc123-user1", Timestamp: clock.Add(-time.Hour), KeyCount: 1, MouseClicks: 2, MouseDistancePx: 3, ScrollCount: 4,
		ActiveWindow: "a <b> \"c\" \\ é \u2028 \x01", ActiveApp: "app", IsIdle: true, CPUPercent: &f, RAMUsedPercent: &f, DiskUsedPercent: &f,
		IntervalSec: &n, ActiveSeconds: &f, Connected: &yes, SessionKind: api.SessionRDP, SyntheticCount: &n, Username: "user1",
		UserCPUPercent: &f, UserRAMBytes: &n, DistanceUnit: api.UnitDevice, Focus: []api.Focus{{App: "app", Title: "t", Seconds: 1e-3}, {App: "b", Seconds: 59}},
	}
	body, err := json.Marshal(api.EventBatch{Events: []api.Event{full, {MachineID: "m", Timestamp: clock}, full}})
	if err != nil {
		t.Fatal(err)
	}
	var spread bytes.Buffer
	if err := json.Indent(&spread, body, " ", "\t"); err != nil {
		t.Fatal(err)
	}
	slow, err := decodeBatch(bytes.NewReader(body), clock)
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{string(body), spread.String()} {
		fast, ok := new(decoders).decodeFast(body, clock)
		if !ok || len(fast.events) != 3 {
			t.Fatalf("not read fast: %s", body)
		}
		sameBatch(t, fast, slow)
	}
}

// checkStorable fails for what PostgreSQL would not take.
func checkStorable(t *testing.T, e *api.Event) {
	t.Helper()
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatalf("an accepted event has no JSON: %v", err)
	}
	texts := []string{e.MachineID, e.ActiveApp, e.ActiveWindow, e.Username}
	for _, f := range e.Focus {
		texts = append(texts, f.App, f.Title)
	}
	for _, s := range texts {
		if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
			t.Fatalf("accepted %q in %s", s, text)
		}
	}
	if e.KeyCount < 0 || e.MouseClicks < 0 || e.Timestamp.Year() < 2000 || e.Timestamp.After(clock.Add(maxAhead)) {
		t.Fatalf("accepted %s", text)
	}
}

func FuzzInflate(f *testing.F) {
	f.Add(gzipped(f, []byte(`{"events":[]}`)), "gzip")
	f.Add(zstded(f, []byte(`{"events":[]}`)), "zstd")
	f.Fuzz(func(t *testing.T, body []byte, encoding string) {
		r, err := newMemory().inflate(string(body), encoding)
		if err != nil {
			return
		}
		n, err := io.Copy(io.Discard, r)
		if n > api.MaxInflatedBytes {
			t.Fatalf("%d bytes came out", n)
		}
		if err != nil {
			_ = status(t, fmt.Errorf("reading: %w", err))
		}
		_ = r.Close()
	})
}

// usualEvent is a minute as trackerd reports it.
const usualEvent = `{"machine_id":"vm-abc123-user1","timestamp":"2026-05-04T10:00:00Z","key_count":120,"mouse_clicks":13,` +
	`"mouse_distance_px":4000,"scroll_count":12,"active_window":"Document 17 of host 3 - Writer","active_app":"app-4","is_idle":false,` +
	`"cpu_percent":33.5,"ram_used_percent":41.25,"disk_used_percent":63.1,"interval_sec":60,"active_seconds":43.210,"connected":true,` +
	`"session_kind":"rdp","focus":[{"app":"app-4","title":"Document 17 of host 3 - Writer","seconds":43.210,"active_seconds":34.087},` +
	`{"app":"app-9","title":"Inbox 12","seconds":9.123,"active_seconds":9.123}],"username":"user1"}`

func benchmarkDecoding(b *testing.B, decode func(string) error) {
	b.Helper()
	for _, events := range []int{5, 100} {
		b.Run(fmt.Sprint("events=", events), func(b *testing.B) {
			body := `{"events":[` + strings.Repeat(usualEvent+",", events-1) + usualEvent + `]}`
			b.ReportAllocs()
			for b.Loop() {
				if err := decode(body); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*events), "ns/event")
		})
	}
}

func BenchmarkDecodeBatch(b *testing.B) {
	benchmarkDecoding(b, func(body string) error {
		_, err := decodeBatch(strings.NewReader(body), clock)
		return err
	})
}

func BenchmarkDecodeFast(b *testing.B) {
	all := new(decoders)
	benchmarkDecoding(b, func(body string) error {
		if _, ok := all.decodeFast(body, clock); !ok {
			return errors.New("not read fast")
		}
		return nil
	})
}
