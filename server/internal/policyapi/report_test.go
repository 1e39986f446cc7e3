package policyapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
)

// What an agent sends, whose tests have the same file, is read whole.
func TestAgentsReport(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "api", "testdata", "heartbeat.json"))
	if err != nil {
		t.Fatal(err)
	}
	var sent map[string]string
	if err := json.Unmarshal(text, &sent); err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	for name, value := range sent {
		h.Set(name, value)
	}
	r := reportOf(h, time.Date(2026, time.November, 30, 7, 0, 0, 0, time.UTC))
	if r.Version != "1.2~rc1" || r.ClockOffset == nil || *r.ClockOffset != 5 || !slices.Equal(r.Unseen, []string{"focus_missing", "lock_unknown"}) {
		t.Errorf("%+v", r)
	}
}

// What a host reports of itself is read as far as it is in the contract; nothing that it
// sends is refused, and nothing of it is longer than may be.
func TestReportOf(t *testing.T) {
	now := time.Date(2026, time.November, 30, 10, 0, 0, 500_000_000, time.UTC)
	for name, tc := range map[string]struct {
		agent, clock, unseen string
		want                 string // version, offset, codes
	}{
		"usual":                {"trackerd/0.1.0~20261130.052334.gabc", "2026-11-30T10:00:03.6Z", "lock_unknown, focus_missing", "0.1.0~20261130.052334.gabc 3 [focus_missing lock_unknown]"},
		"rounded down":         {"trackerd/1", "2026-11-30T10:00:03.2Z", "none", "1 3 []"},
		"behind, another zone": {"trackerd/1", "2026-11-30T12:58:00.4+03:00", "none", "1 -120 []"},
		"behind by a fraction": {"trackerd/1", "2026-11-30T09:59:58.9+00:00", "", "1 -2 unknown"},
		"an older agent":       {"Go-http-client/2.0", "2026-11-30T10:00:03Z", "lock_unknown", " unknown unknown"},
		"nothing":              {"", "", "", " unknown unknown"},
		"no session":           {"trackerd/1.2", "2026-11-30T10:00:00.5Z", "", "1.2 0 unknown"},
		"a newer agent's code": {"trackerd/9", "", "never_heard_of,none", "9 unknown [never_heard_of]"},
		"the year 1":           {"trackerd/1", "0001-01-01T00:00:00Z", "none", "1 -63931629600 []"},
		"the year 9999":        {"trackerd/1", "9999-12-31T23:59:59Z", "none", "1 251606267999 []"},
		"no time":              {"trackerd/1", "tomorrow", "none", "1 unknown []"},
		"a version too long":   {"trackerd/" + strings.Repeat("1", api.MaxAgentVersionBytes+1), "2026-11-30T10:00:03Z", "none", " unknown unknown"},
		"markup":               {"trackerd/<b>1</b>", "<b>", "<script>", " unknown unknown"},
		"markup among codes":   {"trackerd/1", "", "<b>, lock_unknown ,\u202eno,UPPER," + strings.Repeat("x", api.MaxUnseenBytes+1), "1 unknown [lock_unknown]"},
		"bidi":                 {"trackerd/1\u202e2", "", "", " unknown unknown"},
		"each once":            {"trackerd/1", "", "b,a,b,,a", "1 unknown [a b]"},
		"a million codes":      {"trackerd/1", "", strings.Repeat("a,", 1_000_000), "1 unknown unknown"},
	} {
		h := http.Header{"User-Agent": {tc.agent}, api.ClockHeader: {tc.clock}, api.UnseenHeader: {tc.unseen}}
		r := reportOf(h, now)
		offset, codes := "unknown", "unknown"
		if r.ClockOffset != nil {
			offset = fmt.Sprint(*r.ClockOffset)
		}
		if r.Unseen != nil {
			codes = fmt.Sprint(r.Unseen)
		}
		if got := r.Version + " " + offset + " " + codes; got != tc.want {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
	var many []string
	for c := 'a'; c <= 'z'; c++ {
		many = append(many, string(c))
	}
	if got := unseen(strings.Join(many, ",")); !slices.Equal(got, many[:api.MaxUnseen]) {
		t.Errorf("of 26 codes: %q", got)
	}
	// All that there are fit.
	many = nil
	for _, code := range api.UnseenCodes() {
		many = append(many, string(code))
	}
	if got := unseen(strings.Join(many, ", ")); len(got) != len(api.UnseenCodes()) {
		t.Errorf("of our own codes: %q", got)
	}
}
