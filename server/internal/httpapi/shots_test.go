package httpapi_test

import (
	"bytes"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/access"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/policies"
)

// studio is a server with an account of one host, and another host.
type studio struct {
	*servertest.Bench
	host, other, admin string
	taken              time.Time
}

func newStudio(t *testing.T) *studio {
	t.Helper()
	s := &studio{Bench: servertest.New(t, servertest.NewDatabase(t)), taken: time.Now().Add(-time.Minute).Truncate(time.Second)}
	s.host, s.other, s.admin = s.Host("h"), s.Host("other"), s.Token(directory.RoleAdmin)
	s.Send(s.host, servertest.Minute("m1", 0))
	return s
}

// send sends a body as a picture of m1.
func (s *studio) send(host string, body []byte, headers ...string) servertest.Reply {
	s.T.Helper()
	return s.Do(http.MethodPost, servertest.ShotPath("m1", s.taken, "blurred"), host, body, append([]string{"Content-Type", "image/jpeg"}, headers...)...)
}

// What a host sent is listed and shown as it was, once, without what is not needed to draw
// it; nobody's browser takes it for anything else; and who looks is written down.
func TestScreenshots(t *testing.T) {
	s := newStudio(t)
	picture := servertest.Picture(t, 120, 67)
	exif := slices.Insert(slices.Clone(picture), 2, []byte("\xff\xe1\x00\x08Exif\x00\x00")...)
	var first, again api.ScreenshotAdded
	s.send(s.host, exif).Wants(201, &first)
	s.send(s.host, picture).Wants(200, &again)
	if again != first {
		t.Errorf("%v and %v", first, again)
	}
	second := s.Shoot(s.host, "m1", s.taken.Add(-time.Minute))
	var list, rest api.ScreenshotList
	s.Do(http.MethodGet, "/api/people/p1/screenshots?limit=1", s.admin, nil).Wants(200, &list)
	s.Do(http.MethodGet, "/api/people/p1/screenshots?limit=1&cursor="+list.NextCursor, s.admin, nil).Wants(200, &rest)
	if len(list.Screenshots) != 1 || len(rest.Screenshots) != 1 || rest.NextCursor != "" || list.Screenshots[0].ID != second || rest.Screenshots[0].ID != first.ID {
		t.Fatalf("%+v %+v", list, rest)
	}
	if got := rest.Screenshots[0]; got.MachineID != "m1" || !got.TakenAt.Equal(s.taken) || got.Kind != "blurred" || got.Width != 120 || got.Height != 67 || got.Bytes != int64(len(picture)) || got.DeletedAt != nil {
		t.Errorf("%+v", got)
	}
	if rows := s.Do(http.MethodGet, "/api/people/p1/screenshots?format=csv", s.admin, nil).Table(); len(rows) != 3 {
		t.Error(rows)
	}
	span := "?start=" + s.taken.UTC().Format(time.RFC3339) + "&end=" + s.taken.Add(time.Second).UTC().Format(time.RFC3339)
	s.Do(http.MethodGet, "/api/people/p1/screenshots"+span, s.admin, nil).Wants(200, &rest)
	if len(rest.Screenshots) != 1 || rest.Screenshots[0].ID != first.ID {
		t.Errorf("%+v", rest)
	}
	for _, query := range []string{"limit=0", "limit=1001", "limit=x", "start=x", "end=2026", "cursor=x", "cursor=1.x", "cursor=-1." + first.ID} {
		s.Do(http.MethodGet, "/api/people/p1/screenshots?"+query, s.admin, nil).Refused(400, api.CodeBadRequest)
	}
	reader, token := freshToken(s.Bench)
	r := s.Do(http.MethodGet, "/api/screenshots/"+first.ID, token, nil)
	if !bytes.Equal(r.Body, picture) {
		t.Errorf("%d bytes, sent were %d", len(r.Body), len(picture))
	}
	for header, want := range map[string]string{
		"Content-Type": "image/jpeg", "X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "private, no-store",
		"Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
	} {
		if got := r.Header.Get(header); got != want {
			t.Errorf("%s: %q", header, got)
		}
	}
	if looks := lookedAt(s.Bench, reader, "m1"); len(looks) != 1 || looks[0].What != api.LookedScreenshots || looks[0].From.IsZero() {
		t.Errorf("%+v", looks)
	}
}

