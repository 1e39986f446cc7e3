package httpapi_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/auth"
	"activity-tracker.example/server/internal/secret"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
)

func TestWhoMayCallWhat(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	host := b.Host("h")
	b.Send(host, servertest.Minute("m", 0))
	viewer, admin := b.Token(directory.RoleViewer), b.Token(directory.RoleAdmin)
	wrong, _, _ := strings.Cut(viewer, ".")
	_, other, _ := strings.Cut(admin, ".")
	const day = "?date=2024-01-15"
	const days = "?from=2024-01-15&to=2024-01-15"
	const span = "?start=2024-01-15T00:00:00Z&end=2024-01-16T00:00:00Z"
	routes := []struct {
		method, path string
		body         any
		// What each of nobody, a wrong secret, a host, a viewer and an admin get.
		nobody, wrong, host, viewer, admin int
	}{
		{"GET", "/healthz", nil, 200, 200, 200, 200, 200},
		{"GET", "/readyz", nil, 200, 200, 200, 200, 200},
		{"GET", "/metrics", nil, 200, 200, 200, 200, 200},
		{"GET", "/api/openapi.json", nil, 200, 200, 200, 200, 200},
		{"POST", "/api/enroll", api.EnrollRequest{EnrollmentToken: secret.New(secret.KindEnrollment).Reveal(), HostID: "x"}, 401, 401, 401, 403, 403},
		{"POST", "/api/events", api.EventBatch{Events: []api.Event{}}, 401, 401, 200, 403, 403},
		{"GET", "/api/machines", nil, 401, 401, 403, 200, 200},
		{"GET", "/api/machines/m", nil, 401, 401, 403, 200, 200},
		{"GET", "/api/machines/none", nil, 401, 401, 403, 404, 404},
		{"PATCH", "/api/machines/m", map[string]string{"user_label": "x"}, 401, 401, 403, 403, 200},
		{"PATCH", "/api/machines/none", map[string]string{"user_label": "x"}, 401, 401, 403, 403, 404},
		{"GET", "/api/activity/m/events" + span, nil, 401, 401, 403, 200, 200},
		{"GET", "/api/activity/none/events" + span, nil, 401, 401, 403, 404, 404},
		{"GET", "/api/activity/m/summary" + day, nil, 401, 401, 403, 200, 200},
		{"GET", "/api/activity/none/summary" + day, nil, 401, 401, 403, 404, 404},
		{"GET", "/api/activity/m/timeline" + day, nil, 401, 401, 403, 200, 200},
		{"GET", "/api/activity/none/timeline" + day, nil, 401, 401, 403, 404, 404},
		{"GET", "/api/activity/%00/timeline" + day, nil, 401, 401, 403, 404, 404},
		{"GET", "/api/reports/activity" + days, nil, 401, 401, 403, 200, 200},
		{"GET", "/api/reports/activity" + days + "&machine_id=none", nil, 401, 401, 403, 404, 404},
		{"GET", "/api/reports/apps" + days, nil, 401, 401, 403, 200, 200},
		{"GET", "/api/reports/apps" + days + "&machine_id=%00", nil, 401, 401, 403, 404, 404},
		{"GET", "/api/categories", nil, 401, 401, 403, 200, 200},
		{"PUT", "/api/categories", api.CategoryList{Categories: []api.Category{}}, 401, 401, 403, 403, 428},
	}
	for _, r := range routes {
		for _, who := range []struct {
			name, bearer string
			want         int
		}{
			{"nobody", "", r.nobody},
			{"wrong", wrong + "." + other, r.wrong},
			{"host", host, r.host},
			{"viewer", viewer, r.viewer},
			{"admin", admin, r.admin},
		} {
			got := b.Do(r.method, r.path, who.bearer, r.body)
			// The failures of this test are many: 429 is as good as 401.
			status := got.Status
			if status == 429 {
				status = 401
			}
			if status != who.want {
				t.Errorf("%s for %s: %d, want %d: %s", got.What, who.name, got.Status, who.want, got.Body)
			}
			if status >= 400 && got.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s for %s: %v", got.What, who.name, got.Header)
			}
			if got.Status == 401 && got.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s for %s: no WWW-Authenticate", got.What, who.name)
			}
		}
	}
}

