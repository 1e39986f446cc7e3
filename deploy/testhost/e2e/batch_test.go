package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
)

// TestBadBatch sends one batch with good events and every kind of bad one. The
// good are stored, each bad one is named, and nothing blocks.
func TestBadBatch(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	credential := enrollByHand(t, srv, strings.Repeat("ab", 16))
	const machine = "byhand-ababab-alice"
	event := func(minute int, rest string) string {
		at := time.Now().UTC().Truncate(time.Hour).Add(time.Duration(minute-60) * time.Minute)
		return fmt.Sprintf(`{"machine_id":%q,"timestamp":%q,"key_count":1%s}`, machine, at.Format(time.RFC3339), rest)
	}
	stamped := func(timestamp string) string {
		return fmt.Sprintf(`{"machine_id":%q,"timestamp":%q,"key_count":1}`, machine, timestamp)
	}
	at := func(timestamp string) string {
		return fmt.Sprintf(`{"machine_id":%q,"timestamp":%q,"key_count":1000}`, machine, timestamp)
	}
	now := time.Now().UTC().Truncate(time.Hour).Add(-2 * time.Hour)
	batch := []struct {
		event string
		code  api.Code // empty for a good one
	}{
		{event(0, ""), ""},
		{event(1, `,"active_window":"nul \u0000 here"`), api.CodeBadText},
		{event(2, `,"active_window":"`+strings.Repeat("x", 1<<20)+`"`), api.CodeTooLong},
		{at("1970-01-01T00:00:00Z"), api.CodeBadTimestamp},
		{at("2100-01-01T00:00:00Z"), api.CodeBadTimestamp},
		{event(3, `,"mouse_clicks":-1`), api.CodeOutOfRange},
		{event(4, `,"some_later_field":{"deep":[1,2,3]}`), ""},
		{event(5, `,"scroll_count":"three"`), api.CodeBadEvent},
		{event(6, ""), ""},
		// RFC 3339 to the letter: its lower case and leap seconds, and nothing like it.
		{stamped(now.Add(17 * time.Minute).Format("2006-01-02t15:04:05z")), ""},
		{stamped(now.AddDate(0, 0, -1).Format(time.DateOnly) + "T23:59:60Z"), ""},
		{at(now.Format(time.DateOnly) + "T1:12:00Z"), api.CodeBadTimestamp},
		{at(now.Format(time.DateOnly) + "T12:00:00,5Z"), api.CodeBadTimestamp},
		{at(now.Format(time.DateOnly) + "T12:00:00+24:00"), api.CodeBadTimestamp},
		{at(now.Format(time.DateOnly) + "T12:00:00+14:60"), api.CodeBadTimestamp},
	}
	good := 0
	var events []string
	for _, b := range batch {
		events = append(events, b.event)
		if b.code == "" {
			good++
		}
	}
	body := `{"events":[` + strings.Join(events, ",") + `]}`
	for attempt, stored := range []string{"accepted", "duplicates"} {
		code, r, err := srv.Request(t.Context(), "POST", "/api/events", credential, body)
		if err != nil || code != http.StatusOK {
			t.Fatalf("attempt %d: %d, %v: %s", attempt, code, err, r.Body)
		}
		var reply api.IngestReply
		if err := json.Unmarshal(r.Body, &reply); err != nil {
			t.Fatal(err)
		}
		if got := map[string]int{"accepted": reply.Accepted, "duplicates": reply.Duplicates}; got[stored] != good || len(reply.Rejected) != len(batch)-good {
			t.Errorf("attempt %d: the reply is %+v", attempt, reply)
		}
		named := map[int]api.Code{}
		for _, bad := range reply.Rejected {
			named[bad.Index] = bad.Code
			if bad.Message == "" {
				t.Errorf("event %d is rejected without a reason", bad.Index)
			}
		}
		for i, b := range batch {
			if named[i] != b.code {
				t.Errorf("attempt %d: event %d is rejected with %q, want %q", attempt, i, named[i], b.code)
			}
		}
	}
	got, err := srv.Events(t.Context(), machine)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != good || add(got).Keys != int64(good) {
		t.Errorf("stored are %+v, want the %d good events", got, good)
	}
	wantTypes(t, srv, credential)
}

// wantTypes sends batches under several declarations of what they are.
func wantTypes(t *testing.T, srv *server, credential string) {
	t.Helper()
	for declared, want := range map[string]int{
		"": 200, "application/json": 200, "application/json; charset=UTF-8": 200, "text/plain": 200, "application/x-www-form-urlencoded": 200,
		"application/json; charset=utf-16": 415, "text/plain; charset=iso-8859-1": 415, "application/xml": 415,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+srv.Addr+"/api/events", strings.NewReader(`{"events":[]}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+credential)
		if declared != "" {
			req.Header.Set("Content-Type", declared)
		}
		resp, err := srv.HTTP.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != want {
			t.Errorf("declared as %q: %d, want %d", declared, resp.StatusCode, want)
		}
	}
}

// enrollByHand is a host that speaks for itself.
func enrollByHand(t *testing.T, srv *server, hostID string) (credential string) {
	t.Helper()
	token := srv.command(t, "enrollment", "create", "--uses", "1")
	code, r, err := srv.Request(t.Context(), "POST", "/api/enroll", "",
		api.EnrollRequest{EnrollmentToken: token, HostID: hostID, Hostname: "byhand"})
	if err != nil || code != http.StatusCreated {
		t.Fatalf("enroll: %d, %v: %s", code, err, r.Body)
	}
	var enrolled api.EnrollReply
	if err := json.Unmarshal(r.Body, &enrolled); err != nil {
		t.Fatal(err)
	}
	return enrolled.Credential
}