// What is no plain picture is refused for good, whatever it is called.
func TestScreenshotsThatAreNone(t *testing.T) {
	s := newStudio(t)
	picture := servertest.Picture(t, 120, 67)
	bomb := slices.Clone(picture)
	copy(bomb[bytes.Index(bomb, []byte{0xFF, 0xC0})+5:], "\xff\xff\xff\xff")
	for name, body := range map[string][]byte{
		"nothing": {}, "HTML": []byte("<script>alert(1)</script>"), "a bomb": bomb, "HTML after it": append(slices.Clone(picture), "<script>"...),
		"a ZIP after it": append(slices.Clone(picture), "PK\x03\x04"...), "cut short": picture[:len(picture)-1],
	} {
		if r := s.send(s.host, body); r.Status != 422 {
			t.Errorf("%s: %d %s", name, r.Status, r.Body)
		} else {
			r.Refused(422, api.CodeBadPicture)
		}
	}
	s.send(s.host, make([]byte, api.MaxScreenshotBytes+1)).Refused(413, api.CodeTooLarge)
	s.send(s.host, picture, "Content-Type", "image/png").Refused(415, api.CodeUnsupportedType)
	s.send(s.host, picture, "Content-Type", "text/html").Refused(415, api.CodeUnsupportedType)
	s.send(s.host, picture, "Content-Encoding", "gzip").Refused(415, api.CodeUnsupported)
	ahead := s.taken.Add(25 * time.Hour).UTC().Format(time.RFC3339)
	old := s.taken.AddDate(0, 0, -15).UTC().Format(time.RFC3339)
	for query, code := range map[string]api.Code{
		"machine_id=m1&kind=blurred&taken_at=" + ahead: api.CodeBadTimestamp, "machine_id=m1&kind=blurred&taken_at=" + old: api.CodeBadTimestamp,
		"machine_id=m1&kind=blurred&taken_at=2026-01-01T00:00:00.5Z": api.CodeBadTimestamp, "machine_id=m1&kind=blurred&taken_at=1999-12-31T00:00:00Z": api.CodeBadTimestamp,
		"machine_id=m1&kind=blurred": api.CodeBadTimestamp, "kind=blurred&taken_at=2026-01-01T00:00:00Z": api.CodeBadMachineID,
		"machine_id=m%00&kind=blurred&taken_at=2026-01-01T00:00:00Z": api.CodeBadMachineID, "machine_id=m1&kind=sharp&taken_at=2026-01-01T00:00:00Z": api.CodeBadRequest,
		"machine_id=m1&kind=blurred&path=../x&taken_at=2026-01-01T00:00:00Z": api.CodeBadRequest,
	} {
		s.Do(http.MethodPost, "/api/screenshots?"+query, s.host, picture, "Content-Type", "image/jpeg").Refused(400, code)
	}
}

// A host sends pictures of its own accounts alone; of one that is erased it is told to
// forget them, of one whose first event is still to come to wait.
func TestScreenshotsOfOthers(t *testing.T) {
	s := newStudio(t)
	picture := servertest.Picture(t, 120, 67)
	s.send(s.other, picture).Refused(403, api.CodeForeignMachine)
	s.send(s.admin, picture).Refused(403, api.CodeForbidden)
	s.send("", picture).Refused(401, api.CodeUnauthorized)
	s.Do(http.MethodPost, servertest.ShotPath("m2", s.taken, "blurred"), s.host, picture, "Content-Type", "image/jpeg").Refused(403, api.CodeForeignMachine)
	s.Do(http.MethodDelete, "/api/people/p1", s.admin, nil).Wants(202, nil)
	s.send(s.host, picture).Refused(410, api.CodeErased)
}