// Of two credentials none counts: a proxy may have validated the other.
func TestTwoAuthorizations(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	admin := "Bearer " + b.Token(directory.RoleAdmin)
	for _, list := range [][]string{{admin, admin}, {admin, "Basic eDp5"}, {"", admin}} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.URL+"/api/machines", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header["Authorization"] = list
		res, err := b.HTTP.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%d headers: %d", len(list), res.StatusCode)
		}
	}
}

func TestTooManyFailures(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	viewer := b.Token(directory.RoleViewer)
	for range auth.FailureBurst {
		b.Do(http.MethodGet, "/api/machines", secret.New(secret.KindToken).Reveal(), nil).Refused(401, api.CodeUnauthorized)
	}
	r := b.Do(http.MethodGet, "/api/machines", "", nil)
	r.Refused(429, api.CodeRateLimited)
	if r.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	b.Do(http.MethodPost, "/api/enroll", "", api.EnrollRequest{EnrollmentToken: "guess"}).Refused(429, api.CodeRateLimited)
	// Everybody behind one proxy shares an address: a good token still works.
	b.Do(http.MethodGet, "/api/machines", viewer, nil).Wants(200, nil)
}

// The batch of the issue: each bad event is named, the good ones are stored.
func TestBadBatch(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	host, viewer := b.Host("h"), b.Token(directory.RoleViewer)
	good := func(i int, more string) string {
		return fmt.Sprintf(`{"machine_id":"m","timestamp":"2024-01-15T10:%02d:00Z","key_count":1%s}`, i, more)
	}
	body := `{"events":[` + strings.Join([]string{
		good(0, ""),
		good(1, `,"active_window":"a\u0000b"`),
		good(2, `,"active_window":"`+strings.Repeat("x", 1<<20)+`"`),
		`{"machine_id":"m","timestamp":"1970-01-01T00:00:00Z"}`,
		`{"machine_id":"m","timestamp":"2100-01-01T00:00:00Z"}`,
		good(3, `,"mouse_clicks":-1`),
		good(4, `,"from_the_future":{"x":[1]}`),
		good(0, ""), // twice in one batch
		good(5, ",\"active_window\":\"bad \xff UTF-8, \\ud800, \\u0007 and \\\"quotes\\\"; DROP TABLE event\""),
	}, ",") + `]}`
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write([]byte(body)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	r := b.Do(http.MethodPost, "/api/events", host, zipped.Bytes(), "Content-Encoding", "gzip")
	r.Wants(200, nil)
	golden(t, "bad_batch.json", r.Body)
	if s := b.Summary(viewer, "m", "date=2024-01-15"); s.KeyCount != 3 {
		t.Errorf("%d keys, want 3", s.KeyCount)
	}
}

// golden compares JSON with a file of testdata; UPDATE_GOLDEN=1 writes it.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, got, "", "  "); err != nil {
		t.Fatalf("%v: %s", err, got)
	}
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, pretty.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(pretty.Bytes(), want) {
		t.Errorf("%s differs:\n%s", name, pretty.Bytes())
	}
}

// day is a machine's morning with every field in use.
func day(machine string) []api.Event {
	start := servertest.At("2024-01-15T08:00:00Z")
	full := api.Event{
		MachineID: machine, Timestamp: start, KeyCount: 120, MouseClicks: 15, MouseDistancePx: 4000, ScrollCount: 7,
		ActiveWindow: "report.odt — Writer", ActiveApp: "soffice", CPUPercent: ptr(12.3), RAMUsedPercent: ptr(45.6),
		DiskUsedPercent: ptr(78.9), IntervalSec: ptr[int64](60), ActiveSeconds: ptr(42.5), Connected: ptr(true),
		SessionKind: api.SessionRDP, SyntheticCount: ptr[int64](3), Username: "user1", UserCPUPercent: ptr(150.5),
		UserRAMBytes: ptr[int64](1 << 33),
		Focus:        []api.Focus{{App: "soffice", Title: "report.odt — Writer", Seconds: 40.25}, {App: "xterm", Seconds: 19.75}},
	}
	plain := api.Event{MachineID: machine, Timestamp: start.Add(time.Hour), KeyCount: 5, ActiveApp: "xterm", DistanceUnit: api.UnitDevice}
	idle := api.Event{
		MachineID: machine, Timestamp: start.Add(2 * time.Hour), ActiveApp: "xterm", IsIdle: true, IntervalSec: ptr[int64](300),
		SessionKind: api.SessionVirtual,
	}
	return []api.Event{full, plain, idle}
}

