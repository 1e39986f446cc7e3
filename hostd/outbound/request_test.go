package outbound

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A request goes below the server's URL, as this host; of a wrong URL nothing is shown.
func TestRequest(t *testing.T) {
	target := Target{URL: "https://tracker.example/below/", Credential: "id.secret"}
	req, err := target.Request(t.Context(), http.MethodPost, "api/receipts", []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(req.Body)
	if err != nil || string(body) != "{}" || req.ContentLength != 2 {
		t.Errorf("body %q, %v", body, err)
	}
	if got := req.URL.String() + " " + req.Header.Get("Authorization") + " " + req.Header.Get("Content-Type"); got != "https://tracker.example/below/api/receipts Bearer id.secret application/json" {
		t.Error(got)
	}
	if _, err := (Target{URL: "https://x\x7f"}).Request(t.Context(), http.MethodGet, "api/policy", nil); err == nil || strings.Contains(err.Error(), "https") {
		t.Error(err)
	}
}

func TestRefusal(t *testing.T) {
	for answer, want := range map[string][2]string{
		``: {}, `[]`: {}, `{"code":7}`: {}, `<html>`: {},
		`{"code":"foreign_machine","detail":"another\nhost"}`: {"foreign_machine", "another; host"},
		`{"code":"Not a code","title":"Gone"}`:                {"", "Gone"},
		`{"code":"` + strings.Repeat("a", maxCode+1) + `"}`:   {},
	} {
		if code, detail := Refusal([]byte(answer)); string(code) != want[0] || detail != want[1] {
			t.Errorf("%s: %q, %q", answer, code, detail)
		}
	}
	if _, detail := Refusal([]byte(`{"detail":"` + strings.Repeat("a", 2*MaxDetail) + `"}`)); len(detail) > MaxDetail+len("…") {
		t.Errorf("%d bytes", len(detail))
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "3601": time.Hour, "99999999999999999999999": time.Hour,
		"-5": 0, "1.5": 0, "soon": 0, "Sun, 22 Nov 2026 20:01:00 GMT": time.Minute,
		"Sun, 22 Nov 2026 19:00:00 GMT": 0, "Sun, 22 Nov 2099 19:00:00 GMT": time.Hour,
		"Sunday, 22-Nov-26 20:00:30 GMT": 30 * time.Second,
	} {
		if got := RetryAfter(header, now); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"7", "-1", "Sun, 22 Nov 2026 20:01:00 GMT", "99999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		if d := RetryAfter(header, time.Unix(1_800_000_000, 0)); d < 0 || d > maxRetryAfter {
			t.Errorf("%q: %v", header, d)
		}
	})
}