// Policy in force on the host decides, whenever a picture was taken.
func TestScreenshotsByPolicy(t *testing.T) {
	s := newStudio(t)
	picture := servertest.Picture(t, 120, 67)
	put := func(d policy.Document) {
		t.Helper()
		if _, err := s.Store.Policies.Add(t.Context(), policies.Draft{Author: "test", Policy: d}, nil); err != nil {
			t.Fatal(err)
		}
	}
	readable := func() servertest.Reply {
		return s.Do(http.MethodPost, servertest.ShotPath("m1", s.taken, "readable"), s.host, picture, "Content-Type", "image/jpeg")
	}
	put(policy.Document{Screenshots: &policy.Screenshots{Kind: policy.Blurred, Allow: ptr(true)}})
	readable().Refused(403, api.CodeScreenshotsOff)
	s.send(s.host, picture).Wants(201, nil)
	put(policy.Document{Screenshots: &policy.Screenshots{Allow: ptr(false)}})
	s.send(s.host, picture).Refused(403, api.CodeScreenshotsOff)
	metrics := string(s.Do(http.MethodGet, "/metrics", "", nil).Body)
	for _, line := range []string{"\ntrackerd_server_screenshots_taken_total 1\n", "\ntrackerd_server_screenshots_refused_total{code=\"screenshots_off\"} 2\n", "\ntrackerd_server_screenshot_files_swept_total 0\n"} {
		if !strings.Contains(metrics, line) {
			t.Errorf("/metrics lacks %q", line)
		}
	}
	put(policy.Document{})
	readable().Wants(200, nil)
}

// Who deletes a picture leaves a mark; it can't be got any more, and what is no id finds
// nothing.
func TestDeleteScreenshot(t *testing.T) {
	s := newStudio(t)
	id := s.Shoot(s.host, "m1", s.taken)
	path := "/api/screenshots/" + id
	s.Do(http.MethodDelete, path, s.Token(directory.RoleViewer), nil).Refused(403, api.CodeForbidden)
	s.Group("empty")
	s.Do(http.MethodGet, path, s.Limited("empty"), nil).Refused(404, api.CodeNotFound)
	for range 2 {
		s.Do(http.MethodDelete, path, s.admin, nil).Wants(204, nil)
	}
	s.Do(http.MethodGet, path, s.admin, nil).Refused(404, api.CodeNotFound)
	var list api.ScreenshotList
	s.Do(http.MethodGet, "/api/people/p1/screenshots", s.admin, nil).Wants(200, &list)
	if len(list.Screenshots) != 1 || list.Screenshots[0].DeletedAt == nil || !strings.HasPrefix(*list.Screenshots[0].DeletedBy, "token tok_") {
		t.Errorf("%+v", list)
	}
	for _, id := range []string{"x", strings.ToUpper(id), id + "0", "..%2f..%2fetc%2fpasswd", "%00", strings.Repeat("0", 32)} {
		s.Do(http.MethodGet, "/api/screenshots/"+id, s.admin, nil).Refused(404, api.CodeNotFound)
		s.Do(http.MethodDelete, "/api/screenshots/"+id, s.admin, nil).Refused(404, api.CodeNotFound)
	}
	s.Do(http.MethodGet, "/api/people/p9/screenshots", s.admin, nil).Refused(404, api.CodeNotFound)
}

// A folder that is away is 503; a host that floods gets 429, and the rest is taken.
func TestScreenshotsAtOnce(t *testing.T) {
	s := newStudio(t)
	id := s.Shoot(s.host, "m1", s.taken)
	var all sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	for range 12 {
		all.Go(func() {
			r, err := s.Try(http.MethodPost, servertest.ShotPath("m1", s.taken.Add(-time.Second), "blurred"), s.host, servertest.Picture(t, 120, 67), "Content-Type", "image/jpeg")
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			statuses[r.Status]++
		})
	}
	all.Wait()
	if statuses[201] != 1 || statuses[201]+statuses[200]+statuses[429] != 12 {
		t.Errorf("%v", statuses)
	}
	if err := os.RemoveAll(s.Pictures); err != nil {
		t.Fatal(err)
	}
	s.Do(http.MethodGet, "/api/screenshots/"+id, s.admin, nil).Refused(503, api.CodeUnavailable)
	s.taken = s.taken.Add(-2 * time.Second)
	s.send(s.host, servertest.Picture(t, 120, 67)).Refused(503, api.CodeUnavailable)
}