func TestReplies(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	host, viewer := b.Host("h"), b.Token(directory.RoleViewer)
	const id = `DOMAIN\user 1/ä%41`
	b.Send(host, day(id)...)
	path := "/api/activity/" + url.PathEscape(id)
	for name, target := range map[string]string{
		"machine.json":         "/api/machines/" + url.PathEscape(id),
		"summary.json":         path + "/summary?date=2024-01-15&tz=Europe/Moscow",
		"summary_nothing.json": path + "/summary?date=2024-01-16",
		"timeline.json":        path + "/timeline?date=2024-01-15",
		"events.json":          path + "/events?start=2024-01-15T11:00:00%2B03:00&end=2024-01-15T10:00:00Z",
	} {
		r := b.Do(http.MethodGet, target, viewer, nil)
		r.Wants(200, nil)
		golden(t, name, r.Body)
	}
}

func TestBadQuestions(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	viewer := b.Token(directory.RoleViewer)
	b.Send(b.Host("h"), servertest.Minute("m", 0))
	const a = "/api/activity/m"
	const span = "start=2024-01-15T00:00:00Z&end=2024-01-16T00:00:00Z"
	for _, path := range []string{
		a + "/summary", a + "/summary?date=yesterday", a + "/summary?date=2024-02-30", a + "/summary?date=2024-01-15&tz=Nowhere",
		a + "/timeline", a + "/timeline?date=2024-01-15&tz=../etc", a + "/timeline?date=0001-01-01",
		a + "/events", a + "/events?start=2024-01-15T00:00:00Z", a + "/events?start=1&end=2",
		a + "/events?start=2024-01-16T00:00:00Z&end=2024-01-15T00:00:00Z",
		a + "/events?" + span + "&limit=0", a + "/events?" + span + "&limit=5001", a + "/events?" + span + "&limit=x",
		a + "/events?" + span + "&cursor=x", a + "/events?" + span + "&cursor=bQ", "/api/machines?cursor=ZTE",
		"/api/machines?limit=-1", "/api/machines?cursor=bQBi",
	} {
		b.Do(http.MethodGet, path, viewer, nil).Refused(400, api.CodeBadRequest)
	}
}

