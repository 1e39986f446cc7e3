package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/store/directory"
)

// diary is a server with anna, who has two accounts, of which the group team has one, and
// boris. All of them were there in the first minute of their day.
type diary struct {
	*servertest.Bench
	host, admin string
	// anna and boris have opened anna's first account and boris' by links.
	anna, boris []string
	day         time.Time
}

func newDiary(t *testing.T) *diary {
	t.Helper()
	d := &diary{Bench: servertest.New(t, servertest.NewDatabase(t))}
	d.host, d.admin = d.Host("h"), d.Token(directory.RoleAdmin)
	first := servertest.Minute("anna-1", 0)
	d.day = first.Timestamp.UTC().Truncate(24 * time.Hour)
	d.Send(d.host, first, servertest.Minute("anna-2", 1), servertest.Minute("boris", 0))
	d.Do(http.MethodPost, "/api/people/p1/accounts", d.admin, api.PersonJoin{MachineIDs: []string{"anna-2"}}).Wants(200, nil)
	d.Group("team", "anna-1")
	d.Group("others", "boris")
	d.anna, d.boris = d.OpenSelf(d.host, "anna-1"), d.OpenSelf(d.host, "boris")
	return d
}

// draft is a note of an hour of the day.
func (d *diary) draft(hour int, text string) api.NoteDraft {
	start := d.day.Add(time.Duration(hour) * time.Hour)
	return api.NoteDraft{Start: start, End: start.Add(time.Hour), Text: text}
}

// write writes a note.
func (d *diary) write(login []string, draft api.NoteDraft) (n api.Note) {
	d.T.Helper()
	d.Do(http.MethodPost, "/api/me/notes", "", draft, login...).Wants(201, &n)
	return n
}

// list returns what a path lists.
func (d *diary) list(path, token string, login ...string) (l api.NoteList) {
	d.T.Helper()
	d.Do(http.MethodGet, path, token, nil, login...).Wants(200, &l)
	return l
}

// What a person wrote is read and answered by those whose groups have the account, and the
// person sees the answer.
func TestNotes(t *testing.T) {
	d := newDiary(t)
	manager := d.User("mia", directory.RoleManager, "team")
	mia := d.Login("mia")
	var again api.Note
	n := d.write(d.anna, d.draft(2, "  встреча\u202e,\n=1+1 "))
	d.Do(http.MethodPost, "/api/me/notes", "", d.draft(2, "встреча, =1+1"), d.anna...).Wants(200, &again)
	if again != n || n.Text != "встреча, =1+1" || n.MadeBy != "self" || n.MachineID != "anna-1" || !n.Start.Equal(d.day.Add(2*time.Hour)) || n.Answer != nil {
		t.Errorf("%+v %+v", n, again)
	}
	answer := "/api/people/p1/notes/" + n.ID + "/answer"
	for range 2 {
		d.Do(http.MethodPut, answer, "", api.NoteAnswer{Text: "=thanks"}, mia...).Wants(204, nil)
	}
	d.Do(http.MethodPut, answer, d.admin, api.NoteAnswer{Text: "no"}).Refused(409, api.CodeNoteAnswered)
	d.Do(http.MethodDelete, "/api/me/notes/"+n.ID, "", nil, d.anna...).Refused(409, api.CodeNoteAnswered)
	for _, list := range []api.NoteList{d.list("/api/me/notes", "", d.anna...), d.list("/api/people/p1/notes", "", mia...)} {
		if len(list.Notes) != 1 || !list.Partial || list.Person != "p1" {
			t.Fatalf("%+v", list)
		}
		if n := list.Notes[0]; *n.Answer != "=thanks" || *n.AnsweredBy != "user "+manager.ID || *n.AnsweredByName != "mia" || n.AnsweredAt.IsZero() {
			t.Errorf("%+v", n)
		}
	}
	rows := d.Do(http.MethodGet, "/api/people/p1/notes?format=csv", d.admin, nil).Table()
	if len(rows) != 2 || !strings.Contains(fmt.Sprint(rows[1]), "встреча, =1+1") || !strings.Contains(fmt.Sprint(rows[1]), "'=thanks") {
		t.Errorf("%q", rows)
	}
	d.Do(http.MethodDelete, answer, "", nil, mia...).Wants(204, nil)
	d.Do(http.MethodDelete, answer, d.admin, nil).Wants(204, nil)
	d.Do(http.MethodDelete, "/api/me/notes/"+n.ID, "", nil, d.anna...).Wants(204, nil)
	d.Do(http.MethodDelete, "/api/me/notes/"+n.ID, "", nil, d.anna...).Refused(404, api.CodeNotFound)
	if list := d.list("/api/me/notes", "", d.anna...); len(list.Notes) != 0 {
		t.Errorf("%+v", list)
	}
	var changes api.ChangeList
	d.Do(http.MethodGet, "/api/audit?limit=2", d.admin, nil).Wants(200, &changes)
	if c := changes.Changes; len(c) != 2 || c[0].What != "note.answer_removed" || c[1].What != "note.answered" || *c[1].ActorName != "mia" || len(c[1].Details) != 0 {
		t.Errorf("%+v", c)
	}
}