// People see the pictures of their own accounts, and no others; they delete one within an
// hour after it came, which leaves a mark that they and whoever oversees them see.
func TestOwnScreenshots(t *testing.T) {
	s := newStudio(t)
	s.Send(s.host, servertest.Minute("m2", 0))
	mine, another := s.Shoot(s.host, "m1", s.taken), s.Shoot(s.host, "m2", s.taken)
	old := s.Shoot(s.host, "m1", s.taken.Add(-2*time.Hour))
	s.age(old, 61*time.Minute)
	link := s.OpenSelf(s.host, "m1")
	user := s.User("anna", directory.RoleViewer)
	s.Do(http.MethodPut, "/api/users/"+user.ID+"/person", s.admin, api.UserPerson{Person: "p1"}).Wants(204, nil)
	anna := s.Login("anna")
	for _, who := range [][]string{link, anna} {
		var list api.ScreenshotList
		s.Do(http.MethodGet, "/api/me/screenshots", "", nil, who...).Wants(200, &list)
		if list.Person != "p1" || len(list.Screenshots) != 2 || list.Screenshots[0].ID != old || list.Screenshots[1].ID != mine {
			t.Errorf("%+v", list)
		}
		if r := s.Do(http.MethodGet, "/api/me/screenshots/"+mine, "", nil, who...); r.Status != 200 || r.Header.Get("Content-Type") != "image/jpeg" {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		for _, id := range []string{another, "x", strings.Repeat("0", 32)} {
			s.Do(http.MethodGet, "/api/me/screenshots/"+id, "", nil, who...).Refused(404, api.CodeNotFound)
			s.Do(http.MethodDelete, "/api/me/screenshots/"+id, "", nil, who...).Refused(404, api.CodeNotFound)
		}
		s.Do(http.MethodDelete, "/api/me/screenshots/"+old, "", nil, who...).Refused(403, api.CodeTooLate)
		s.Do(http.MethodDelete, "/api/me/screenshots/"+mine, "", nil, append(slices.Clone(who), "Sec-Fetch-Site", "cross-site")...).Refused(403, api.CodeForbidden)
	}
	s.Do(http.MethodGet, "/api/screenshots/"+mine, "", nil, link...).Refused(403, api.CodeForbidden)
	s.Do(http.MethodDelete, "/api/screenshots/"+mine, "", nil, link...).Refused(403, api.CodeForbidden)
	s.Do(http.MethodDelete, "/api/screenshots/"+mine, "", nil, anna...).Refused(403, api.CodeForbidden)

	second := s.Shoot(s.host, "m1", s.taken.Add(-time.Minute))
	for id, by := range map[string][]string{mine: link, second: anna} {
		for range 2 {
			s.Do(http.MethodDelete, "/api/me/screenshots/"+id, "", nil, by...).Wants(204, nil)
		}
	}
	s.Do(http.MethodGet, "/api/me/screenshots/"+mine, "", nil, link...).Refused(404, api.CodeNotFound)
	var list api.ScreenshotList
	for path, who := range map[string][]string{"/api/me/screenshots": link, "/api/people/p1/screenshots": s.Login("anna")} {
		s.Do(http.MethodGet, path, "", nil, who...).Wants(200, &list)
		marks := map[string]string{}
		for _, one := range list.Screenshots {
			if one.DeletedAt != nil {
				marks[one.ID] = *one.DeletedBy
			}
		}
		if len(marks) != 2 || marks[mine] != "self" || marks[second] != "user "+user.ID {
			t.Errorf("%s: %v", path, marks)
		}
	}
	// What one deleted stays deleted, though the host sends it again.
	s.send(s.host, servertest.Picture(t, 120, 67)).Wants(200, nil)
	s.Do(http.MethodGet, "/api/me/screenshots/"+mine, "", nil, link...).Refused(404, api.CodeNotFound)
	if looks := lookedAt(s.Bench, "", "m1"); len(looks) == 0 || looks[0].Reader.Kind != access.Self || looks[0].What != api.LookedScreenshots {
		t.Errorf("one's own looks are not written down: %+v", looks)
	}
}

// age has a picture have come a while ago.
func (s *studio) age(id string, by time.Duration) {
	s.T.Helper()
	err := s.Store.DB.Write(s.T.Context(), "testing", func(tx pgx.Tx) error {
		_, err := tx.Exec(s.T.Context(), "UPDATE screenshot SET received_at = received_at - $2::interval WHERE id = $1::uuid", id, by)
		return err
	})
	if err != nil {
		s.T.Fatal(err)
	}
}
