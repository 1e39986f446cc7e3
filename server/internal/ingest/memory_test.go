package ingest

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"activity-tracker.example/server/api"
)

// streamed compresses without saying how long the text is.
func streamed(t *testing.T, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	z, err := zstd.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(z, onlyReader{strings.NewReader(text)}); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// onlyReader hides all but Read.
type onlyReader struct{ io.Reader }

// announcing changes the length that a gzip body declares, and so breaks it.
func announcing(b []byte, n uint32) []byte {
	b = bytes.Clone(b)
	binary.LittleEndian.PutUint32(b[len(b)-4:], n)
	return b
}

// rest is what nobody has taken, of all four parts.
func (m *memory) rest() (free [4]int64) {
	for i, part := range []interface {
		TryAcquire(int64) bool
		Release(int64)
	}{m.arrivingSmall, m.arrivingLarge, m.workSmall, m.workLarge} {
		for step := int64(1 << 30); step > 0; step /= 2 {
			if part.TryAcquire(step) {
				free[i] += step
			}
		}
		part.Release(free[i])
	}
	return free
}

func TestWholeText(t *testing.T) {
	short, long := strings.Repeat("short ", 10), strings.Repeat("something longer ", 100_000)
	tooLong := strings.Repeat(" ", api.MaxInflatedBytes+1)
	bomb := gzipped(t, []byte(tooLong))
	two := append(gzipped(t, []byte(short)), gzipped(t, []byte(long))...)
	tests := []struct {
		name, encoding string
		body           []byte
		want           string
		cut            bool
	}{
		{"as it is", "", []byte(long), long, false},
		{"gzip", "gzip", gzipped(t, []byte(short)), short, false},
		{"much gzip", "gzip", gzipped(t, []byte(long)), long, false},
		{"nothing", "gzip", gzipped(t, nil), "", false},
		{"two members, the second longer", "gzip", two, short + long, false},
		{"two members, the first longer", "gzip", append(gzipped(t, []byte(long)), gzipped(t, []byte(short))...), long + short, false},
		{"zstd", "zstd", zstded(t, []byte(short)), short, false},
		{"much zstd", "zstd", zstded(t, []byte(long)), long, false},
		{"zstd of unknown length", "zstd", streamed(t, long), long, false},
		{"a gzip bomb", "gzip", bomb, tooLong[:textAtFirst-textAtFirst%bodyAtFirst], true},
		{"a gzip bomb that says it is short", "gzip", announcing(bomb, 3), tooLong[:bodyAtFirst], true},
		{"gzip that says it is shorter", "gzip", announcing(gzipped(t, []byte(short)), 3), short, true},
		{"gzip that says it is longer", "gzip", announcing(gzipped(t, []byte(short)), 9_999_999), short, true},
		{"no gzip", "gzip", []byte("x"), "", true},
		{"unknown", "br", []byte("x"), "", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := newMemory()
			full := m.rest()
			text, cut, leave, err := m.wholeText(t.Context(), string(test.body), test.encoding)
			if err != nil {
				t.Fatal(err)
			}
			if text != test.want || (cut != nil) != test.cut {
				t.Errorf("%d bytes, cut off by %v; want %d", len(text), cut, len(test.want))
			}
			if m.rest() == full {
				t.Error("it takes no memory")
			}
			leave()
			if rest := m.rest(); rest != full {
				t.Errorf("memory left %v, at first %v", rest, full)
			}
		})
	}
}

func TestReadBodyTakesWhatArrives(t *testing.T) {
	for _, size := range []int{0, 1, bodyAtFirst, bodyAtFirst + 1, 10_000, bodyThen, bodyThen + 1, 1_000_000, api.MaxBodyBytes} {
		for _, announced := range []int64{int64(size), -1} {
			m := newMemory()
			full := m.rest()
			body := strings.Repeat("x", size)
			r := httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader(body))
			r.ContentLength = announced
			got, leave, err := m.readBody(httptest.NewRecorder(), r)
			if err != nil || got != body {
				t.Fatalf("%d bytes: got %d, %v", size, len(got), err)
			}
			rest := m.rest()
			if taken := full[0] + full[1] - rest[0] - rest[1]; taken < int64(size) || taken > 2*int64(size)+bodyAtFirst {
				t.Errorf("%d bytes take %d", size, taken)
			}
			leave()
			if rest := m.rest(); rest != full {
				t.Errorf("memory left %v, at first %v", rest, full)
			}
		}
	}
}

// Who announces much and sends little takes little; what there is no memory for is
// asked to come back, while small bodies go on.
func TestLargeBodiesDoNotHinderSmallOnes(t *testing.T) {
	m := newMemory()
	full := m.rest()
	var all []func()
	send := func(size int) error {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader(strings.Repeat("x", size)))
		r.ContentLength = api.MaxBodyBytes
		_, leave, err := m.readBody(httptest.NewRecorder(), r)
		all = append(all, leave)
		return err
	}
	refused := 0
	for range 2 * largeArriving / api.MaxBodyBytes {
		if err := send(api.MaxBodyBytes); err != nil {
			if got := status(t, err); got != 503 {
				t.Fatalf("status %d", got)
			}
			refused++
		}
	}
	if refused == 0 {
		t.Error("there is memory for everything")
	}
	if err := send(100); err != nil {
		t.Errorf("a small body beside them: %v", err)
	}
	leave, err := m.work(t.Context(), largeAtWork/workOfText, 0)
	if err != nil {
		t.Fatal(err)
	}
	all = append(all, leave)
	busy, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, _, err := m.wholeText(busy, strings.Repeat(" ", api.MaxInflatedBytes), ""); status(t, err) != 503 {
		t.Errorf("a large text beside them: %v", err)
	}
	_, _, leave, err = m.wholeText(t.Context(), "small", "")
	if err != nil {
		t.Fatalf("a small text beside them: %v", err)
	}
	all = append(all, leave)
	for _, leave := range all {
		leave()
	}
	if rest := m.rest(); rest != full {
		t.Errorf("memory left %v, at first %v", rest, full)
	}
}

// A usual report of five events, as trackerd sends it.
func BenchmarkUsualGzip(b *testing.B) {
	const events = 5
	body := string(gzipped(b, []byte(`{"events":[`+strings.Repeat(usualEvent+",", events-1)+usualEvent+`]}`)))
	m := newMemory()
	b.ReportAllocs()
	for b.Loop() {
		_, cut, leave, err := m.wholeText(b.Context(), body, "gzip")
		if cut != nil || err != nil {
			b.Fatal(cut, err)
		}
		leave()
	}
}