// A user who is the person writes with either account, and names which.
func TestNotesOfAUser(t *testing.T) {
	d := newDiary(t)
	u := d.User("anna", directory.RoleViewer, "others")
	d.Do(http.MethodPut, "/api/users/"+u.ID+"/person", d.admin, api.UserPerson{Person: "p1"}).Wants(204, nil)
	login := d.Login("anna")
	draft := d.draft(3, "on the train")
	d.Do(http.MethodPost, "/api/me/notes", "", draft, login...).Refused(400, api.CodeBadRequest)
	draft.MachineID = "anna-2"
	n := d.write(login, draft)
	if n.MadeBy != "user "+u.ID || n.MachineID != "anna-2" {
		t.Errorf("%+v", n)
	}
	for _, id := range []string{"boris", "none", "a\x00"} {
		draft.MachineID = id
		d.Do(http.MethodPost, "/api/me/notes", "", draft, login...).Refused(404, api.CodeNotFound)
	}
	// The link of the other account does not see it, nor does who has that account alone.
	if own, team := d.list("/api/me/notes", "", d.anna...), d.list("/api/people/p1/notes", d.Limited("team")); len(own.Notes)+len(team.Notes) != 0 {
		t.Errorf("%+v %+v", own, team)
	}
	d.Do(http.MethodDelete, "/api/me/notes/"+n.ID, "", nil, d.anna...).Refused(404, api.CodeNotFound)
	// It goes where its account goes.
	var parted api.Person
	d.Do(http.MethodDelete, "/api/people/p1/accounts/anna-2", d.admin, nil).Wants(200, &parted)
	if own := d.list("/api/me/notes", "", login...); len(own.Notes) != 0 {
		t.Errorf("%+v", own)
	}
	d.Do(http.MethodDelete, "/api/me/notes/"+n.ID, "", nil, login...).Refused(404, api.CodeNotFound)
	if list := d.list("/api/people/"+parted.ID+"/notes", d.admin); len(list.Notes) != 1 {
		t.Errorf("%+v", list)
	}
}

// figures is all that is answered about people but for their notes, by path.
func (d *diary) figures() map[string]string {
	d.T.Helper()
	all, date := map[string]string{}, d.day.Format(time.DateOnly)
	span := "start=" + d.day.Format(time.RFC3339) + "&end=" + d.day.AddDate(0, 0, 1).Format(time.RFC3339)
	for _, path := range []string{
		"/api/people", "/api/people/p1", "/api/people/p1/summary?date=" + date, "/api/people/p1/timeline?date=" + date, "/api/people/p1/events?" + span,
		"/api/people/p1/day?date=" + date, "/api/reports/day?date=" + date, "/api/reports/activity?per=person&from=" + date + "&to=" + date,
		"/api/reports/apps?per=person&from=" + date + "&to=" + date, "/api/reports/rhythm?from=" + date + "&to=" + date, "/api/activity/anna-1/summary?date=" + date, "/api/machines",
	} {
		for _, format := range []string{"json", "csv"} {
			mark := "?"
			if strings.Contains(path, "?") {
				mark = "&"
			}
			r := d.Do(http.MethodGet, path+mark+"format="+format, d.admin, nil)
			r.Wants(200, nil)
			body := string(r.Body)
			if at := strings.Index(body, `,"notes":`); format == "json" && at >= 0 {
				body = body[:at]
			}
			all[path+format] = body
		}
	}
	return all
}

// Notes and answers change no figure, to the byte, and nothing that is called partial or
// estimated.
func TestNotesChangeNoFigures(t *testing.T) {
	d := newDiary(t)
	before := d.figures()
	n := d.write(d.anna, d.draft(0, "I was there"))
	d.Do(http.MethodPut, "/api/people/p1/notes/"+n.ID+"/answer", d.admin, api.NoteAnswer{Text: "no"}).Wants(204, nil)
	for path, body := range d.figures() {
		if body != before[path] {
			t.Errorf("%s: %s\nwas %s", path, body, before[path])
		}
	}
}

// dayWith returns how many notes stand beside a day.
func (d *diary) dayWith(query, token string, login ...string) int {
	d.T.Helper()
	var day api.PersonDay
	path := "/api/people/p1/day?"
	if token == "" {
		path = "/api/me/day?"
	}
	d.Do(http.MethodGet, path+query, token, nil, login...).Wants(200, &day)
	if day.Notes == nil {
		d.T.Errorf("%s: null", query)
	}
	return len(day.Notes)
}