func TestPages(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	host, viewer := b.Host("h"), b.Token(directory.RoleViewer)
	const n = 25
	var events []api.Event
	for i := range n {
		events = append(events, servertest.Minute("m", i), servertest.Minute(fmt.Sprintf("other-%02d", i), 0))
	}
	b.Send(host, events...)

	var times []time.Time
	for cursor, pages := "", 0; ; pages++ {
		var page api.EventList
		b.Do(http.MethodGet, "/api/activity/m/events?start=2024-01-15T00:00:00Z&end=2024-01-16T00:00:00Z&limit=10&cursor="+cursor, viewer, nil).Wants(200, &page)
		for _, e := range page.Events {
			times = append(times, e.Timestamp)
		}
		if cursor = page.NextCursor; cursor == "" {
			if pages != 2 {
				t.Errorf("%d pages before the last, want 2", pages)
			}
			break
		}
	}
	if len(times) != n || !slices.IsSortedFunc(times, time.Time.Compare) {
		t.Errorf("%d events: %v", len(times), times)
	}

	var ids []string
	for cursor := ""; ; {
		var page api.MachineList
		b.Do(http.MethodGet, "/api/machines?limit=13&cursor="+cursor, viewer, nil).Wants(200, &page)
		for _, m := range page.Machines {
			ids = append(ids, m.MachineID)
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	if len(ids) != n+1 || !slices.IsSorted(ids) || len(slices.Compact(ids)) != n+1 {
		t.Errorf("%d machines: %v", len(ids), ids)
	}
}

func TestDaysWhereClocksChange(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	host, viewer := b.Host("h"), b.Token(directory.RoleViewer)
	// One event in each hour around two changes in Berlin.
	var events []api.Event
	for _, from := range []string{"2024-03-30T20:00:00Z", "2024-10-26T20:00:00Z"} {
		for i := range 32 {
			events = append(events, api.Event{MachineID: "m", Timestamp: servertest.At(from).Add(time.Duration(i) * time.Hour), KeyCount: 1, ActiveSeconds: ptr(30.0)})
		}
	}
	b.Send(host, events...)
	for date, hours := range map[string]int{"2024-03-31": 23, "2024-10-27": 25} {
		query := "date=" + date + "&tz=Europe/Berlin"
		s := b.Summary(viewer, "m", query)
		var line api.Timeline
		b.Do(http.MethodGet, "/api/activity/m/timeline?"+query, viewer, nil).Wants(200, &line)
		if s.KeyCount != int64(hours) || len(line.Hours) != hours {
			t.Errorf("%s: %d keys and %d hours, want %d", date, s.KeyCount, len(line.Hours), hours)
		}
		for _, h := range line.Hours {
			if h.KeyCount != 1 {
				t.Errorf("%s: %+v", date, h)
			}
		}
	}
}

func TestLabel(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	admin := b.Token(directory.RoleAdmin)
	b.Send(b.Host("h"), servertest.Minute("m", 0))
	var m api.Machine
	b.Do(http.MethodPatch, "/api/machines/m", admin, map[string]any{"user_label": "  Empfang ☎ ", "more": 1}).Wants(200, &m)
	if m.UserLabel != "Empfang ☎" {
		t.Errorf("label %q", m.UserLabel)
	}
	for _, bad := range []string{`{}`, `{"user_label":null}`, `{"user_label":1}`, `x`, `{"user_label":"a\u0000"}`, `{"user_label":"a\nb"}`, `{"user_label":"` + strings.Repeat("x", 257) + `"}`} {
		b.Do(http.MethodPatch, "/api/machines/m", admin, []byte(bad)).Refused(400, api.CodeBadRequest)
	}
	b.Do(http.MethodGet, "/api/machines/m", admin, nil).Wants(200, &m)
	if m.UserLabel != "Empfang ☎" {
		t.Errorf("label %q after refused changes", m.UserLabel)
	}
	b.Do(http.MethodPatch, "/api/machines/m", admin, map[string]any{"user_label": ""}).Wants(200, &m)
	if m.UserLabel != "" {
		t.Errorf("label %q, want none", m.UserLabel)
	}
}

func TestMachineFollowsItsEvents(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	host, viewer := b.Host("h"), b.Token(directory.RoleViewer)
	now := time.Now().UTC().Truncate(time.Second)
	look := func() (m api.Machine) {
		t.Helper()
		b.Do(http.MethodGet, "/api/machines/m", viewer, nil).Wants(200, &m)
		return m
	}
	e := api.Event{MachineID: "m", Timestamp: now.Add(-2 * time.Minute), Username: "user1"}
	b.Send(host, e)
	m := look()
	if m.Status != api.MachineActive || m.Username != "user1" || m.Hostname != "h.example" ||
		!m.FirstSeen.Equal(e.Timestamp) || !m.LastSeen.Equal(e.Timestamp.Add(time.Minute)) {
		t.Errorf("after the first event: %+v", m)
	}
	// A late, older event changes only first_seen.
	old := api.Event{MachineID: "m", Timestamp: now.Add(-time.Hour), Username: "older", IsIdle: true}
	b.Send(host, old)
	if late := look(); late.Status != api.MachineActive || late.Username != "user1" || !late.FirstSeen.Equal(old.Timestamp) || !late.LastSeen.Equal(m.LastSeen) {
		t.Errorf("after a late event: %+v", late)
	}
	b.Send(host, api.Event{MachineID: "m", Timestamp: now.Add(-time.Minute), IsIdle: true})
	if m = look(); m.Status != api.MachineIdle || m.Username != "user1" {
		t.Errorf("after an idle event: %+v", m)
	}
	// A host whose clock is ahead can't be seen in the future.
	b.Send(host, api.Event{MachineID: "m", Timestamp: now.Add(20 * time.Hour)})
	if m = look(); m.LastSeen.After(time.Now().Add(time.Minute)) {
		t.Errorf("last seen %v", m.LastSeen)
	}
	b.Send(host, api.Event{MachineID: "gone", Timestamp: now.Add(-9 * time.Minute)})
	b.Do(http.MethodGet, "/api/machines/gone", viewer, nil).Wants(200, &m)
	if m.Status != api.MachineOffline {
		t.Errorf("silent for 8 minutes: %+v", m)
	}
}

// Two servers get the same batches at once, in different orders: each event is
// stored once, nothing deadlocks, and the counts add up.
func TestTwoServersSameBatch(t *testing.T) {
	databaseURL := servertest.NewDatabase(t)
	servers := []*servertest.Bench{servertest.New(t, databaseURL), servertest.New(t, databaseURL)}
	host := servers[0].Host("h")
	for round := range 5 {
		var events []api.Event
		for m := range 20 {
			for i := range 10 {
				events = append(events, servertest.Minute(fmt.Sprintf("m-%d-%d", round, m), i))
			}
		}
		backwards := slices.Clone(events)
		slices.Reverse(backwards)
		var mu sync.Mutex
		var accepted, duplicates int
		var wait sync.WaitGroup
		for i := range 6 {
			batch := [][]api.Event{events, backwards}[i%2]
			wait.Go(func() {
				r, err := servers[i%2].Try(http.MethodPost, "/api/events", host, api.EventBatch{Events: batch})
				var got api.IngestReply
				if err == nil {
					err = json.Unmarshal(r.Body, &got)
				}
				if err != nil || r.Status != 200 {
					t.Errorf("%v: %s", err, r.Body)
				}
				mu.Lock()
				defer mu.Unlock()
				accepted += got.Accepted
				duplicates += got.Duplicates
			})
		}
		wait.Wait()
		if accepted != len(events) || duplicates != 5*len(events) {
			t.Fatalf("%d accepted and %d duplicates of %d events sent 6 times", accepted, duplicates, len(events))
		}
	}
}

// Many hosts claim the same new machine at once: one gets it, for good.
func TestForeignMachine(t *testing.T) {
	databaseURL := servertest.NewDatabase(t)
	servers := []*servertest.Bench{servertest.New(t, databaseURL), servertest.New(t, databaseURL)}
	const hosts = 6
	var credentials []string
	for i := range hosts {
		credentials = append(credentials, servers[0].Host(fmt.Sprintf("h%d", i)))
	}
	for round := range 5 {
		machine := fmt.Sprintf("m%d", round)
		replies := make([]api.IngestReply, hosts)
		var wait sync.WaitGroup
		for i := range hosts {
			wait.Go(func() {
				own := servertest.Minute(fmt.Sprintf("own-%d", i), round)
				r, err := servers[i%2].Try(http.MethodPost, "/api/events", credentials[i], api.EventBatch{Events: []api.Event{own, servertest.Minute(machine, i), own}})
				if err == nil {
					err = json.Unmarshal(r.Body, &replies[i])
				}
				if err != nil || r.Status != 200 {
					t.Errorf("%v: %s", err, r.Body)
				}
			})
		}
		wait.Wait()
		owners := 0
		for _, r := range replies {
			switch {
			case r.Accepted == 2 && r.Duplicates == 1 && len(r.Rejected) == 0:
				owners++
			case r.Accepted == 1 && r.Duplicates == 1 && len(r.Rejected) == 1 &&
				r.Rejected[0].Code == api.CodeForeignMachine && r.Rejected[0].Index == 1:
			default:
				t.Errorf("reply %+v", r)
			}
		}
		if owners != 1 {
			t.Errorf("%d hosts own %s", owners, machine)
		}
	}
}

// A credential that one server knows is refused there as soon as another server
// has given the host a new one.
func TestRevokedThroughAnotherServer(t *testing.T) {
	databaseURL := servertest.NewDatabase(t)
	one, other := servertest.New(t, databaseURL), servertest.New(t, databaseURL)
	old := one.Host("h")
	for i := range 3 {
		one.Send(old, servertest.Minute("m", i))
	}
	var anew api.EnrollReply
	enroll(other, other.Enrollment(1, time.Hour, "h"), "h", "").Wants(201, &anew)
	one.Do(http.MethodPost, "/api/events", old, api.EventBatch{Events: []api.Event{servertest.Minute("m", 9)}}).Refused(401, api.CodeUnauthorized)
	if got := one.Send(anew.Credential, servertest.Minute("m", 9)); got.Accepted != 1 {
		t.Errorf("%+v", got)
	}
}

func enroll(b *servertest.Bench, token, host, bearer string) servertest.Reply {
	b.T.Helper()
	return b.Do(http.MethodPost, "/api/enroll", bearer, api.EnrollRequest{EnrollmentToken: token, HostID: host, Hostname: "name"})
}

// A token given to one person enrols no host, and one for a host no person: not
// for a new host_id, and not for one that is enrolled.
func TestEnrolmentKinds(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	token := func(kind api.EnrollKind, host string) string {
		return b.EnrollmentFor(directory.Enrollment{Kind: kind, UsesLeft: 1, ForHost: host, ExpiresAt: time.Now().Add(time.Hour)})
	}
	enroll := func(token, host string, kind api.EnrollKind) servertest.Reply {
		return b.Do(http.MethodPost, "/api/enroll", "", api.EnrollRequest{EnrollmentToken: token, HostID: host, Hostname: "name", Kind: kind})
	}
	enroll(token(api.EnrollUser, ""), "person", api.EnrollUser).Wants(201, nil)
	enroll(token(api.EnrollHost, ""), "host", "").Wants(201, nil)
	enroll(token(api.EnrollUser, ""), "other", "").Refused(401, api.CodeBadToken)
	enroll(token(api.EnrollHost, ""), "other", api.EnrollUser).Refused(401, api.CodeBadToken)
	// A token made for a host_id never makes a host one person's.
	enroll(token(api.EnrollUser, "host"), "host", api.EnrollUser).Refused(401, api.CodeBadToken)
	enroll(token(api.EnrollUser, "person"), "person", api.EnrollUser).Wants(201, nil)
	// A person who took a host's host_id does not keep it from the host.
	var taken api.EnrollReply
	enroll(token(api.EnrollUser, ""), "squatted", api.EnrollUser).Wants(201, &taken)
	enroll(token(api.EnrollHost, ""), "squatted", api.EnrollHost).Refused(409, api.CodeHostEnrolled)
	enroll(token(api.EnrollHost, "squatted"), "squatted", api.EnrollHost).Wants(201, nil)
	b.Do(http.MethodPost, "/api/events", taken.Credential, api.EventBatch{Events: []api.Event{}}).Refused(401, api.CodeUnauthorized)
	enroll(token(api.EnrollUser, "squatted"), "squatted", api.EnrollUser).Refused(401, api.CodeBadToken)
	enroll(token(api.EnrollHost, ""), "x", "robot").Refused(400, api.CodeBadRequest)
}

func TestEnrolment(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	token := b.Enrollment(2, time.Hour, "")
	var first, again, second api.EnrollReply
	enroll(b, token, "h1", "").Wants(201, &first)
	// The reply got lost: the same token works again, at no cost, and the lost
	// credential does not.
	enroll(b, token, "h1", "").Wants(201, &again)
	b.Do(http.MethodPost, "/api/events", first.Credential, api.EventBatch{Events: []api.Event{}}).Refused(401, api.CodeUnauthorized)
	b.Send(again.Credential, servertest.Minute("m1", 0))
	// From now on its machines belong to it: no other token takes it over.
	enroll(b, token, "h1", "").Refused(409, api.CodeHostEnrolled)
	enroll(b, b.Enrollment(1, time.Hour, ""), "h1", "").Refused(409, api.CodeHostEnrolled)
	b.Send(again.Credential, servertest.Minute("m1", 1))
	// Not even a token for another host.
	enroll(b, b.Enrollment(1, time.Hour, "h9"), "h1", "").Refused(401, api.CodeBadToken)

	enroll(b, token, "h2", "").Wants(201, &second)
	enroll(b, token, "h3", "").Refused(401, api.CodeBadToken)
	enroll(b, b.Enrollment(1, -time.Minute, ""), "h3", "").Refused(401, api.CodeBadToken)
	wrong, _, _ := strings.Cut(b.Enrollment(1, time.Hour, ""), ".")
	_, other, _ := strings.Cut(token, ".")
	enroll(b, wrong+"."+other, "h3", "").Refused(401, api.CodeBadToken)
	enroll(b, secret.New(secret.KindEnrollment).Reveal(), "h3", "").Refused(401, api.CodeBadToken)
	enroll(b, b.Token(directory.RoleAdmin), "h3", "").Refused(401, api.CodeBadToken)

	// A host that was installed anew comes back with a token made for it and
	// keeps its machines; so does one that still has its credential.
	var anew, rotated api.EnrollReply
	enroll(b, b.Enrollment(1, time.Hour, "h1"), "h1", "").Wants(201, &anew)
	b.Do(http.MethodPost, "/api/events", again.Credential, api.EventBatch{Events: []api.Event{}}).Refused(401, api.CodeUnauthorized)
	b.Send(anew.Credential, servertest.Minute("m1", 2))
	enroll(b, b.Enrollment(1, time.Hour, ""), "h1", second.Credential).Refused(409, api.CodeHostEnrolled)
	enroll(b, b.Enrollment(1, time.Hour, ""), "h1", anew.Credential).Wants(201, &rotated)
	if got := b.Send(rotated.Credential, servertest.Minute("m1", 3)); got.Accepted != 1 {
		t.Errorf("its own machine is foreign: %+v", got)
	}

	for _, host := range []string{"", "a b", "ä", "a\x00", strings.Repeat("a", 129)} {
		enroll(b, b.Enrollment(1, time.Hour, ""), host, "").Refused(400, api.CodeBadRequest)
	}
	b.Do(http.MethodPost, "/api/enroll", "", []byte("{")).Refused(400, api.CodeBadRequest)
}

// A token with n uses enrols n hosts, however many ask at once.
func TestUsesAreSpentOnce(t *testing.T) {
	databaseURL := servertest.NewDatabase(t)
	servers := []*servertest.Bench{servertest.New(t, databaseURL), servertest.New(t, databaseURL)}
	const uses, hosts = 3, 9
	token := servers[0].Enrollment(uses, time.Hour, "")
	statuses := make([]int, hosts)
	var wait sync.WaitGroup
	for i := range hosts {
		wait.Go(func() {
			r, err := servers[i%2].Try(http.MethodPost, "/api/enroll", "", api.EnrollRequest{EnrollmentToken: token, HostID: fmt.Sprintf("h%d", i)})
			if err != nil {
				t.Error(err)
			}
			statuses[i] = r.Status
		})
	}
	wait.Wait()
	enrolled := 0
	for _, s := range statuses {
		if s == 201 {
			enrolled++
		} else if s != 401 {
			t.Errorf("status %d", s)
		}
	}
	if enrolled != uses {
		t.Errorf("%d hosts enrolled with %d uses", enrolled, uses)
	}
}

func TestLimitsOfABody(t *testing.T) {
	b := servertest.New(t, servertest.NewDatabase(t))
	host := b.Host("h")
	b.Do(http.MethodPost, "/api/events", host, bytes.Repeat([]byte(" "), api.MaxBodyBytes+1)).Refused(413, api.CodeTooLarge)
	var bomb bytes.Buffer
	// The race detector makes better compression take half a minute.
	z, err := gzip.NewWriterLevel(&bomb, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if _, err := z.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	b.Do(http.MethodPost, "/api/events", host, bomb.Bytes(), "Content-Encoding", "gzip").Refused(400, api.CodeBadRequest)
	spaces := bytes.Repeat([]byte(" "), 17<<20)
	bomb.Reset()
	z.Reset(&bomb)
	if _, err := z.Write(spaces); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	b.Do(http.MethodPost, "/api/events", host, bomb.Bytes(), "Content-Encoding", "gzip").Refused(413, api.CodeTooLarge)
	b.Do(http.MethodPost, "/api/events", host, []byte("x"), "Content-Encoding", "br").Refused(415, api.CodeUnsupported)
}