// A day has the notes whose spans have a part of it, by its zone's clock; that they were
// looked at is written down where there are any, and where they are shown.
func TestNotesBesideADay(t *testing.T) {
	d := newDiary(t)
	night := time.Date(2026, 3, 29, 0, 30, 0, 0, time.UTC) // clocks in London skip an hour
	d.write(d.anna, api.NoteDraft{Start: night, End: night.Add(time.Hour), Text: "over the gap"})
	d.write(d.anna, api.NoteDraft{Start: night.Add(22*time.Hour + 30*time.Minute), End: night.Add(23 * time.Hour), Text: "the first half hour of the 30th, in London"})
	for query, want := range map[string]int{
		"date=2026-03-29&tz=Europe/London": 1, "date=2026-03-30&tz=Europe/London": 1, "date=2026-03-29": 2, "date=2026-03-30": 0,
		"date=2026-03-29&tz=America/New_York": 1, "date=2026-03-28&tz=America/New_York": 1, "date=2026-03-28": 0, "date=2026-10-25&tz=Europe/London": 0,
	} {
		reader, token := freshToken(d.Bench)
		got, own := d.dayWith(query, token), d.dayWith(query, "", d.anna...)
		looks := map[string]int{}
		for _, e := range lookedAt(d.Bench, reader, "anna-1") {
			looks[e.What]++
		}
		if got != want || own != want || looks[api.LookedDay] != 1 || (looks[api.LookedNotes] == 1) != (want > 0) {
			t.Errorf("%s: %d and %d, want %d; looks %v", query, got, own, want, looks)
		}
	}
	reader, token := freshToken(d.Bench)
	d.Do(http.MethodGet, "/api/people/p1/day?date=2026-03-29&format=csv", token, nil).Wants(200, nil)
	if looks := lookedAt(d.Bench, reader, "anna-1"); len(looks) != 1 || looks[0].What != api.LookedDay {
		t.Errorf("%+v", looks)
	}
}

// Whatever somebody else tries, another's note looks like one that is not there.
func TestNotesOfOthersAreNotThere(t *testing.T) {
	d := newDiary(t)
	n := d.write(d.anna, d.draft(1, "private"))
	d.User("max", directory.RoleManager, "others")
	d.User("vera", directory.RoleViewer, "team")
	manager, vera := d.Login("max"), d.Login("vera")
	unknown := strings.Repeat("0", 32)
	for _, path := range []string{"/api/me/notes/%s", "/api/people/p1/notes/%s/answer", "/api/people/p2/notes/%s/answer", "/api/people/p3/notes/%s/answer"} {
		method, body, login := http.MethodPut, any(api.NoteAnswer{Text: "x"}), manager
		if strings.HasPrefix(path, "/api/me") {
			method, body, login = http.MethodDelete, nil, d.boris
		}
		foreign, none := d.Do(method, fmt.Sprintf(path, n.ID), "", body, login...), d.Do(method, fmt.Sprintf(path, unknown), "", body, login...)
		foreign.Refused(404, api.CodeNotFound)
		if string(foreign.Body) != string(none.Body) {
			t.Errorf("%s: %s, but %s", path, foreign.Body, none.Body)
		}
		for _, id := range []string{strings.ToUpper(n.ID), n.ID[:31], n.ID + "0", "%00", "..%2f" + n.ID, n.ID[:8] + "-" + n.ID[8:]} {
			if r := d.Do(method, fmt.Sprintf(path, id), "", body, login...); r.Status != 404 {
				t.Errorf("%s: %d %s", id, r.Status, r.Body)
			}
		}
	}
	d.Do(http.MethodGet, "/api/people/p1/notes", "", nil, manager...).Refused(404, api.CodeNotFound)
	d.Do(http.MethodPut, "/api/people/p1/notes/"+n.ID+"/answer", "", api.NoteAnswer{Text: "x"}, vera...).Refused(403, api.CodeForbidden)
	d.Do(http.MethodPut, "/api/people/p1/notes/"+n.ID+"/answer", "", api.NoteAnswer{Text: "x"}, d.anna...).Refused(403, api.CodeForbidden)
	for _, bearer := range []string{d.host, d.admin} {
		d.Do(http.MethodPost, "/api/me/notes", bearer, d.draft(2, "x")).Refused(403, api.CodeForbidden)
	}
	// Another site's page writes nothing.
	d.Do(http.MethodPost, "/api/me/notes", "", d.draft(2, "x"), append([]string{"Sec-Fetch-Site", "cross-site"}, d.anna...)...).Refused(403, api.CodeForbidden)
	d.Do(http.MethodPost, "/api/me/notes", "", d.draft(2, "x"), append([]string{"Content-Type", "text/plain"}, d.anna...)...).Refused(415, api.CodeUnsupportedType)
	d.Do(http.MethodDelete, "/api/me/notes/"+n.ID, "", nil, append([]string{"Origin", "https://evil.example"}, d.anna...)...).Refused(403, api.CodeForbidden)
	if list := d.list("/api/people/p1/notes", d.admin); len(list.Notes) != 1 || list.Notes[0] != n {
		t.Errorf("%+v", list)
	}
}

// What can be no note is refused with what is wrong.
func TestNotesThatAreNone(t *testing.T) {
	d := newDiary(t)
	at := func(hours int) string { return d.day.Add(time.Duration(hours) * time.Hour).Format(time.RFC3339) }
	ahead := time.Now().Add(25 * time.Hour).UTC().Format(time.RFC3339)
	note := func(start, end, text string) string {
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf(`{"start": %q, "end": %q, "text": %s}`, start, end, quoted)
	}
	good := note(at(0), at(1), "x")
	for body, says := range map[string]string{
		"": "JSON", "null": "text", "[]": "JSON", "{}": "text", good + "1": "more than one value", `{"text": 1}`: "JSON", strings.Repeat(" ", 9000) + good: "JSON",
		strings.Replace(good, "{", `{"machine": "anna-1", `, 1): "unknown field", note("today", at(1), "x"): "JSON", note("2026-01-01", at(1), "x"): "JSON",
		note(at(1), at(1), "x"): "start, end", note(at(1), at(0), "x"): "start, end", note(at(0), at(25), "x"): "start, end", note("0001-01-01T00:00:00Z", at(1), "x"): "start, end",
		note(at(20), ahead, "x"): "", note("1999-12-31T00:00:00Z", "1999-12-31T01:00:00Z", "x"): "start: ",
		note(at(0), at(1), ""): "text", note(at(0), at(1), " \u200d\u202e"): "text", note(at(0), at(1), "a\x1b[2J"): "text", note(at(0), at(1), "a\x00"): "text",
		note(at(0), at(1), strings.Repeat("ж", 501)): "text", strings.Replace(good, `"x"`, "\"\xff\"", 1): "text",
	} {
		r := d.Do(http.MethodPost, "/api/me/notes", "", []byte(body), append([]string{"Content-Type", "application/json"}, d.anna...)...)
		r.Refused(400, api.CodeBadRequest)
		if !strings.Contains(string(r.Body), says) {
			t.Errorf("%.100s: %s", body, r.Body)
		}
	}
	n := d.write(d.anna, d.draft(0, strings.Repeat("\U0001f468", 500)))
	for _, body := range []string{"", `{"text": ""}`, `{"text": "\u0000"}`, `{"answer": "x"}`, `{"text": "` + strings.Repeat("x", 501) + `"}`} {
		d.Do(http.MethodPut, "/api/people/p1/notes/"+n.ID+"/answer", d.admin, []byte(body)).Refused(400, api.CodeBadRequest)
	}
	for i := range 19 {
		d.write(d.anna, d.draft(0, fmt.Sprint(i)))
	}
	d.Do(http.MethodPost, "/api/me/notes", "", d.draft(0, "one more"), d.anna...).Refused(409, api.CodeTooManyNotes)
	var page, rest api.NoteList
	d.Do(http.MethodGet, "/api/people/p1/notes?limit=15", d.admin, nil).Wants(200, &page)
	d.Do(http.MethodGet, "/api/people/p1/notes?limit=15&cursor="+url.QueryEscape(page.NextCursor), d.admin, nil).Wants(200, &rest)
	if len(page.Notes) != 15 || len(rest.Notes) != 5 || rest.NextCursor != "" {
		t.Errorf("%d and %d", len(page.Notes), len(rest.Notes))
	}
	for _, query := range []string{"limit=0", "limit=1001", "limit=x", "start=x", "end=2026", "cursor=x", "cursor=1.x", "cursor=-1." + n.ID, "start=2026-01-02T00:00:00Z&end=2026-01-01T00:00:00Z"} {
		d.Do(http.MethodGet, "/api/people/p1/notes?"+query, d.admin, nil).Refused(400, api.CodeBadRequest)
	}
	// Who was erased begins anew, and explains nothing of before.
	d.Do(http.MethodDelete, "/api/people/p1", d.admin, nil).Wants(202, nil)
	d.Do(http.MethodGet, "/api/me/notes", "", nil, d.anna...).Refused(401, api.CodeUnauthorized)
	d.Send(d.host, api.Event{MachineID: "anna-1", Timestamp: time.Now().Add(time.Minute).UTC().Truncate(time.Second)})
	d.Do(http.MethodPost, "/api/me/notes", "", d.draft(0, "of before"), d.OpenSelf(d.host, "anna-1")...).Refused(410, api.CodeErased)
}
